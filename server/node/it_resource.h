// Moved: the registry of mIT reads itResources too.
#include "server/registry/it_resource.h"  // IWYU pragma: export
