#include "server/node/registration_store.h"
