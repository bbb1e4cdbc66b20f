// Drives fan-outs against a running clusterd over real gRPC, with a fixed
// number of calls in flight, and prints one JSON line: calls, seconds, latency
// percentiles, and how many answers had how many results.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "mimik/cluster/v1/registry_service.grpc.pb.h"
#include "tests/bench/fan_out_client.h"

namespace coord {
namespace {

using mimik::cluster::v1::RegisterServerRequest;
using mimik::cluster::v1::RegisterServerResponse;
using mimik::cluster::v1::RegistryService;

struct Options {
  FanOutTarget target;
  std::vector<std::string> base_urls;  // to be registered first
  int concurrency = 1;
  double seconds = 4;
  double warmup_seconds = 0.5;
  std::int64_t calls = 0;  // instead of seconds
};

void Register(const Options& options,
              const std::shared_ptr<grpc::Channel>& channel) {
  auto stub = RegistryService::NewStub(channel);
  for (std::size_t i = 0; i < options.base_urls.size(); ++i) {
    RegisterServerRequest request;
    request.mutable_server()->set_type(options.target.type);
    request.mutable_server()->set_server_id(absl::StrCat("node-", i));
    request.mutable_server()->set_cluster_base_url(options.base_urls[i]);
    request.mutable_ttl()->set_seconds(3600);
    request.set_wait(true);
    grpc::ClientContext context;
    RegisterServerResponse response;
    const grpc::Status status =
        stub->RegisterServer(&context, request, &response);
    if (status.ok()) continue;
    std::fprintf(stderr, "register %s: %s\n", options.base_urls[i].c_str(),
                 status.error_message().c_str());
    std::exit(1);
  }
}

// Keeps `concurrency` calls in flight until told to stop.
class Load {
 public:
  Load(const Options& options, FanOutClient& client)
      : options_(options), client_(client) {}

  void Run() {
    start_ = absl::Now();
    measured_from_ = start_ + absl::Seconds(options_.warmup_seconds);
    end_ = options_.calls > 0
               ? absl::InfiniteFuture()
               : measured_from_ + absl::Seconds(options_.seconds);
    if (options_.calls > 0) measured_from_ = start_;
    {
      absl::MutexLock lock(&mutex_);
      running_ = options_.concurrency;
    }
    for (int i = 0; i < options_.concurrency; ++i) StartCall();
    absl::MutexLock lock(&mutex_);
    auto all_ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return running_ == 0;
    };
    mutex_.Await(absl::Condition(&all_ended));
  }

  void Print() {
    absl::MutexLock lock(&mutex_);
    std::sort(latencies_us_.begin(), latencies_us_.end());
    const double seconds = absl::ToDoubleSeconds(last_end_ - measured_from_);
    std::string results;
    for (const auto& [count, answers] : answers_by_results_) {
      absl::StrAppend(&results, results.empty() ? "" : ",", "\"", count,
                      "\":", answers);
    }
    std::printf(
        "{\"calls\":%zu,\"seconds\":%.3f,\"calls_per_second\":%.1f,"
        "\"p50_us\":%.0f,\"p99_us\":%.0f,\"p999_us\":%.0f,\"max_us\":%.0f,"
        "\"errors\":%lld,\"late\":%lld,\"answers_by_results\":{%s}}\n",
        latencies_us_.size(), seconds,
        static_cast<double>(latencies_us_.size()) / seconds, Percentile(0.5),
        Percentile(0.99), Percentile(0.999), Percentile(1.0),
        static_cast<long long>(errors_), static_cast<long long>(late_),
        results.c_str());
  }

 private:
  void StartCall() {
    client_.Start([this](const FanOutClient::Call& call,
                         const grpc::Status& status) { Ended(call, status); });
  }

  void Ended(const FanOutClient::Call& call, const grpc::Status& status) {
    const absl::Time now = absl::Now();
    bool again = false;
    {
      absl::MutexLock lock(&mutex_);
      ++ended_;
      if (call.start >= measured_from_) Record(call, status, now);
      again = options_.calls > 0 ? ended_ + running_ - 1 < options_.calls
                                 : now < end_;
      if (!again) --running_;
    }
    if (again) StartCall();
  }

  void Record(const FanOutClient::Call& call, const grpc::Status& status,
              absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    last_end_ = now;
    if (!status.ok()) {
      ++errors_;
      if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) ++late_;
      return;
    }
    latencies_us_.push_back(absl::ToDoubleMicroseconds(now - call.start));
    ++answers_by_results_[call.response.results_size()];
  }

  double Percentile(double p) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (latencies_us_.empty()) return 0;
    const auto last = static_cast<double>(latencies_us_.size() - 1);
    return latencies_us_[static_cast<std::size_t>(p * last)];
  }

  const Options& options_;
  FanOutClient& client_;
  absl::Time start_;
  absl::Time measured_from_;
  absl::Time end_;

  absl::Mutex mutex_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t ended_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t errors_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t late_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_end_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> latencies_us_ ABSL_GUARDED_BY(mutex_);
  std::map<int, std::int64_t> answers_by_results_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace
}  // namespace coord

int main(int argc, char** argv) {
  coord::Options options;
  CLI::App app("Drives fan-outs against a running clusterd.");
  options.target.AddOptionsTo(app);
  app.add_option("--register", options.base_urls, "base URLs of servers");
  app.add_option("--concurrency", options.concurrency);
  app.add_option("--seconds", options.seconds);
  app.add_option("--warmup_seconds", options.warmup_seconds);
  app.add_option("--calls", options.calls, "this many calls, not a time");
  CLI11_PARSE(app, argc, argv);

  coord::FanOutClient client(options.target);
  coord::Register(options, client.channel());
  if (options.seconds <= 0 && options.calls == 0) return 0;
  coord::Load load(options, client);
  load.Run();
  load.Print();
  coord::Quit();
}
