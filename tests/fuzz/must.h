// What a fuzz target claims of every input.
#ifndef TESTS_FUZZ_MUST_H_
#define TESTS_FUZZ_MUST_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace coord {

// Ends the program where a claim does not hold; libFuzzer keeps the input.
inline void Must(bool claim) {
  if (!claim) std::abort();
}

inline std::string_view Input(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace coord

#endif  // TESTS_FUZZ_MUST_H_
