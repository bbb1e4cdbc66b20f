#include "server/core/completion.h"
