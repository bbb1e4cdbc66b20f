// Every expected server is accounted for exactly once, however the membership
// changes meanwhile.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/watcher.h"

namespace coord {
namespace {

constexpr int kCalls = 10'000;
constexpr int kCallers = 4;
constexpr int kComingAndGoing = 8;

using Ids = std::set<std::string>;

struct Answer {
  std::int64_t revision = 0;
  std::vector<std::string> ids;  // of results, failures and skipped

  explicit Answer(const pb::FanOutResponse& response)
      : revision(response.revision()) {
    for (const auto& node : response.results()) ids.push_back(node.server_id());
    for (const auto& node : response.failures()) {
      ids.push_back(node.server_id());
    }
    for (const auto& node : response.skipped()) ids.push_back(node.server_id());
  }
};

// Follows a cluster from its first snapshot on; every message is kept.
class Recorder {
 public:
  explicit Recorder(pb::RegistryService::Stub& stub)
      : watcher_(stub, "mTest"), first_(watcher_.Next().snapshot()) {
    thread_ = std::thread([this] {
      for (;;) {
        pb::WatchClusterResponse message = watcher_.NextEvent();
        if (message.event_case() == pb::WatchClusterResponse::EVENT_NOT_SET) {
          return;
        }
        messages_.push_back(std::move(message));
        revision_ = messages_.back().change().revision();
      }
    });
  }

  // Waits for the change that led to `revision`, or the end of the stream.
  void StopAfter(std::int64_t revision) {
    while (revision_ < revision) std::this_thread::yield();
    watcher_.Cancel();
    thread_.join();
  }

  const pb::ClusterSnapshot& first() const { return first_; }
  const std::vector<pb::WatchClusterResponse>& messages() const {
    return messages_;
  }

 private:
  Watcher watcher_;
  const pb::ClusterSnapshot first_;
  std::vector<pb::WatchClusterResponse> messages_;
  std::atomic<std::int64_t> revision_ = 0;
  std::thread thread_;
};

void Apply(const pb::ClusterChange& change, Ids& members) {
  const std::string& id = change.server().server_id();
  switch (change.type()) {
    case pb::CHANGE_TYPE_JOINED:
      EXPECT_TRUE(members.insert(id).second) << id << " joined twice";
      break;
    case pb::CHANGE_TYPE_LEFT:
    case pb::CHANGE_TYPE_EVICTED:
      EXPECT_EQ(members.erase(id), 1u) << id << " left and was no member";
      break;
    default:
      EXPECT_TRUE(members.contains(id)) << id << " changed and is no member";
  }
}

Config RoomyLog() {
  Config config = TestConfig();
  // So that the recorder is never reset, however slow it is.
  config.membership.limits.changes = 1'000'000;
  config.membership.limits.change_bytes = 1 << 30;
  return config;
}

class AccountingTest : public ClusterTest {
 protected:
  AccountingTest() : ClusterTest(RoomyLog()) {
    AddNode("always");
    for (int i = 0; i < kComingAndGoing; ++i) AddNode(absl::StrCat("node-", i));
    // Nobody lives here: a failure until it is evicted, and again once it is
    // back.
    base_urls_.push_back("http://127.0.0.1:1");
    for (int i = 0; i < kComingAndGoing; ++i) {
      base_urls_.push_back(nodes_[i + 1]->base_url());
    }
  }

  std::string IdOf(std::size_t i) const {
    return i == 0 ? "dead" : absl::StrCat("node-", i - 1);
  }

  // Lets servers leave, come back and drain until there were enough calls.
  void Churn() {
    for (std::size_t i = 0; !enough_; i = (i + 1) % base_urls_.size()) {
      Unregister(IdOf(i)).status().IgnoreError();
      const std::size_t other = (i + base_urls_.size() / 2) % base_urls_.size();
      Register(Registration(IdOf(other), base_urls_[other], false))
          .status()
          .IgnoreError();
      pb::DrainServerRequest drain;
      drain.set_type("mTest");
      drain.set_server_id(IdOf((other + 1) % base_urls_.size()));
      pb::DrainServerResponse drained;
      Do(&pb::RegistryService::Stub::DrainServer, drain, &drained)
          .IgnoreError();
    }
  }

  std::vector<Answer> CallMany(int calls) {
    std::vector<Answer> answers;
    pb::FanOutRequest request = GetCall("/info");
    request.mutable_retry()->set_max_attempts(1);
    for (int i = 0; i < calls; ++i) {
      const auto response = FanOut(request);
      EXPECT_TRUE(response.ok()) << response.status();
      if (!response.ok()) return answers;
      answers.emplace_back(*response);
      EXPECT_EQ(response->expected_count(),
                static_cast<int>(answers.back().ids.size()));
    }
    return answers;
  }

  std::vector<std::string> base_urls_;
  std::atomic<bool> enough_ = false;
};

TEST_F(AccountingTest, EveryServerOfTheRevisionOnce) {
  Recorder recorder(*registry_);
  std::thread churn([this] { Churn(); });
  std::vector<std::vector<Answer>> answers_of(kCallers);
  std::vector<std::thread> callers;
  callers.reserve(kCallers);
  for (std::vector<Answer>& answers : answers_of) {
    callers.emplace_back(
        [this, &answers] { answers = CallMany(kCalls / kCallers); });
  }
  for (std::thread& caller : callers) caller.join();
  enough_ = true;
  churn.join();

  std::vector<Answer> answers;
  for (std::vector<Answer>& some : answers_of) {
    std::move(some.begin(), some.end(), std::back_inserter(answers));
  }
  ASSERT_EQ(answers.size(), static_cast<std::size_t>(kCalls));
  std::sort(
      answers.begin(), answers.end(),
      [](const Answer& a, const Answer& b) { return a.revision < b.revision; });
  recorder.StopAfter(answers.back().revision);

  // Plays the recording again, and looks at each answer when its revision is
  // reached.
  Ids members;
  for (const pb::Server& server : recorder.first().servers()) {
    members.insert(server.server_id());
  }
  ASSERT_TRUE(recorder.first().last());
  std::int64_t revision = recorder.first().cluster().revision();
  auto message = recorder.messages().begin();
  std::set<std::int64_t> revisions;
  for (const Answer& answer : answers) {
    while (revision < answer.revision) {
      ASSERT_TRUE(message != recorder.messages().end());
      ASSERT_TRUE(message->has_change());
      Apply(message->change(), members);
      revision = message->change().revision();
      ++message;
    }
    ASSERT_EQ(revision, answer.revision);
    const Ids ids(answer.ids.begin(), answer.ids.end());
    ASSERT_EQ(ids.size(), answer.ids.size()) << "a server is told twice";
    ASSERT_EQ(ids, members) << "at revision " << revision;
    revisions.insert(revision);
  }
  EXPECT_GT(revisions.size(), 10u) << "the membership hardly changed";
}

}  // namespace
}  // namespace coord
