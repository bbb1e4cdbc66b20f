#include "common/correlation_id.h"
