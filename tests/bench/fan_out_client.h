// What the programs share that call a clusterd: whom, what, and how one call is
// made.
#ifndef TESTS_BENCH_FAN_OUT_CLIENT_H_
#define TESTS_BENCH_FAN_OUT_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "mimik/cluster/v1/fan_out_service.grpc.pb.h"

namespace coord {

struct FanOutTarget {
  std::string address = "127.0.0.1:7700";
  std::string type = "bench";
  std::string path = "/";
  int deadline_ms = 10'000;

  void AddOptionsTo(CLI::App& app);
};

// Takes answers of any size. Thread-safe.
class FanOutClient {
 public:
  struct Call {
    grpc::ClientContext context;
    mimik::cluster::v1::FanOutResponse response;
    absl::Time start = absl::Now();
  };
  using Ended = std::function<void(const Call&, const grpc::Status&)>;

  explicit FanOutClient(const FanOutTarget& target);

  // `ended` is called on a thread of gRPC.
  void Start(Ended ended);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  const int deadline_ms_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<mimik::cluster::v1::FanOutService::Stub> stub_;
  mimik::cluster::v1::FanOutRequest request_;
};

// Ends the process. gRPC's threads may still be on their way out of the last
// callback, which the destructors of statics would not survive.
[[noreturn]] void Quit();

}  // namespace coord

#endif  // TESTS_BENCH_FAN_OUT_CLIENT_H_
