// Drives the registry of a running clusterd over real gRPC and prints one JSON
// line for each run: registrations, keep-alives, changes seen by watchers,
// pages of lists, or sessions that end.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
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
#include "mimik/cluster/v1/fan_out_service.grpc.pb.h"
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
  // Of the servers, which then are at addresses of `nodes` and probed.
  int port = 0;
  std::string local_base_url;  // of a single server
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

std::string NodeUrl(int number, int port) {
  return absl::StrCat("http://127.0.", 1 + number / 250, ".", 1 + number % 250,
                      ":", port);
}

std::string Register(Stub& stub, pb::RegisterServerRequest request) {
  request.set_wait(true);
  grpc::ClientContext context;
  pb::RegisterServerResponse response;
  Check(stub.RegisterServer(&context, request, &response), "register");
  return response.registration().session_id();
}

std::string Register(Stub& stub, const Options& options, int number) {
  pb::RegisterServerRequest request;
  request.mutable_server()->set_type(options.type);
  if (!options.local_base_url.empty()) {
    request.mutable_server()->set_server_id("local");
    request.set_local_base_url(options.local_base_url);
    return Register(stub, request);
  }
  if (options.port != 0) {
    request.mutable_server()->set_server_id(absl::StrCat("probed-", number));
    request.mutable_server()->set_cluster_base_url(
        NodeUrl(number, options.port));
    return Register(stub, request);
  }
  request.mutable_server()->set_server_id(absl::StrCat("node-", number));
  request.mutable_server()->set_cluster_base_url(
      absl::StrCat("http://10.", number >> 16 & 255, ".", number >> 8 & 255,
                   ".", number & 255, ":8080/api"));
  request.mutable_ttl()->set_seconds(24 * 3600);
  return Register(stub, request);
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
      "\"p99_us\":%.0f,\"p99_9_us\":%.0f,\"max_us\":%.0f}\n",
      latencies_us.size(), seconds,
      static_cast<double>(latencies_us.size()) / seconds,
      Percentile(latencies_us, 0.5), Percentile(latencies_us, 0.99),
      Percentile(latencies_us, 0.999), Percentile(latencies_us, 1));
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
      Register(*stub, options, number);
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
    request.set_session_id(Register(*stub, options, next++));
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
  Register(*stub, options, options.first);
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

// Reads all servers and all registrations of a type, page by page and again and
// again.
void Page(const Options& options) {
  Run(options, [&] {
    const auto stub = Connect(options);
    const absl::Time end = absl::Now() + absl::Seconds(options.seconds);
    std::vector<double> latencies;
    pb::ListServersRequest servers;
    servers.set_type(options.type);
    servers.set_page_size(1000);
    pb::ListRegistrationsRequest registrations;
    registrations.set_type(options.type);
    registrations.set_page_size(1000);
    for (bool turn = false; absl::Now() < end; turn = !turn) {
      const absl::Time start = absl::Now();
      grpc::ClientContext context;
      if (turn) {
        pb::ListServersResponse page;
        Check(stub->ListServers(&context, servers, &page), "list servers");
        servers.set_page_token(page.next_page_token());
      } else {
        pb::ListRegistrationsResponse page;
        Check(stub->ListRegistrations(&context, registrations, &page),
              "list registrations");
        registrations.set_page_token(page.next_page_token());
      }
      latencies.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
    }
    return latencies;
  });
}

// When the members of a type left.
class Departures {
 public:
  Departures(const Options& options, Stub& stub) {
    pb::WatchClusterRequest request;
    request.set_type(options.type);
    reader_ = stub.WatchCluster(&context_, request);
    thread_ = std::thread([this] { Read(); });
  }
  ~Departures() {
    context_.TryCancel();
    thread_.join();
  }

  std::map<std::string, absl::Time> Seen() {
    absl::MutexLock lock(&mutex_);
    return left_;
  }

 private:
  void Read() {
    pb::WatchClusterResponse response;
    while (reader_->Read(&response)) {
      const pb::ClusterChange& change = response.change();
      if (change.type() != pb::CHANGE_TYPE_EVICTED) continue;
      absl::MutexLock lock(&mutex_);
      left_.emplace(change.server().server_id(), absl::Now());
    }
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<pb::WatchClusterResponse>> reader_;
  absl::Mutex mutex_;
  std::map<std::string, absl::Time> left_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// Opens sessions that nobody keeps alive, ten a second. The latency is how long
// after its ttl the end of each is told to a watcher; one that does not end at
// all counts as it is at the end.
void End(const Options& options) {
  constexpr absl::Duration kTtl = absl::Seconds(2);
  const auto stub = Connect(options);
  Departures departures(options, *stub);
  std::map<std::string, absl::Time> due;
  const absl::Time end = absl::Now() + absl::Seconds(options.seconds);
  const absl::Time start = absl::Now();
  pb::RegisterServerRequest request;
  request.mutable_server()->set_type(options.type);
  request.mutable_ttl()->set_seconds(absl::ToInt64Seconds(kTtl));
  while (absl::Now() + kTtl + absl::Seconds(1) < end) {
    const std::string id = absl::StrCat("ends-", due.size());
    request.mutable_server()->set_server_id(id);
    request.mutable_server()->set_cluster_base_url("http://127.0.0.1/" + id);
    Register(*stub, request);
    due[id] = absl::Now() + kTtl;
    absl::SleepFor(absl::Milliseconds(100));
  }
  absl::SleepFor(end - absl::Now());
  std::map<std::string, absl::Time> seen = departures.Seen();
  std::vector<double> late_us;
  for (const auto& [id, expiry] : due) {
    const absl::Time left = seen.contains(id) ? seen[id] : absl::Now();
    late_us.push_back(absl::ToDoubleMicroseconds(left - expiry));
  }
  Print(std::move(late_us), absl::Now() - start);
}

// Calls `count` probed servers once; those that are dead become suspects.
void Call(const Options& options) {
  const auto stub = pb::FanOutService::NewStub(
      grpc::CreateChannel(options.address, grpc::InsecureChannelCredentials()));
  pb::FanOutRequest request;
  request.set_type(options.type);
  request.mutable_http()->set_path("/answer");
  for (int i = 0; i < options.count; ++i) {
    request.mutable_selection()->add_server_ids(absl::StrCat("probed-", i));
  }
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  pb::FanOutResponse response;
  const absl::Time start = absl::Now();
  Check(stub->FanOut(&context, request, &response), "fan out");
  Print({absl::ToDoubleMicroseconds(absl::Now() - start)}, absl::Now() - start);
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
  app.add_option("--port", options.port, "register servers of nodes, probed");
  app.add_option("--local-base-url", options.local_base_url);
  auto* reg = app.add_subcommand("register", "register --count servers");
  auto* keep = app.add_subcommand("keepalive", "keep sessions alive");
  auto* watch = app.add_subcommand("watch", "see --count changes");
  auto* page = app.add_subcommand("page", "page through lists");
  auto* end = app.add_subcommand("end", "open sessions that end");
  auto* call = app.add_subcommand("call", "call --count probed servers once");
  CLI11_PARSE(app, argc, argv);

  if (reg->parsed()) coord::RegisterMany(options);
  if (keep->parsed()) coord::KeepAlive(options);
  if (watch->parsed()) coord::Watch(options);
  if (page->parsed()) coord::Page(options);
  if (end->parsed()) coord::End(options);
  if (call->parsed()) coord::Call(options);
  std::fflush(stdout);
  // gRPC's threads may still be on their way out of the last callback, which
  // the destructors of statics would not survive.
  std::_Exit(0);
}
