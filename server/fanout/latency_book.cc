#include "server/fanout/latency_book.h"

#include <algorithm>
#include <limits>

namespace coord {

void LatencyBook::Add(const ServerPtr& server, absl::Duration latency) {
  if (records_.size() >= look_for_gone_at_) ForgetTheGone();
  Record& record = records_[server.get()];
  // One that is gone may have left its address to another.
  if (record.server.expired()) record = Record{server};
  constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
  record.micros[record.added++ % kWindow] = static_cast<std::uint32_t>(
      std::min(absl::ToInt64Microseconds(latency), kMost));
}

std::optional<absl::Duration> LatencyBook::P95(const ServerPtr& server) const {
  const auto found = records_.find(server.get());
  if (found == records_.end() || found->second.server.expired() ||
      found->second.added < kEnough) {
    return std::nullopt;
  }
  const std::size_t known = std::min(found->second.added, kWindow);
  std::array<std::uint32_t, kWindow> sorted = found->second.micros;
  const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(known);
  const auto p95 =
      sorted.begin() + static_cast<std::ptrdiff_t>((known * 95 + 99) / 100 - 1);
  std::nth_element(sorted.begin(), p95, end);
  return absl::Microseconds(*p95);
}

// Looks at all of them once in a while, so that there are never more than twice
// as many records as servers that were called.
void LatencyBook::ForgetTheGone() {
  absl::erase_if(records_, [](const auto& entry) {
    return entry.second.server.expired();
  });
  look_for_gone_at_ = std::max<std::size_t>(64, 2 * records_.size());
}

}  // namespace coord
