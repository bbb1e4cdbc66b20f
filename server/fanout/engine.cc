#include "server/fanout/engine.h"
