#include "server/rpc/convert_fan_out.h"

#include <string>
#include <vector>

#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

pb::FanOutRequest ValidRequest() {
  pb::FanOutRequest request;
  request.set_type("mTest");
  request.mutable_http()->set_path("/info");
  return request;
}

std::vector<std::string> Wrong(const pb::FanOutRequest& request) {
  std::vector<std::string> texts;
  for (const auto& [field, description] :
       DetailOf(FromProto(request).status()).violations) {
    texts.push_back(field + ": " + description);
  }
  return texts;
}

TEST(FanOutFromProtoTest, WhatIsNotSaidIsTheDefault) {
  const auto call = FromProto(ValidRequest());
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_EQ(call->method, "GET");
  EXPECT_EQ(call->path, "/info");
  EXPECT_EQ(call->policy.kind, CompletionPolicy::Kind::kBestEffort);
  EXPECT_EQ(call->retry.max_attempts, 3);
  EXPECT_EQ(call->retry.backoff.initial, absl::Milliseconds(100));
  EXPECT_EQ(call->retry.backoff.max, absl::Seconds(2));
  EXPECT_EQ(call->attempt_timeout, absl::ZeroDuration());
  EXPECT_EQ(call->body_view, BodyView::kNotSpliced);
  EXPECT_EQ(call->identity_check, IdentityCheck::kByNodeApi);
  EXPECT_FALSE(call->idempotent.has_value());
  EXPECT_FALSE(call->hedge.has_value());
}

TEST(FanOutFromProtoTest, EveryFieldArrives) {
  pb::FanOutRequest request = ValidRequest();
  request.set_cluster_id("c1");
  request.set_origin_server_id("node-1");
  pb::HttpCall& http = *request.mutable_http();
  http.set_method("POST");
  http.set_query("a=b");
  http.set_body(std::string("\0\xff", 2));
  http.add_headers()->set_name("x-a");
  http.mutable_headers(0)->set_value("1");
  request.mutable_policy()->set_first(2);
  request.mutable_attempt_timeout()->set_seconds(1);
  request.mutable_retry()->set_max_attempts(10);
  request.mutable_retry()->mutable_initial_backoff()->set_nanos(1);
  request.mutable_retry()->mutable_max_backoff()->set_seconds(1);
  request.mutable_retry()->add_statuses(503);
  request.set_idempotent(false);
  request.set_max_concurrency(7);
  request.mutable_selection()->add_server_ids("node-2");
  request.set_min_expected(3);
  request.set_body_view(pb::BODY_VIEW_ALL);
  request.set_identity_check(pb::IDENTITY_CHECK_OFF);
  request.set_max_answer_bytes(1000);
  request.set_customer_name("c");
  request.mutable_hedge()->mutable_delay()->set_nanos(1'000'000);
  const auto call = FromProto(request);
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_EQ(call->cluster_id, "c1");
  EXPECT_EQ(call->origin_server_id, "node-1");
  EXPECT_EQ(call->method, "POST");
  EXPECT_EQ(call->query, "a=b");
  EXPECT_EQ(call->body, std::string("\0\xff", 2));
  EXPECT_THAT(call->headers, ElementsAre(HttpHeader{"x-a", "1"}));
  EXPECT_EQ(call->policy.kind, CompletionPolicy::Kind::kFirst);
  EXPECT_EQ(call->policy.n, 2);
  EXPECT_EQ(call->attempt_timeout, absl::Seconds(1));
  EXPECT_EQ(call->retry.max_attempts, 10);
  EXPECT_EQ(call->retry.backoff.initial, absl::Nanoseconds(1));
  EXPECT_EQ(call->retry.backoff.max, absl::Seconds(1));
  EXPECT_THAT(call->retry.statuses, ElementsAre(503));
  EXPECT_EQ(call->idempotent, false);
  EXPECT_EQ(call->max_concurrency, 7);
  ASSERT_TRUE(call->selection.has_value());
  EXPECT_THAT(call->selection->server_ids, ElementsAre("node-2"));
  EXPECT_EQ(call->min_expected, 3);
  EXPECT_EQ(call->body_view, BodyView::kAll);
  EXPECT_EQ(call->identity_check, IdentityCheck::kOff);
  EXPECT_EQ(call->max_answer_bytes, 1000u);
  EXPECT_EQ(call->customer_name, "c");
  ASSERT_TRUE(call->hedge.has_value());
  EXPECT_EQ(call->hedge->delay, absl::Milliseconds(1));
}

TEST(FanOutFromProtoTest, NoSelectionIsAnotherThanAnEmptyOne) {
  pb::FanOutRequest request = ValidRequest();
  EXPECT_FALSE(FromProto(request)->selection.has_value());
  request.mutable_selection();
  const auto call = FromProto(request);
  ASSERT_TRUE(call.ok()) << call.status();
  ASSERT_TRUE(call->selection.has_value());
  EXPECT_THAT(call->selection->server_ids, IsEmpty());
}

// As callers that were written before there was a selection do.
TEST(FanOutFromProtoTest, TheOlderChoiceKeepsItsMeaning) {
  pb::FanOutRequest request = ValidRequest();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  request.add_server_ids("node-2");
#pragma GCC diagnostic pop
  const auto call = FromProto(request);
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_THAT(call->server_ids, ElementsAre("node-2"));
  EXPECT_FALSE(call->selection.has_value());
}

TEST(FanOutFromProtoTest, AHedgeMayLeaveItsDelayToTheServer) {
  pb::FanOutRequest request = ValidRequest();
  request.mutable_hedge();
  const auto call = FromProto(request);
  ASSERT_TRUE(call.ok() && call->hedge.has_value());
  EXPECT_EQ(call->hedge->delay, std::nullopt);
  request.mutable_hedge()->mutable_delay()->set_nanos(2'000'000'000);
  EXPECT_THAT(Wrong(request),
              ElementsAre("hedge.delay: is not a valid duration"));
}

TEST(FanOutFromProtoTest, WhatACallCannotExpressIsToldAtOnce) {
  pb::FanOutRequest request;
  request.mutable_retry()->mutable_initial_backoff()->set_nanos(-2'000'000'000);
  request.mutable_retry()->mutable_max_backoff()->set_seconds(400'000'000'000);
  request.set_body_view(static_cast<pb::BodyView>(17));
  request.set_identity_check(static_cast<pb::IdentityCheck>(-1));
  request.mutable_attempt_timeout()->set_nanos(2'000'000'000);
  request.set_max_answer_bytes(-1);
  EXPECT_THAT(Wrong(request),
              ElementsAre("http: must be set",
                          "retry.initial_backoff: is not a valid duration",
                          "retry.max_backoff: is not a valid duration",
                          "body_view: is not a BodyView: 17",
                          "identity_check: is not an IdentityCheck: -1",
                          "attempt_timeout: is not a valid duration",
                          "max_answer_bytes: must not be negative"));
}

TEST(FanOutFromProtoTest, AnAttemptTimeoutOfZeroIsNotTakenForNone) {
  pb::FanOutRequest request = ValidRequest();
  request.mutable_attempt_timeout();
  EXPECT_THAT(Wrong(request), ElementsAre("attempt_timeout: must not be zero"));
}

}  // namespace
}  // namespace coord
