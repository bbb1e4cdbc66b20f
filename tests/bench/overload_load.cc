// Offers fan-outs to a running clusterd at a fixed rate, however many of them
// are answered, and prints one JSON line: how many were sent, how many of them
// were answered by every server within their deadline, and how many refused.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/bench/fan_out_client.h"

namespace coord {
namespace {

using mimik::cluster::v1::VERDICT_COMPLETE;

struct Options {
  FanOutTarget target{.deadline_ms = 1000};
  double rate = 1000;
  double seconds = 4;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), client_(options.target) {}

  // Starts what is due, once in a millisecond; what could not be started in
  // time is not caught up with.
  void Run() {
    constexpr absl::Duration kTick = absl::Milliseconds(1);
    const absl::Time start = absl::Now();
    const absl::Time end = start + absl::Seconds(options_.seconds);
    double due = 0;
    for (absl::Time tick = start; tick < end; tick += kTick) {
      absl::SleepFor(tick - absl::Now());
      due += options_.rate * absl::ToDoubleSeconds(kTick);
      for (; due >= 1; due -= 1) StartCall();
      if (absl::Now() > tick + 10 * kTick) tick = absl::Now();
    }
    seconds_ = absl::ToDoubleSeconds(absl::Now() - start);
    absl::MutexLock lock(&mutex_);
    auto all_ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return open_ == 0;
    };
    mutex_.Await(absl::Condition(&all_ended));
  }

  void Print() {
    absl::MutexLock lock(&mutex_);
    std::sort(latencies_us_.begin(), latencies_us_.end());
    const double p99 = latencies_us_.empty()
                           ? 0
                           : latencies_us_[latencies_us_.size() * 99 / 100];
    std::printf(
        "{\"offered_per_second\":%.1f,\"good_per_second\":%.1f,"
        "\"good_p99_us\":%.0f,\"good\":%zu,\"refused\":%lld,\"late\":%lld,"
        "\"incomplete\":%lld,\"other\":%lld}\n",
        static_cast<double>(sent_) / seconds_,
        static_cast<double>(latencies_us_.size()) / seconds_, p99,
        latencies_us_.size(), static_cast<long long>(refused_),
        static_cast<long long>(late_), static_cast<long long>(incomplete_),
        static_cast<long long>(other_));
  }

 private:
  void StartCall() {
    {
      absl::MutexLock lock(&mutex_);
      ++open_;
      ++sent_;
    }
    client_.Start([this](const FanOutClient::Call& call,
                         const grpc::Status& status) { Ended(call, status); });
  }

  void Ended(const FanOutClient::Call& call, const grpc::Status& status) {
    const absl::Time now = absl::Now();
    absl::MutexLock lock(&mutex_);
    --open_;
    if (status.ok()) {
      if (call.response.verdict() != VERDICT_COMPLETE) {
        ++incomplete_;
      } else {
        latencies_us_.push_back(absl::ToDoubleMicroseconds(now - call.start));
      }
    } else if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
      ++refused_;
    } else if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      ++late_;
    } else {
      ++other_;
    }
  }

  const Options& options_;
  FanOutClient client_;
  double seconds_ = 0;

  absl::Mutex mutex_;
  std::int64_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t sent_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t late_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t incomplete_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t other_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<double> latencies_us_ ABSL_GUARDED_BY(mutex_);  // of good ones
};

}  // namespace
}  // namespace coord

int main(int argc, char** argv) {
  coord::Options options;
  CLI::App app("Offers fan-outs to a running clusterd at a fixed rate.");
  options.target.AddOptionsTo(app);
  app.add_option("--rate", options.rate, "calls per second");
  app.add_option("--seconds", options.seconds);
  CLI11_PARSE(app, argc, argv);

  coord::Load load(options);
  load.Run();
  load.Print();
  coord::Quit();
}
