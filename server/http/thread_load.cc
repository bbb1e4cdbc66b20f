#include "server/http/thread_load.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <optional>

namespace coord {
namespace {

// Schedstat is `<ns on a processor> <ns waiting for one> <time slices>`: see
// proc(5), and sched-stats in the kernel's documentation. Its first figure may
// be a clock tick old.
std::optional<absl::Duration> ReadBusy(int file) {
  std::array<char, 64> text;
  const ssize_t size = pread(file, text.data(), text.size(), 0);
  if (size <= 0) return std::nullopt;
  const char* const end = text.data() + size;
  const char* const space = std::find<const char*>(text.data(), end, ' ');
  if (space == end) return std::nullopt;
  std::int64_t waited = 0;
  if (std::from_chars(space + 1, end, waited).ec != std::errc{}) {
    return std::nullopt;
  }
  timespec ran;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
  return absl::DurationFromTimespec(ran) + absl::Nanoseconds(waited);
}

}  // namespace

ThreadLoad::~ThreadLoad() {
  if (file_ >= 0) close(file_);
}

double ThreadLoad::SinceLast(absl::Time now) {
  if (file_ < 0) {
    file_ = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  }
  const std::optional<absl::Duration> busy = ReadBusy(file_);
  if (!busy) return 0;
  const absl::Duration passed = now - asked_;
  const absl::Duration was_busy = *busy - busy_;
  const bool first = asked_ == absl::InfinitePast();
  asked_ = now;
  busy_ = *busy;
  if (first || passed <= absl::ZeroDuration()) return 0;
  return std::clamp(absl::FDivDuration(was_busy, passed), 0.0, 1.0);
}

}  // namespace coord
