#include "server/fanout/splice.h"
