#include "server/node/evictor.h"
