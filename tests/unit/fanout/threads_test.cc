// Calls that start and are given up on many threads at once.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "gtest/gtest.h"
#include "server/core/membership.h"
#include "server/fanout/engine.h"
#include "tests/support/fake_transport.h"
#include "tests/support/manual_loop.h"
#include "tests/support/plain_format.h"

namespace coord {
namespace {

// A lane whose thread answers whatever is sent.
class LaneThread {
 public:
  LaneThread() : thread_([this] { Run(); }) {}
  void Stop() {
    loop_.Post([this] { stopped_ = true; });
    thread_.join();
  }
  FanOutEngine::Lane lane() { return {&loop_, &transport_}; }

 private:
  void Run() {
    while (!stopped_) {
      loop_.WaitForPost();
      while (!transport_.requests.empty()) {
        const std::string id = transport_.requests[0].request.origin.host;
        transport_.Answer(200, absl::StrCat(R"({"data":1,"server":)",
                                            R"({"serverId":")", id, "\"}}"));
      }
    }
  }

  ManualLoop loop_;
  FakeTransport transport_{loop_};
  bool stopped_ = false;
  std::thread thread_;
};

class CountdownSink final : public FanOutSink {
 public:
  CountdownSink(int expected, absl::BlockingCounter& ends)
      : expected_(expected), ends_(ends) {}
  std::size_t OnOutcome(NodeOutcome) override {
    ++streamed_;
    return 0;
  }
  void OnDone(FanOutAnswer answer) override {
    EXPECT_EQ(answer.summary.expected, expected_);
    EXPECT_EQ(streamed_ + static_cast<int>(answer.outcomes.size()), expected_);
    ends_.DecrementCount();
  }
  void OnRefused(absl::Status status) override {
    ADD_FAILURE() << status;
    ends_.DecrementCount();
  }

 private:
  const int expected_;
  int streamed_ = 0;
  absl::BlockingCounter& ends_;
};

class AtomicObserver final : public FanOutObserver {
 public:
  void OnCallStarted() override { ++balance; }
  void OnCallEnded(const FanOutSummary&) override { --balance; }
  void OnCallRefused(const absl::Status&) override {}
  void OnCallWaited(absl::Duration) override {}
  void OnNodeOutcome(const NodeOutcome&) override { ++outcomes; }
  void OnRetry() override {}
  void OnHedge() override {}
  void OnHedgeWon() override {}
  std::atomic<int> balance = 0;
  std::atomic<int> outcomes = 0;
};

class NoSuspicions final : public SuspicionSink {
 public:
  void Suspect(const ClusterIdentity&, const ServerPtr& server) override {
    ADD_FAILURE() << server->server_id;
  }
  void Nameless(const ServerPtr& server) override {
    ADD_FAILURE() << server->server_id;
  }
};

class FreshKnowledge final : public KnowledgeSource {
 public:
  Knowledge Judge(const ClusterSnapshot&) override { return {}; }
};

TEST(FanOutThreadsTest, EveryCallEndsOnceWhereverItIsStartedAndCancelled) {
  constexpr int kThreads = 4;
  constexpr int kCallsPerThread = 200;
  constexpr int kNodes = 5;
  Membership membership({}, "test");
  std::vector<Server> servers;
  for (int i = 0; i < kNodes; ++i) {
    Server server;
    server.type = "mTest";
    server.server_id = absl::StrCat("n", i);
    server.cluster_base_url = absl::StrCat("http://n", i);
    servers.push_back(std::move(server));
  }
  membership.Replace({"c", "mTest", ""}, servers, membership.Mark(),
                     absl::UnixEpoch());
  AtomicObserver observer;
  NoSuspicions suspicions;
  FreshKnowledge knowledge;
  PlainFormat format;
  std::vector<std::unique_ptr<LaneThread>> lanes;
  lanes.push_back(std::make_unique<LaneThread>());
  lanes.push_back(std::make_unique<LaneThread>());
  FanOutEngine engine({}, {lanes[0]->lane(), lanes[1]->lane()}, membership,
                      nullptr, suspicions, knowledge, observer, format);

  absl::BlockingCounter ends(kThreads * kCallsPerThread);
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < kCallsPerThread; ++i) {
        FanOutCall call;
        call.type = "mTest";
        call.path = "/";
        auto handle =
            engine.Start(std::move(call),
                         i % 2 == 0 ? Delivery::kAtOnce : Delivery::kStreamed,
                         std::make_shared<CountdownSink>(kNodes, ends));
        if ((i + t) % 3 == 0) handle->Cancel();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  ends.Wait();
  for (const auto& lane : lanes) lane->Stop();
  EXPECT_EQ(engine.calls_in_flight(), 0);
  EXPECT_EQ(observer.balance, 0);
  EXPECT_EQ(observer.outcomes, kThreads * kCallsPerThread * kNodes);
}

}  // namespace
}  // namespace coord
