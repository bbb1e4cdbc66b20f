#include "server/registry/database.h"
