// The composition root: builds, owns and stops everything.
#ifndef SERVER_SERVER_H_
#define SERVER_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/config.h"

namespace coord {

class ClusterServer {
 public:
  // Opens the store, takes up what it holds, serves. Errors, each saying what
  // to do: an address in use, a store that can't be opened, a file that can't
  // be read.
  static absl::StatusOr<std::unique_ptr<ClusterServer>> Start(
      const Config& config);
  // Stops, if Stop was not called.
  ~ClusterServer();

  // Effective addresses, `127.0.0.1:40123`.
  std::string grpc_address() const;
  std::string http_address() const;

  // Health and readiness say no → new fan-outs are refused → registrations are
  // kept or removed as configured, while calls in flight end → what is left
  // after the drain timeout is answered with what is known, whoever it waits
  // for. Returns within the drain timeout and 2 s; twice is once. Error:
  // DEADLINE_EXCEEDED, a write of the store has not ended, and the destructor
  // will wait for it.
  absl::Status Stop();

 private:
  class Impl;
  explicit ClusterServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_SERVER_H_
