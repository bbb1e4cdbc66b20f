// The randomness of property tests: one seed for each instance of a test.
#ifndef TESTS_SUPPORT_SEEDED_TEST_H_
#define TESTS_SUPPORT_SEEDED_TEST_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "absl/strings/numbers.h"

namespace coord {

// Beside ::testing::Test or a fixture. A test that fails should say its seed:
// `SCOPED_TRACE(absl::StrCat("COORD_TEST_SEED=", Seed()))`.
class SeededTest : public ::testing::WithParamInterface<int> {
 protected:
  // The parameter; or COORD_TEST_SEED, which repeats one run.
  static int Seed() {
    int seed = GetParam();
    const char* wanted = std::getenv("COORD_TEST_SEED");
    if (wanted != nullptr && !absl::SimpleAtoi(wanted, &seed)) ADD_FAILURE();
    return seed;
  }
  // From 0 to `below` - 1.
  int Draw(int below) {
    return std::uniform_int_distribution<int>(0, below - 1)(random_);
  }

 private:
  std::mt19937 random_{static_cast<unsigned>(Seed())};
};

}  // namespace coord

#endif  // TESTS_SUPPORT_SEEDED_TEST_H_
