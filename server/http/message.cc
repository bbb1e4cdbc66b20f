#include "server/http/message.h"
