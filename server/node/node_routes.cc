#include "server/node/node_routes.h"
