#include "server/node/peers.h"
