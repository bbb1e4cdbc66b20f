// Random histories against a model that is too simple to be wrong.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/membership.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

using Servers = std::map<std::string, Server>;

Servers ServersOf(const SnapshotPtr& snapshot) {
  Servers servers;
  if (snapshot == nullptr) return servers;
  for (const ServerPtr& server : snapshot->servers) {
    servers.emplace(server->server_id, *server);
  }
  return servers;
}

// Builds its view of a cluster from events alone, as a client does.
class Follower {
 public:
  Follower(Membership& membership, std::string_view token)
      : watch_(*membership.OpenWatch("mTest", "", token, [] {})) {}

  // Takes up to `most` events.
  void Take(int most) {
    for (int i = 0; i < most; ++i) {
      const WatchEvent event = watch_->Next();
      switch (event.kind) {
        case WatchEvent::Kind::kNothing:
          return;
        case WatchEvent::Kind::kReset:
          servers_.reset();
          break;
        case WatchEvent::Kind::kSnapshot:
          ASSERT_FALSE(servers_) << "a snapshot that nothing announced";
          servers_ = ServersOf(event.snapshot);
          revision_ = event.revision;
          break;
        case WatchEvent::Kind::kChange:
          Apply(event);
          break;
      }
    }
  }

  // Goes on with a new watch from where the old one stood.
  void Reconnect(Membership& membership) {
    const std::string token = watch_->resume_token();
    if (token.empty()) servers_.reset();
    watch_ = *membership.OpenWatch("mTest", "", token, [] {});
  }

  const std::optional<Servers>& servers() const { return servers_; }
  std::int64_t revision() const { return revision_; }

 private:
  void Apply(const WatchEvent& event) {
    ASSERT_TRUE(servers_) << "a change of nothing";
    ASSERT_GT(event.revision, revision_);
    revision_ = event.revision;
    const std::string& id = event.change.server->server_id;
    switch (event.change.type) {
      case ChangeType::kJoined:
        ASSERT_TRUE(servers_->emplace(id, *event.change.server).second);
        break;
      case ChangeType::kUpdated:
        ASSERT_TRUE(servers_->contains(id));
        ASSERT_NE(servers_->at(id), *event.change.server);
        servers_->insert_or_assign(id, *event.change.server);
        break;
      case ChangeType::kLeft:
      case ChangeType::kEvicted:
        ASSERT_EQ(servers_->at(id), *event.change.server);
        servers_->erase(id);
        break;
    }
  }

  std::unique_ptr<Watch> watch_;
  std::optional<Servers> servers_;  // nullopt: to be told
  std::int64_t revision_ = 0;
};

// The rules of announcements and answers, told by date alone.
class Model {
 public:
  void Answer(const std::vector<Server>& list) {
    for (const auto& [id, server] : servers_) Bury(server);
    servers_.clear();
    for (const Server& server : list) Set(server);
  }
  void Join(const Server& server) {
    auto it = servers_.find(server.server_id);
    if (it != servers_.end() && server.update_time <= it->second.update_time) {
      return;
    }
    auto grave = graves_.find(server.server_id);
    if (it == servers_.end() && grave != graves_.end() &&
        server.update_time <= grave->second) {
      return;
    }
    Set(server);
  }
  void Leave(const std::string& id) {
    if (!servers_.contains(id)) return;
    Bury(servers_.at(id));
    servers_.erase(id);
  }
  const Servers& servers() const { return servers_; }

 private:
  void Set(const Server& server) {
    servers_.insert_or_assign(server.server_id, server);
    graves_.erase(server.server_id);
  }
  void Bury(const Server& server) {
    graves_[server.server_id] = server.update_time;
  }

  Servers servers_;
  std::map<std::string, absl::Time> graves_;
};

class HistoryTest : public ::testing::TestWithParam<int> {
 protected:
  int Draw(int below) {
    return std::uniform_int_distribution<int>(0, below - 1)(random_);
  }
  Server RandomRecord() { return Record(absl::StrCat("s", Draw(8)), Draw(20)); }
  std::vector<Server> RandomList() {
    Servers list;
    for (int n = Draw(8); n > 0; --n) {
      Server record = RandomRecord();
      list.emplace(record.server_id, record);
    }
    std::vector<Server> servers;
    servers.reserve(list.size());
    for (auto& [id, server] : list) servers.push_back(server);
    return servers;
  }
  void Step() {
    switch (Draw(4)) {
      case 0: {
        const auto list = RandomList();
        membership_.Replace(kCluster, list, membership_.Mark(), At(0));
        model_.Answer(list);
        break;
      }
      case 1: {
        const auto list = RandomList();
        if (membership_.MergeJoin("c1", list, At(0)).unknown_cluster) break;
        for (const Server& server : list) model_.Join(server);
        break;
      }
      case 2: {
        const std::string id = RandomRecord().server_id;
        membership_.MergeLeave("c1", id, At(0));
        model_.Leave(id);
        break;
      }
      case 3: {
        const Server record = RandomRecord();
        membership_.Remove({"c1", record.server_id}, ChangeType::kEvicted,
                           At(0));
        model_.Leave(record.server_id);
        break;
      }
    }
  }
  Servers Truth() {
    const auto snapshot = membership_.Snapshot("mTest", "");
    return snapshot.ok() ? ServersOf(*snapshot) : Servers();
  }

  std::mt19937 random_{static_cast<unsigned>(GetParam())};
  Membership membership_{{.limits = {.changes = 16}}, "life"};
  Model model_;
};

TEST_P(HistoryTest, TableFollowsTheRules) {
  SCOPED_TRACE(absl::StrCat("seed ", GetParam()));
  for (int step = 0; step < 2'000; ++step) {
    Step();
    ASSERT_EQ(Truth(), model_.servers()) << "after step " << step;
  }
}

TEST_P(HistoryTest, WatchersAlwaysAgreeWithTheSnapshotOfTheirRevision) {
  SCOPED_TRACE(absl::StrCat("seed ", GetParam()));
  std::map<std::int64_t, Servers> truth;
  std::vector<std::unique_ptr<Follower>> followers;
  for (int i = 0; i < 5; ++i) {
    followers.push_back(std::make_unique<Follower>(membership_, ""));
  }
  for (int step = 0; step < 2'000; ++step) {
    // One change at a time, so that the truth of every revision is known.
    const Server record = RandomRecord();
    if (Draw(3) == 0) {
      membership_.Apply(kCluster, Left(record), At(0));
    } else {
      membership_.Apply(kCluster, Joined(record), At(0));
    }
    if (Draw(5) == 0) {
      const Servers servers = Truth();
      const std::string id = RandomRecord().server_id;
      if (auto it = servers.find(id); it != servers.end()) {
        truth[(*membership_.Snapshot("mTest", ""))->revision] = servers;
        membership_.SetState({"c1", id}, it->second.version,
                             ServerState::kSuspected, At(0));
      }
    }
    truth[(*membership_.Snapshot("mTest", ""))->revision] = Truth();

    Follower& follower = *followers[Draw(5)];
    if (Draw(10) == 0) follower.Reconnect(membership_);
    follower.Take(Draw(30));
    if (HasFatalFailure()) return;
    if (follower.servers() && truth.contains(follower.revision())) {
      ASSERT_EQ(*follower.servers(), truth.at(follower.revision()))
          << "after step " << step;
    }
  }
  for (auto& follower : followers) {
    follower->Take(1'000);
    ASSERT_EQ(follower->servers(), Truth());
    ASSERT_EQ(follower->revision(), membership_.Mark());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, HistoryTest, ::testing::Range(1, 9));

}  // namespace
}  // namespace coord
