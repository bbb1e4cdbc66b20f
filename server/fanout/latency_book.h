// How fast servers answered lately.
#ifndef SERVER_FANOUT_LATENCY_BOOK_H_
#define SERVER_FANOUT_LATENCY_BOOK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/core/server.h"

namespace coord {

// Remembers a handful of numbers for each server, until its record is replaced
// or goes. For one thread.
class LatencyBook {
 public:
  void Add(const ServerPtr& server, absl::Duration latency);
  // 95 % of the latest answers took no longer; nullopt while too few are known.
  std::optional<absl::Duration> P95(const ServerPtr& server) const;

  std::size_t size() const { return records_.size(); }

 private:
  static constexpr std::size_t kWindow = 32;
  static constexpr std::size_t kEnough = 20;

  struct Record {
    std::weak_ptr<const Server> server;
    std::array<std::uint32_t, kWindow> micros{};  // a ring
    std::size_t added = 0;
  };

  void ForgetTheGone();

  absl::flat_hash_map<const Server*, Record> records_;
  std::size_t look_for_gone_at_ = 64;  // records
};

}  // namespace coord

#endif  // SERVER_FANOUT_LATENCY_BOOK_H_
