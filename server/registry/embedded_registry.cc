#include "server/registry/embedded_registry.h"
