// The lives of a few registrations in random order: callers who register, keep
// alive and leave, an authority that is slow, fails or loses its answers,
// services that die, and others who remove what they should not. Repeat one
// with COORD_TEST_SEED.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "tests/support/seeded_test.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

constexpr int kServers = 3;
absl::Status Down() { return MakeError(Reason::kAuthorityUnavailable, "down"); }

class RegistrationPropertyTest : public NodeFixture, public SeededTest {
 protected:
  RegistrationPropertyTest() { registry_.automatic = false; }

  bool Chance(int percent) { return Draw(100) < percent; }
  std::string AnyId() { return absl::StrCat("s", Draw(kServers)); }

  // A callback that must be called once, and what it was called with.
  template <typename T>
  struct Call {
    std::optional<absl::StatusOr<T>> answer;
  };
  template <typename T>
  std::pair<std::shared_ptr<Call<T>>, std::function<void(absl::StatusOr<T>)>>
  Once() {
    const std::size_t index = calls_.size();
    calls_.push_back(0);
    auto call = std::make_shared<Call<T>>();
    return {call, [this, index, call](absl::StatusOr<T> answer) {
              ++calls_[index];
              call->answer = std::move(answer);
            }};
  }

  // --- callers ---------------------------------------------------------------

  // What a registration says tells in every request whose it is.
  RegisterCommand MarkedCommand(const std::string& id) {
    RegisterCommand command = Command(id, std::nullopt);
    if (Chance(70)) command.ttl = absl::Seconds(2 + Draw(60));
    command.server.location_json = absl::StrCat(++last_mark_);
    return command;
  }
  void NewIncarnation() {
    const std::string id = AnyId();
    const RegisterCommand command = MarkedCommand(id);
    auto [call, done] = Once<RegistrationView>();
    registrar_->Register(command, done);
    Settle();
    ASSERT_TRUE(call->answer.has_value());
    ASSERT_TRUE(call->answer->ok()) << call->answer->status();
    sessions_[id].push_back((*call->answer)->session_id);
    current_[id] = command.server.location_json;
  }
  // By any session there ever was; all but the current one are refused.
  void SameIncarnation() {
    const std::string id = AnyId();
    const std::vector<std::string>& sessions = sessions_[id];
    if (sessions.empty()) return;
    RegisterCommand command = MarkedCommand(id);
    command.session_id = sessions[Draw(static_cast<int>(sessions.size()))];
    if (Chance(50)) command.wait = absl::Seconds(Draw(30));
    auto [call, done] = Once<RegistrationView>();
    registrar_->Register(command, done);
    Settle();
    const bool refused = call->answer.has_value() && !call->answer->ok();
    if (command.session_id != sessions.back()) {
      ASSERT_TRUE(refused);
    }
    if (!refused) current_[id] = command.server.location_json;
  }
  void Unregister() {
    const std::string id = AnyId();
    const std::vector<std::string>& sessions = sessions_[id];
    RegistrationRef ref = Ref(id);
    if (!sessions.empty() && Chance(50)) {
      ref.session_id = sessions[Draw(static_cast<int>(sessions.size()))];
    }
    registrar_->Unregister(ref, Once<UnregisterAnswer>().second);
  }
  void SpeakForAll() {
    for (const auto& [id, sessions] : sessions_) {
      if (!sessions.empty()) {
        registrar_->KeepAlive(sessions.back(), Once<KeepAliveAnswer>().second);
      }
    }
  }

  // --- the world -------------------------------------------------------------

  std::map<std::string, Server>& Records() {
    return registry_.records["c-mTest"];
  }
  // Others remove a server, and tell us or don't.
  void RemoveByOthers() {
    const std::string id = AnyId();
    Records().erase(id);
    if (Chance(50)) registrar_->Contested(Key(id), Claim::kLeaveTold);
  }
  absl::StatusOr<Removal> Judge(const FakeRegistry::PendingRemove& removal) {
    const auto it = Records().find(removal.key.server_id);
    if (it == Records().end() || it->second.version == removal.evidence.seen) {
      return Removed{};
    }
    return NewerRecord{it->second};
  }
  void AnswerOne() {
    const bool fails = lossy_ && Chance(30);
    const bool lost = fails && Chance(50);
    if (!registry_.registers.empty()) {
      if (!fails && Chance(70)) {
        registry_.AnswerRegister();
      } else {
        if (lost) {
          const Server& wanted = registry_.registers.front().request.server;
          Server& record = Records()[wanted.server_id];
          record = wanted;
          record.version = {absl::StrCat("v", ++registry_.last_version)};
        }
        registry_.FailRegister(Down());
      }
    } else if (!registry_.unregisters.empty()) {
      if (lost) Records().erase(registry_.unregisters.front().key.server_id);
      registry_.AnswerUnregister(fails ? Down() : absl::OkStatus());
    } else if (!registry_.removals.empty()) {
      if (fails) {
        registry_.AnswerRemoval(Down());
      } else {
        registry_.AnswerRemoval(Judge(registry_.removals.front()));
      }
    }
    Settle();
  }
  void AnswerProbe() {
    if (Requests() == 0) return;
    const std::string host = transport_.requests[0].request.origin.host;
    const bool dead =
        dead_.contains(std::string(absl::StripSuffix(host, ".test")));
    dead ? AnswerDead() : AnswerAlive();
  }
  void Step() {
    switch (Draw(12)) {
      case 0:
        return NewIncarnation();
      case 1:
        return SameIncarnation();
      case 2:
        return Chance(50) ? Unregister() : void();
      case 3:
        return Chance(30) ? RemoveByOthers() : void();
      case 4:
        return Chance(50) ? void(dead_.insert(AnyId())) : dead_.clear();
      case 5:
        registrar_->SetDraining(Ref(AnyId()), Chance(50),
                                Once<RegistrationView>().second);
        return;
      case 6:
        return Advance(absl::Milliseconds(Draw(20'000)));
      case 7:
        return SpeakForAll();
      case 8:
      case 9:
        return AnswerProbe();
      default:
        return AnswerOne();
    }
  }

  // --- what always holds -----------------------------------------------------

  void Check() {
    Settle();
    std::multiset<std::string> in_flight;
    for (const auto& r : registry_.registers) {
      in_flight.insert(r.request.server.server_id);
    }
    for (const auto& r : registry_.unregisters) {
      in_flight.insert(r.key.server_id);
    }
    for (const auto& r : registry_.removals) in_flight.insert(r.key.server_id);
    for (const std::string& id : in_flight) {
      ASSERT_EQ(in_flight.count(id), 1u) << id;
    }
    // Whatever is sent now is sent for the latest caller.
    const int news = registry_.register_calls -
                     std::exchange(seen_calls_, registry_.register_calls);
    const int waiting = static_cast<int>(registry_.registers.size());
    for (int i = std::max(0, waiting - news); i < waiting; ++i) {
      const Server& sent = registry_.registers[i].request.server;
      ASSERT_TRUE(IsHeld(sent.server_id));
      ASSERT_EQ(sent.location_json, current_.at(sent.server_id))
          << sent.server_id;
    }
  }
  // Time in which nothing goes wrong any more.
  void Quiet(absl::Duration time) {
    lossy_ = false;
    dead_.clear();
    for (const absl::Time end = loop_.Now() + time; loop_.Now() < end;) {
      SpeakForAll();
      Settle();
      while (Requests() > 0) AnswerAlive();
      while (!registry_.registers.empty()) {
        registry_.AnswerRegister();
        Settle();
      }
      while (!registry_.unregisters.empty() || !registry_.removals.empty()) {
        AnswerOne();
      }
      Advance(absl::Seconds(1));
      Check();
      if (HasFatalFailure()) return;
    }
  }
  void CheckTheEnd(bool exact) {
    for (int i = 0; i < kServers; ++i) {
      const std::string id = absl::StrCat("s", i);
      SCOPED_TRACE(id);
      const bool alive =
          !sessions_[id].empty() && KeepAlive(sessions_[id].back()).ok();
      EXPECT_EQ(IsHeld(id), alive);
      if (alive) {
        EXPECT_EQ(StateOf(id), RegistrationState::kRegistered);
        ASSERT_TRUE(Records().contains(id));
        EXPECT_EQ(Records().at(id).location_json, current_.at(id));
        ASSERT_NE(Member(id), nullptr);
        EXPECT_EQ(Member(id)->version, Records().at(id).version);
      } else if (exact) {
        EXPECT_FALSE(Records().contains(id));
        EXPECT_EQ(Member(id), nullptr);
      }
    }
    EXPECT_EQ(static_cast<int>(Stored().size()),
              static_cast<int>(registrar_->Count()));
    for (const int called : calls_) ASSERT_EQ(called, 1);
  }

  bool lossy_ = false;
  int last_mark_ = 0;
  int seen_calls_ = 0;
  std::vector<int> calls_;  // how often each callback was called
  std::map<std::string, std::vector<std::string>> sessions_;  // oldest first
  std::map<std::string, std::string> current_;  // what the latest caller said
  std::set<std::string> dead_;                  // services
};

// A removal that failed, or an acknowledgement that got lost, may leave a
// record behind: its lease ends it. Without those the two agree.
TEST_P(RegistrationPropertyTest, TheAuthorityHoldsThoseWhoseSessionsLive) {
  SCOPED_TRACE(absl::StrCat("COORD_TEST_SEED=", Seed()));
  lossy_ = Seed() % 2 == 0;
  const bool exact = !lossy_;
  registry_.lease = absl::Seconds(10 + Draw(300));
  for (int step = 0; step < 600; ++step) {
    Step();
    Check();
    if (HasFatalFailure()) FAIL() << "after step " << step;
  }
  // Longer than any backoff, and than a renewal is away.
  Quiet(absl::Minutes(11));
  CheckTheEnd(exact);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RegistrationPropertyTest,
                         ::testing::Range(1, 17));

}  // namespace
}  // namespace coord
