// What reaches a process late, twice or in another order than it happened:
// answers of the authority, joins and leaves of peers. Repeat a history with
// COORD_TEST_SEED.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/membership.h"
#include "tests/support/seeded_test.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

using Servers = std::map<std::string, Server>;

constexpr int kObservers = 3;
constexpr int kIds = 9;
constexpr std::size_t kTinyLog = 3;

Servers ServersOf(const ClusterSnapshot& snapshot) {
  Servers servers;
  for (const ServerPtr& server : snapshot.servers) {
    servers.emplace(server->server_id, *server);
  }
  return servers;
}

std::vector<Server> ListOf(const Servers& servers) {
  std::vector<Server> list;
  list.reserve(servers.size());
  for (const auto& [id, server] : servers) list.push_back(server);
  return list;
}

// The rules of one table, told by counting what happened.
class Model {
 public:
  int Mark() const { return events_; }

  void Answer(const Servers& list, int mark, const std::set<std::string>& held,
              absl::Time now) {
    ++events_;
    for (const auto& [id, server] : Servers(servers_)) {
      if (list.contains(id) || held.contains(id) || said_at_[id] > mark) {
        continue;
      }
      Leave(id, now);
    }
    for (const auto& [id, server] : list) {
      if (said_at_[id] <= mark || Newer(server)) Set(server);
    }
  }
  void Join(const std::vector<Server>& list,
            const std::set<std::string>& held) {
    ++events_;
    for (const Server& server : list) {
      if (!held.contains(server.server_id) && Newer(server)) Set(server);
    }
  }
  void Leave(const std::string& id, absl::Time now) {
    ++events_;
    const auto it = servers_.find(id);
    if (it == servers_.end()) return;
    graves_[id] = {it->second.update_time, now};
    said_at_[id] = events_;
    servers_.erase(it);
  }
  void Forget(absl::Time before) {
    std::erase_if(graves_, [&](const auto& grave) {
      if (grave.second.dug > before) return false;
      said_at_.erase(grave.first);
      return true;
    });
  }

  const Servers& servers() const { return servers_; }

 private:
  struct Grave {
    absl::Time date;
    absl::Time dug;
  };

  // Strictly newer than the record that is or was there.
  bool Newer(const Server& server) const {
    const std::string& id = server.server_id;
    if (const auto it = servers_.find(id); it != servers_.end()) {
      return server.update_time > it->second.update_time;
    }
    const auto grave = graves_.find(id);
    return grave == graves_.end() || server.update_time > grave->second.date;
  }
  void Set(const Server& server) {
    const std::string& id = server.server_id;
    graves_.erase(id);
    const auto it = servers_.find(id);
    if (it != servers_.end() && it->second == server) return;
    servers_.insert_or_assign(id, server);
    said_at_[id] = events_;
  }

  int events_ = 0;
  Servers servers_;
  std::map<std::string, Grave> graves_;
  std::map<std::string, int> said_at_;
};

// Builds its view from events alone, by a log that it often falls out of.
class Follower {
 public:
  explicit Follower(Membership& membership) : membership_(membership) {
    Open("");
  }

  void Read(int most) {
    while (most-- > 0) {
      const WatchEvent event = watch_->Next();
      if (event.kind == WatchEvent::Kind::kNothing) return;
      if (event.kind == WatchEvent::Kind::kReset) {
        servers_.reset();
        continue;
      }
      if (event.kind == WatchEvent::Kind::kSnapshot) {
        ASSERT_GE(event.revision, revision_);
        servers_ =
            event.snapshot == nullptr ? Servers() : ServersOf(*event.snapshot);
      } else {
        ASSERT_GT(event.revision, revision_);
        Apply(event.change);
      }
      revision_ = event.revision;
    }
  }
  // Loses its connection and comes back with what it was given last.
  void ComeBack() {
    const std::string token = watch_->resume_token();
    if (token.empty()) servers_.reset();
    Open(token);
  }
  void CheckAgainst(const ClusterSnapshot& truth) const {
    if (!servers_ || revision_ != truth.revision) return;
    ASSERT_EQ(*servers_, ServersOf(truth));
  }
  std::int64_t revision() const { return revision_; }

 private:
  void Open(const std::string& token) {
    watch_ = *membership_.OpenWatch("", kCluster.id, token, [] {});
  }
  void Apply(const Change& change) {
    ASSERT_TRUE(servers_.has_value());
    const std::string& id = change.server->server_id;
    switch (change.type) {
      case ChangeType::kJoined:
        ASSERT_TRUE(servers_->emplace(id, *change.server).second);
        break;
      case ChangeType::kUpdated:
        ASSERT_TRUE(servers_->contains(id));
        servers_->insert_or_assign(id, *change.server);
        break;
      case ChangeType::kLeft:
      case ChangeType::kEvicted:
        ASSERT_EQ(servers_->erase(id), 1u);
        break;
    }
  }

  Membership& membership_;
  std::unique_ptr<Watch> watch_;
  std::optional<Servers> servers_;
  std::int64_t revision_ = 0;
};

struct Observer {
  Membership membership{{.limits = {.changes = kTinyLog}}, "life"};
  Model model;
  std::set<std::string> held;
  Follower follower{membership};
  // What is on its way to it.
  std::vector<std::function<void()>> mail;
};

class DisorderTest : public ::testing::Test, public SeededTest {
 protected:
  DisorderTest() {
    for (int i = 0; i < kObservers; ++i) {
      // Each holds two servers, from the beginning to the end.
      for (int n = 0; n < 2; ++n) {
        const std::string id = absl::StrCat("s", 2 * i + n);
        observers_[i].held.insert(id);
        observers_[i].membership.SetHeld({kCluster.id, id}, true);
        Write(id);
      }
      Ask(observers_[i]);
      Deliver(observers_[i], 0);
    }
  }

  std::string AnyId() { return absl::StrCat("s", Draw(kIds)); }
  Observer& AnyObserver() { return observers_[Draw(kObservers)]; }

  void Write(const std::string& id) { authority_[id] = Record(id, ++date_); }

  // The authority reads its list some time after the request was sent, and the
  // answer arrives some time after that.
  void Ask(Observer& observer) {
    const std::int64_t mark = observer.membership.Mark();
    const int model_mark = observer.model.Mark();
    if (Draw(2) == 0) Write(absl::StrCat("s", kIds - 1));
    observer.mail.push_back(
        [this, &observer, mark, model_mark, list = authority_] {
          observer.membership.Replace(kCluster, ListOf(list), mark, now_);
          observer.model.Answer(list, model_mark, observer.held, now_);
        });
  }
  // Everybody's list, to everybody else.
  void Announce(const Observer& sender) {
    const auto cluster = sender.membership.Snapshot("", kCluster.id);
    if (!cluster.ok()) return;
    for (Observer& observer : observers_) {
      if (&observer == &sender) continue;
      observer.mail.push_back(
          [this, &observer, list = ListOf(ServersOf(**cluster))] {
            observer.membership.MergeJoin(kCluster.id, list, now_);
            observer.model.Join(list, observer.held);
          });
    }
  }
  void AnnounceLeave(const std::string& id) {
    for (Observer& observer : observers_) {
      observer.mail.push_back([this, &observer, id] {
        observer.membership.MergeLeave(kCluster.id, id, now_);
        if (!observer.held.contains(id)) observer.model.Leave(id, now_);
      });
    }
  }
  void Deliver(Observer& observer, int which) {
    const auto it = observer.mail.begin() + which;
    const std::function<void()> open = *it;
    // Some of it comes twice.
    if (Draw(10) != 0) observer.mail.erase(it);
    open();
  }

  void Step() {
    switch (Draw(10)) {
      case 0:
        return Write(AnyId());
      case 1: {
        // Those that are held stay at the authority, but for a moment.
        const std::string id = AnyId();
        authority_.erase(id);
        return AnnounceLeave(id);
      }
      case 2:
        return AnnounceLeave(AnyId());  // a lie
      case 3:
        return Announce(AnyObserver());
      case 4:
      case 5:
        return Ask(AnyObserver());
      case 6: {
        now_ += absl::Minutes(Draw(8));
        for (Observer& observer : observers_) {
          observer.membership.Expire(now_);
          observer.model.Forget(now_ - absl::Minutes(10));
        }
        return;
      }
      default: {
        Observer& observer = AnyObserver();
        const int letters = static_cast<int>(observer.mail.size());
        if (letters > 0) Deliver(observer, Draw(letters));
      }
    }
  }
  void Check(Observer& observer) {
    const auto truth = observer.membership.Snapshot("", kCluster.id);
    ASSERT_TRUE(truth.ok()) << truth.status();
    ASSERT_EQ(ServersOf(**truth), observer.model.servers());
    if (Draw(20) == 0) observer.follower.ComeBack();
    observer.follower.Read(Draw(4));
    observer.follower.CheckAgainst(**truth);
  }

  absl::Time now_ = At(0);
  int date_ = 0;
  Servers authority_;
  std::array<Observer, kObservers> observers_;
};

TEST_P(DisorderTest, AllAgreeWithTheAuthorityAfterTheLastRefresh) {
  SCOPED_TRACE(absl::StrCat("COORD_TEST_SEED=", Seed()));
  for (int step = 0; step < 1'000; ++step) {
    Step();
    for (Observer& observer : observers_) Check(observer);
    if (HasFatalFailure()) FAIL() << "after step " << step;
  }
  // What is held is registered again, as its owner does when it is contested.
  for (const Observer& observer : observers_) {
    for (const std::string& id : observer.held) Write(id);
  }
  for (Observer& observer : observers_) {
    while (!observer.mail.empty()) Deliver(observer, 0);
  }
  for (Observer& observer : observers_) {
    observer.membership.Replace(kCluster, ListOf(authority_),
                                observer.membership.Mark(), now_);
    const SnapshotPtr truth = *observer.membership.Snapshot("", kCluster.id);
    EXPECT_EQ(ServersOf(*truth), authority_);
    observer.follower.Read(1'000);
    EXPECT_EQ(observer.follower.revision(), truth->revision);
    observer.follower.CheckAgainst(*truth);
  }
}

TEST_P(DisorderTest, PeersChangeNothingThatIsHeldNorBringTheDeadBack) {
  SCOPED_TRACE(absl::StrCat("COORD_TEST_SEED=", Seed()));
  Observer& observer = observers_[0];
  std::map<std::string, absl::Time> graves;
  for (int step = 0; step < 1'000; ++step) {
    const Servers before =
        ServersOf(**observer.membership.Snapshot("", kCluster.id));
    // Lists of any age, and leaves of anybody.
    if (Draw(3) > 0) {
      std::vector<Server> list;
      for (int n = Draw(kIds); n > 0; --n) {
        list.push_back(Record(AnyId(), Draw(1'000)));
      }
      observer.membership.MergeJoin(kCluster.id, list, now_);
    } else {
      observer.membership.MergeLeave(kCluster.id, AnyId(), now_);
    }
    const Servers after =
        ServersOf(**observer.membership.Snapshot("", kCluster.id));
    for (const std::string& id : observer.held) {
      ASSERT_EQ(after.at(id), before.at(id)) << "after step " << step;
    }
    for (const auto& [id, server] : before) {
      if (!after.contains(id)) graves[id] = server.update_time;
    }
    for (const auto& [id, server] : after) {
      const auto grave = graves.find(id);
      if (before.contains(id) || grave == graves.end()) continue;
      ASSERT_GT(server.update_time, grave->second) << "after step " << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, DisorderTest, ::testing::Range(1, 21));

}  // namespace
}  // namespace coord
