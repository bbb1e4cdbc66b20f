#include "server/core/server.h"
