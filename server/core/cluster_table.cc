#include "server/core/membership.h"
