#include "server/core/eviction_rules.h"
