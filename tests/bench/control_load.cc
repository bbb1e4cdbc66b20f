// Drives the registry of a running clusterd over real gRPC and prints one JSON
// line for each run: registrations, keep-alives, or changes seen by watchers.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "mimik/cluster/v1/registry_service.grpc.pb.h"

namespace coord {
namespace {

namespace pb = mimik::cluster::v1;
using Stub = pb::RegistryService::Stub;

struct Options {
  std::string address = "127.0.0.1:7700";
  std::string type = "bench";
  int clients = 1;  // each with a connection and one request in flight
  int count = 1000;
  int first = 0;  // number of the first server
  double seconds = 1;
  int watchers = 1;
};

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "control_load: %s\n", what.c_str());
  std::_Exit(1);
}

void Check(const grpc::Status& status, const std::string& what) {
  if (!status.ok()) Die(absl::StrCat(what, ": ", status.error_message()));
}

std::unique_ptr<Stub> Connect(const Options& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return pb::RegistryService::NewStub(grpc::CreateCustomChannel(
      options.address, grpc::InsecureChannelCredentials(), arguments));
}

std::string Register(Stub& stub, const std::string& type, int number) {
  pb::RegisterServerRequest request;
  request.mutable_server()->set_type(type);
  request.mutable_server()->set_server_id(absl::StrCat("node-", number));
  request.mutable_server()->set_cluster_base_url(
      absl::StrCat("http://10.", number >> 16 & 255, ".", number >> 8 & 255,
                   ".", number & 255, ":8080/api"));
  request.mutable_ttl()->set_seconds(24 * 3600);
  request.set_wait(true);
  grpc::ClientContext context;
  pb::RegisterServerResponse response;
  Check(stub.RegisterServer(&context, request, &response), "register");
  return response.registration().session_id();
}

double Percentile(const std::vector<double>& sorted, double p) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(
      p * static_cast<double>(sorted.size() - 1))];
}

void Print(std::vector<double> latencies_us, absl::Duration elapsed) {
  std::sort(latencies_us.begin(), latencies_us.end());
  const double seconds = absl::ToDoubleSeconds(elapsed);
  std::printf(
      "{\"count\":%zu,\"seconds\":%.3f,\"per_second\":%.1f,\"p50_us\":%.0f,"
      "\"p99_us\":%.0f}\n",
      latencies_us.size(), seconds,
      static_cast<double>(latencies_us.size()) / seconds,
      Percentile(latencies_us, 0.5), Percentile(latencies_us, 0.99));
}

// Has each client work in a thread of its own; `work` returns the latencies of
// what it did, in microseconds.
template <typename Work>
void Run(const Options& options, Work work) {
  std::mutex mutex;
  std::vector<double> all;
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(options.clients));
  const absl::Time start = absl::Now();
  for (int i = 0; i < options.clients; ++i) {
    threads.emplace_back([&] {
      const std::vector<double> own = work();
      const std::lock_guard lock(mutex);
      all.insert(all.end(), own.begin(), own.end());
    });
  }
  for (std::thread& thread : threads) thread.join();
  Print(std::move(all), absl::Now() - start);
}

void RegisterMany(const Options& options) {
  std::atomic<int> next = options.first;
  Run(options, [&] {
    const auto stub = Connect(options);
    std::vector<double> latencies;
    for (int number = next++; number < options.first + options.count;
         number = next++) {
      const absl::Time start = absl::Now();
      Register(*stub, options.type, number);
      latencies.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
    }
    return latencies;
  });
}

void KeepAlive(const Options& options) {
  std::atomic<int> next = options.first;
  Run(options, [&] {
    const auto stub = Connect(options);
    pb::KeepAliveRequest request;
    request.set_session_id(Register(*stub, options.type, next++));
    const absl::Time end = absl::Now() + absl::Seconds(options.seconds);
    grpc::ClientContext context;
    const auto stream = stub->KeepAlive(&context);
    std::vector<double> latencies;
    for (absl::Time start = absl::Now(); start < end;) {
      pb::KeepAliveResponse response;
      if (!stream->Write(request) || !stream->Read(&response) ||
          !response.has_success()) {
        Die("keep alive: the stream has ended or refused");
      }
      const absl::Time now = absl::Now();
      latencies.push_back(absl::ToDoubleMicroseconds(now - start));
      start = now;
    }
    context.TryCancel();
    return latencies;
  });
}

// Counts the changes that arrive at all watchers.
class Arrivals {
 public:
  void Expect(int arrivals) {
    absl::MutexLock lock(&mutex_);
    missing_ = arrivals;
    start_ = absl::Now();
  }
  void Arrived() {
    const absl::Time now = absl::Now();
    absl::MutexLock lock(&mutex_);
    latencies_us_.push_back(absl::ToDoubleMicroseconds(now - start_));
    --missing_;
  }
  void Await() {
    absl::MutexLock lock(&mutex_);
    auto all = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return missing_ == 0;
    };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&all), absl::Seconds(60))) {
      Die(absl::StrCat(missing_, " watchers have seen nothing for a minute"));
    }
  }
  std::vector<double> Latencies() {
    absl::MutexLock lock(&mutex_);
    return latencies_us_;
  }

 private:
  absl::Mutex mutex_;
  int missing_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time start_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> latencies_us_ ABSL_GUARDED_BY(mutex_);
};

class Watcher final : public grpc::ClientReadReactor<pb::WatchClusterResponse> {
 public:
  Watcher(Stub& stub, const std::string& type, Arrivals& ready,
          Arrivals& arrivals)
      : ready_(ready), arrivals_(arrivals) {
    request_.set_type(type);
    stub.async()->WatchCluster(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (response_.snapshot().last()) ready_.Arrived();
    if (response_.has_change()) OnChange(response_.change());
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override { Check(status, "watch"); }

 private:
  // The first that shows another state; its version follows in a second one.
  void OnChange(const pb::ClusterChange& change) {
    const pb::ServerState state = change.server().state();
    if (std::exchange(state_, state) != state) arrivals_.Arrived();
  }

  Arrivals& ready_;
  Arrivals& arrivals_;
  pb::ServerState state_ = pb::SERVER_STATE_ACTIVE;
  grpc::ClientContext context_;
  pb::WatchClusterRequest request_;
  pb::WatchClusterResponse response_;
};

void Watch(const Options& options) {
  const auto stub = Connect(options);
  Register(*stub, options.type, options.first);
  Arrivals ready;
  Arrivals arrivals;
  ready.Expect(options.watchers);
  // A connection takes no more than --max-grpc-streams of them.
  constexpr int kWatchersOnOne = 1000;
  std::vector<std::unique_ptr<Stub>> stubs;
  // They are never destroyed: the process ends with its watches open.
  std::vector<Watcher*> watchers;
  for (int i = 0; i < options.watchers; ++i) {
    if (i % kWatchersOnOne == 0) stubs.push_back(Connect(options));
    watchers.push_back(
        new Watcher(*stubs.back(), options.type, ready, arrivals));
  }
  ready.Await();
  // Lets whoever measures look at the server's memory.
  std::printf("{\"watching\":%d}\n", options.watchers);
  std::fflush(stdout);
  const absl::Time start = absl::Now();
  pb::DrainServerRequest drain;
  drain.set_type(options.type);
  drain.set_server_id(absl::StrCat("node-", options.first));
  pb::UndrainServerRequest undrain;
  undrain.set_type(drain.type());
  undrain.set_server_id(drain.server_id());
  for (int i = 0; i < options.count; ++i) {
    arrivals.Expect(options.watchers);
    grpc::ClientContext context;
    if (i % 2 == 0) {
      pb::DrainServerResponse response;
      Check(stub->DrainServer(&context, drain, &response), "drain");
    } else {
      pb::UndrainServerResponse response;
      Check(stub->UndrainServer(&context, undrain, &response), "undrain");
    }
    arrivals.Await();
  }
  Print(arrivals.Latencies(), absl::Now() - start);
}

}  // namespace
}  // namespace coord

int main(int argc, char** argv) {
  coord::Options options;
  CLI::App app("Drives the registry of a running clusterd.");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--address", options.address);
  app.add_option("--type", options.type);
  app.add_option("--clients", options.clients);
  app.add_option("--count", options.count, "registrations, or changes");
  app.add_option("--first", options.first, "number of the first server");
  app.add_option("--seconds", options.seconds);
  app.add_option("--watchers", options.watchers);
  auto* reg = app.add_subcommand("register", "register --count servers");
  auto* keep = app.add_subcommand("keepalive", "keep sessions alive");
  auto* watch = app.add_subcommand("watch", "see --count changes");
  CLI11_PARSE(app, argc, argv);

  if (reg->parsed()) coord::RegisterMany(options);
  if (keep->parsed()) coord::KeepAlive(options);
  if (watch->parsed()) coord::Watch(options);
  std::fflush(stdout);
  // gRPC's threads may still be on their way out of the last callback, which
  // the destructors of statics would not survive.
  std::_Exit(0);
}
