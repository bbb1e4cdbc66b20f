#include "client/cpp/session_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/synchronization/notification.h"
#include "client/cpp/proto_time.h"
#include "common/error.h"
#include "tests/support/manual_loop.h"
#include "tests/unit/client/scripted_server.h"

namespace coord {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

class SessionCoreTest : public testing::Test {
 protected:
  SessionCoreTest() {
    options_.server.set_type("orders");
    options_.server.set_server_id("node-1");
    options_.server.set_cluster_base_url("http://10.0.0.7:8080");
    // Every answer brings another state, so that a test sees it as an update.
    server_.on_keep_alive = [this](const auto& request) {
      pb::KeepAliveResponse response = Alive(request);
      if (++answers_ % 2 == 1) {
        response.mutable_success()->set_state(pb::REGISTRATION_STATE_ORPHAN);
      }
      return response;
    };
  }

  ~SessionCoreTest() override {
    if (core_.has_value() && !closed_.has_value()) Close();
  }

  void Start() {
    client_.emplace(server_.Connect());
    options_.callbacks = {
        .on_update = [this](const auto& it) { updates_.push_back(it); },
        .on_lost = [this](const auto& it) { losses_.push_back(it); },
        .on_stopped = [this](const auto& it) { stops_.push_back(it); }};
    core_.emplace(loop_, client_->channel(), options_, random_);
    core_->Start();
  }

  // The first update tells the registration, the next ones a keepalive each.
  void AwaitUpdates(std::size_t count) {
    while (updates_.size() < count) loop_.WaitForPost();
  }
  void AwaitLosses(std::size_t count) {
    while (losses_.size() < count) loop_.WaitForPost();
  }
  void AwaitStop() {
    while (stops_.empty()) loop_.WaitForPost();
  }

  // A clusterd that is back is not found before gRPC has looked for it.
  void AwaitConnection() {
    client_->channel()->GetState(/*try_to_connect=*/true);
    ASSERT_TRUE(client_->channel()->WaitForConnected(
        std::chrono::system_clock::now() + std::chrono::seconds(60)));
  }

  void Close() {
    core_->Close([this](auto result) { closed_ = std::move(result); });
    while (!closed_.has_value()) loop_.WaitForPost();
  }

  ScriptedServer server_;
  ManualLoop loop_;
  absl::BitGen random_;
  std::optional<Client> client_;
  SessionOptions options_;
  std::atomic<int> answers_ = 0;
  std::vector<pb::Registration> updates_;
  std::vector<absl::Status> losses_;
  std::vector<absl::Status> stops_;
  std::optional<SessionCore> core_;
  std::optional<absl::StatusOr<pb::UnregisterServerResponse>> closed_;
};

TEST_F(SessionCoreTest, RegistersWhatItWasGiven) {
  Start();
  AwaitUpdates(1);

  ASSERT_THAT(server_.registered(), SizeIs(1));
  const pb::RegisterServerRequest request = server_.registered()[0];
  EXPECT_EQ(request.server().type(), "orders");
  EXPECT_EQ(request.server().server_id(), "node-1");
  EXPECT_EQ(request.server().cluster_base_url(), "http://10.0.0.7:8080");
  EXPECT_EQ(FromProto(request.ttl()), absl::Seconds(30));
  EXPECT_EQ(request.session_id(), "");
  EXPECT_EQ(updates_[0].session_id(), "session-1");
}

TEST_F(SessionCoreTest, KeepsAliveAtAThirdOfTheTtlWithJitter) {
  Start();
  for (std::size_t answered = 1; answered <= 20; ++answered) {
    AwaitUpdates(1 + answered);
    ASSERT_THAT(server_.kept_alive(), SizeIs(answered));
    ASSERT_THAT(loop_.NextTimer(),
                AllOf(Ge(absl::Seconds(9)), Le(absl::Seconds(11))));
    loop_.Advance(loop_.NextTimer());
  }
  EXPECT_EQ(server_.kept_alive()[19].session_id(), "session-1");
  EXPECT_THAT(losses_, IsEmpty());
}

TEST_F(SessionCoreTest, TellsAChangedState) {
  Start();
  AwaitUpdates(2);

  EXPECT_EQ(updates_[0].state(), pb::REGISTRATION_STATE_REGISTERED);
  EXPECT_EQ(updates_[1].state(), pb::REGISTRATION_STATE_ORPHAN);
  EXPECT_EQ(updates_[1].session_id(), "session-1");
}

TEST_F(SessionCoreTest, RegistersAgainAfterLeaseExpired) {
  server_.on_keep_alive = [](const auto& request) {
    return request.session_id() == "session-1" ? Dead(request, "LEASE_EXPIRED")
                                               : Alive(request);
  };
  Start();
  AwaitLosses(1);

  EXPECT_TRUE(HasReason(losses_[0], Reason::kLeaseExpired)) << losses_[0];
  EXPECT_EQ(losses_[0].message(), "keep alive: the session is over");
  ASSERT_THAT(loop_.NextTimer(), Le(absl::Milliseconds(250)));
  EXPECT_THAT(server_.registered(), SizeIs(1));
  loop_.Advance(loop_.NextTimer());
  AwaitUpdates(2);

  ASSERT_THAT(server_.registered(), SizeIs(2));
  EXPECT_EQ(server_.registered()[1].session_id(), "");
  EXPECT_EQ(updates_[1].session_id(), "session-2");
}

TEST_F(SessionCoreTest, RegistersAgainAtOnceHoweverLongClusterdWasAway) {
  std::atomic<bool> forgotten = false;
  server_.on_keep_alive = [&forgotten](const auto& request) {
    pb::KeepAliveResponse response = Alive(request);
    response.mutable_success()->set_state(pb::REGISTRATION_STATE_ORPHAN);
    return forgotten && request.session_id() == "session-1"
               ? Dead(request, "LEASE_EXPIRED")
               : response;
  };
  Start();
  AwaitUpdates(2);
  server_.Stop();
  std::size_t losses = 0;
  while (losses < 5) {
    AwaitLosses(++losses);
    if (losses < 5) loop_.Advance(loop_.NextTimer());
  }
  forgotten = true;
  server_.Start();
  AwaitConnection();
  loop_.Advance(loop_.NextTimer());
  AwaitLosses(6);

  EXPECT_TRUE(HasReason(losses_[5], Reason::kLeaseExpired)) << losses_[5];
  ASSERT_THAT(loop_.NextTimer(), Le(absl::Milliseconds(250)));
  loop_.Advance(loop_.NextTimer());
  AwaitUpdates(3);
  EXPECT_EQ(updates_[2].session_id(), "session-2");
}

TEST_F(SessionCoreTest, WaitsWhenRegisteringAtOnceFails) {
  server_.on_keep_alive = [](const auto& request) {
    return Dead(request, "LEASE_EXPIRED");
  };
  std::atomic<int> asked = 0;
  const auto succeed = server_.on_register;
  server_.on_register = [&](const auto& request, auto* response) {
    if (++asked == 1) return succeed(request, response);
    return Refuse(Reason::kDraining, "register: it is shutting down");
  };
  Start();
  AwaitLosses(1);
  for (const int limit : {1, 2, 4, 8}) {
    const std::size_t losses = losses_.size();
    loop_.Advance(loop_.NextTimer());
    AwaitLosses(losses + 1);
    ASSERT_THAT(loop_.NextTimer(),
                AllOf(Ge(absl::Seconds(limit) / 2), Le(absl::Seconds(limit))));
  }
}

TEST_F(SessionCoreTest, WaitsWhenEveryNewSessionIsOverAtOnce) {
  server_.on_keep_alive = [](const auto& request) {
    return Dead(request, "LEASE_EXPIRED");
  };
  Start();
  AwaitLosses(1);
  ASSERT_THAT(loop_.NextTimer(), Le(absl::Milliseconds(250)));
  for (const int limit : {1, 2, 4, 8}) {
    const std::size_t losses = losses_.size();
    loop_.Advance(loop_.NextTimer());
    AwaitLosses(losses + 1);
    ASSERT_THAT(loop_.NextTimer(),
                AllOf(Ge(absl::Seconds(limit) / 2), Le(absl::Seconds(limit))));
  }
}

TEST_F(SessionCoreTest, RegistersAgainAfterAReasonItDoesNotKnow) {
  server_.on_keep_alive = [](const auto& request) {
    return request.session_id() == "session-1" ? Dead(request, "BAD_SESSION")
                                               : Alive(request);
  };
  Start();
  AwaitLosses(1);
  EXPECT_THAT(losses_[0].message(), HasSubstr("BAD_SESSION"));
  loop_.Advance(loop_.NextTimer());
  AwaitUpdates(2);
  EXPECT_EQ(updates_[1].session_id(), "session-2");
}

TEST_F(SessionCoreTest, KeepsTheIdThatClusterdChose) {
  options_.server.clear_server_id();
  server_.on_register = [](const auto&, auto* response) {
    response->mutable_registration()->mutable_server()->set_server_id("chosen");
    response->mutable_registration()->set_session_id("one");
    return grpc::Status::OK;
  };
  server_.on_keep_alive = [](const auto& request) {
    return Dead(request, "LEASE_EXPIRED");
  };
  Start();
  AwaitLosses(1);
  loop_.Advance(loop_.NextTimer());
  AwaitUpdates(2);

  ASSERT_THAT(server_.registered(), SizeIs(2));
  EXPECT_EQ(server_.registered()[0].server().server_id(), "");
  EXPECT_EQ(server_.registered()[1].server().server_id(), "chosen");
}

TEST_F(SessionCoreTest, StopsForGoodWhenSuperseded) {
  server_.on_keep_alive = [](const auto& request) {
    return Dead(request, "SESSION_SUPERSEDED");
  };
  Start();
  AwaitStop();

  EXPECT_TRUE(HasReason(stops_[0], Reason::kSessionSuperseded)) << stops_[0];
  EXPECT_EQ(loop_.timers(), 0);
  loop_.Advance(absl::Hours(24));
  EXPECT_THAT(server_.registered(), SizeIs(1));
  EXPECT_THAT(losses_, IsEmpty());

  Close();
  EXPECT_TRUE(HasReason(closed_->status(), Reason::kNotRegistered))
      << closed_->status();
  EXPECT_THAT(server_.unregistered(), IsEmpty());
}

TEST_F(SessionCoreTest, StopsForGoodWhenTheRegistrationIsInvalid) {
  server_.on_register = [](const auto&, auto*) {
    return Refuse(Reason::kInvalidField, "server.type: must not be empty");
  };
  Start();
  AwaitStop();

  EXPECT_TRUE(absl::IsInvalidArgument(stops_[0])) << stops_[0];
  EXPECT_EQ(stops_[0].message(), "server.type: must not be empty");
  EXPECT_EQ(loop_.timers(), 0);
}

TEST_F(SessionCoreTest, ResumesItsSessionAfterClusterdWasAway) {
  Start();
  AwaitUpdates(2);
  server_.Stop();
  AwaitLosses(1);
  server_.Start();
  AwaitConnection();
  loop_.Advance(loop_.NextTimer());
  AwaitUpdates(3);

  EXPECT_EQ(losses_[0].code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(server_.registered(), SizeIs(1));
  ASSERT_THAT(server_.kept_alive(), SizeIs(2));
  EXPECT_EQ(server_.kept_alive()[1].session_id(), "session-1");
}

TEST_F(SessionCoreTest, WaitsLongerAfterEachLossUpToTheLimit) {
  server_.Stop();
  Start();
  std::size_t losses = 0;
  for (const int limit : {1, 2, 4, 8, 15, 15, 15}) {
    AwaitLosses(++losses);
    ASSERT_THAT(loop_.NextTimer(),
                AllOf(Ge(absl::Seconds(limit) / 2), Le(absl::Seconds(limit))));
    loop_.Advance(loop_.NextTimer());
  }
}

TEST_F(SessionCoreTest, WaitsAtMostASixthOfAShortTtlFirst) {
  options_.ttl = absl::Seconds(1);
  server_.Stop();
  Start();
  AwaitLosses(1);
  EXPECT_THAT(loop_.NextTimer(),
              AllOf(Ge(absl::Seconds(1) / 12), Le(absl::Seconds(1) / 6)));
}

TEST_F(SessionCoreTest, BeginsWithShortWaitsAgainAfterAnAnswer) {
  server_.Stop();
  Start();
  AwaitLosses(1);
  loop_.Advance(loop_.NextTimer());
  AwaitLosses(2);
  server_.Start();
  AwaitConnection();
  loop_.Advance(loop_.NextTimer());
  AwaitUpdates(2);
  server_.Stop();
  AwaitLosses(3);
  EXPECT_THAT(loop_.NextTimer(), Le(absl::Seconds(1)));
}

TEST_F(SessionCoreTest, OpensAnotherStreamWhenNoAnswerComes) {
  std::atomic<bool> silent = true;
  server_.on_keep_alive =
      [&silent](const auto& request) -> std::optional<pb::KeepAliveResponse> {
    if (silent) return std::nullopt;
    pb::KeepAliveResponse response = Alive(request);
    response.mutable_success()->set_state(pb::REGISTRATION_STATE_ORPHAN);
    return response;
  };
  Start();
  AwaitUpdates(1);
  EXPECT_EQ(loop_.NextTimer(), absl::Seconds(10));
  loop_.Advance(absl::Seconds(10));
  AwaitLosses(1);
  EXPECT_EQ(losses_[0].code(), absl::StatusCode::kCancelled);
  silent = false;
  loop_.Advance(loop_.NextTimer());
  AwaitUpdates(2);
  EXPECT_THAT(server_.registered(), SizeIs(1));
}

TEST_F(SessionCoreTest, CloseUnregistersTheCurrentSession) {
  Start();
  AwaitUpdates(2);
  Close();

  ASSERT_TRUE(closed_->ok()) << closed_->status();
  EXPECT_EQ((*closed_)->server_count(), 3);
  ASSERT_THAT(server_.unregistered(), SizeIs(1));
  EXPECT_EQ(server_.unregistered()[0].type(), "orders");
  EXPECT_EQ(server_.unregistered()[0].server_id(), "node-1");
  EXPECT_EQ(server_.unregistered()[0].session_id(), "session-1");
  EXPECT_EQ(loop_.timers(), 0);
}

TEST_F(SessionCoreTest, CloseUnregistersARegistrationThatIsUnderWay) {
  absl::Notification asked;
  absl::Notification answer;
  server_.on_register = [&](const auto& request, auto* response) {
    asked.Notify();
    answer.WaitForNotification();
    *response->mutable_registration()->mutable_server() = request.server();
    response->mutable_registration()->set_session_id("late");
    return grpc::Status::OK;
  };
  Start();
  asked.WaitForNotification();
  core_->Close([this](auto result) { closed_ = std::move(result); });
  answer.Notify();
  while (!closed_.has_value()) loop_.WaitForPost();

  EXPECT_TRUE(closed_->ok()) << closed_->status();
  ASSERT_THAT(server_.unregistered(), SizeIs(1));
  EXPECT_EQ(server_.unregistered()[0].session_id(), "late");
  EXPECT_THAT(updates_, IsEmpty());
  server_.Stop();  // its handler uses the notifications
}

TEST_F(SessionCoreTest, CloseGivesUpARegistrationThatHangs) {
  absl::Notification asked;
  absl::Notification answer;
  server_.on_register = [&](const auto&, auto*) {
    asked.Notify();
    answer.WaitForNotification();
    return grpc::Status::OK;
  };
  Start();
  asked.WaitForNotification();
  core_->Close([this](auto result) { closed_ = std::move(result); });
  loop_.Advance(options_.call_timeout);
  while (!closed_.has_value()) loop_.WaitForPost();

  EXPECT_TRUE(HasReason(closed_->status(), Reason::kNotRegistered));
  EXPECT_EQ(closed_->status().message(),
            "close session of orders/node-1: it is not registered");
  answer.Notify();
  server_.Stop();  // its handler uses the notifications
}

TEST_F(SessionCoreTest, CloseTellsNothingMore) {
  Start();
  AwaitUpdates(2);
  const std::size_t updates = updates_.size();
  Close();
  loop_.Advance(absl::Hours(1));
  EXPECT_THAT(updates_, SizeIs(updates));
  EXPECT_THAT(losses_, IsEmpty());
  EXPECT_THAT(stops_, IsEmpty());
}

}  // namespace
}  // namespace coord
