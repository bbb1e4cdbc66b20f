#include "server/node/registrar.h"
