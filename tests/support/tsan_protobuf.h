// Debian's Protobuf is not instrumented, but its header gives map fields two
// more members where ThreadSanitizer is on: objects that the library made would
// be read at the wrong place. Included before everything else in a `thread`
// build, this hides ThreadSanitizer from that header alone.
#ifndef TESTS_SUPPORT_TSAN_PROTOBUF_H_
#define TESTS_SUPPORT_TSAN_PROTOBUF_H_

// What the header includes of the standard library must see it.
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include <google/protobuf/map_field.h>
#pragma pop_macro("__SANITIZE_THREAD__")

#endif  // TESTS_SUPPORT_TSAN_PROTOBUF_H_
