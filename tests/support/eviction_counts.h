// Remembers what an evictor and a registrar count.
#ifndef TESTS_SUPPORT_EVICTION_COUNTS_H_
#define TESTS_SUPPORT_EVICTION_COUNTS_H_

#include <vector>

#include "server/node/eviction_observer.h"

namespace coord {

// For the test's thread only.
class EvictionCounts final : public EvictionObserver {
 public:
  void OnSuspected() override { ++suspected; }
  void OnCleared() override { ++cleared; }
  void OnKept() override { ++kept; }
  void OnHeldBack() override { ++held_back; }
  void OnEvicted(EvictionCause cause) override {
    ++evicted;
    causes.push_back(cause);
  }

  int suspected = 0, evicted = 0, cleared = 0, kept = 0, held_back = 0;
  std::vector<EvictionCause> causes;  // of those that were evicted
};

}  // namespace coord

#endif  // TESTS_SUPPORT_EVICTION_COUNTS_H_
