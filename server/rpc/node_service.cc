#include "server/rpc/services.h"
