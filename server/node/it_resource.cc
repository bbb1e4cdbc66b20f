#include "server/node/it_resource.h"
