#include "server/http/asio_loop.h"
