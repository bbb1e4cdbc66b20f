#include "client/ctl/call_output.h"

#include <gtest/gtest.h>

namespace coord {
namespace {

pb::FanOutResponse PartialResponse() {
  pb::FanOutResponse response;
  response.set_verdict(pb::VERDICT_PARTIAL);
  response.set_policy_met(true);
  response.set_expected_count(3);
  response.mutable_elapsed()->set_nanos(12'000'000);
  response.set_data_json(R"([{"id":1},{"id":2}])");
  auto& result = *response.add_results();
  result.set_server_id("node-1");
  result.set_http_status(200);
  result.set_attempts(1);
  result.mutable_elapsed()->set_nanos(3'100'000);
  auto& failure = *response.add_failures();
  failure.set_server_id("node-2");
  failure.set_reason(pb::FAILURE_REASON_TIMEOUT);
  failure.set_certainty(pb::CERTAINTY_MAYBE_EXECUTED);
  failure.set_attempts(3);
  failure.mutable_elapsed()->set_nanos(9'000'000);
  failure.set_message("call node-2: no answer");
  auto& skip = *response.add_skipped();
  skip.set_server_id("node-3");
  skip.set_reason(pb::SKIP_REASON_DRAINING);
  skip.set_certainty(pb::CERTAINTY_NOT_SENT);
  return response;
}

TEST(ResponseTextTest, ShowsVerdictNodesAndData) {
  EXPECT_EQ(
      ResponseText(PartialResponse()),
      "PARTIAL: 1 of 3 ok, 1 failed, 1 skipped in 12ms\n"
      "\n"
      "NODE    OUTCOME  STATUS  REASON    CERTAINTY       ATTEMPTS  ELAPSED  "
      "MESSAGE\n"
      "node-1  ok       200                               1         3.1ms\n"
      "node-2  failed           TIMEOUT   MAYBE_EXECUTED  3         9ms      "
      "call node-2: no answer\n"
      "node-3  skipped          DRAINING  NOT_SENT\n"
      "\n"
      "data, 2 elements:\n"
      "{\"id\":1}\n"
      "{\"id\":2}\n");
}

TEST(ResponseTextTest, ShowsBodiesWithoutLettingThemCommandTheTerminal) {
  pb::FanOutResponse response = PartialResponse();
  response.mutable_results(0)->set_body("\x1b[2J");
  response.set_policy_met(false);
  const std::string text = ResponseText(response);
  EXPECT_NE(text.find("\nbody of node-1:\n\\x1b[2J\n"), text.npos) << text;
  EXPECT_NE(text.find("in 12ms; policy not met\n"), text.npos) << text;
}

TEST(ResponseTextTest, IsShortWhenNobodyElseIsThere) {
  pb::FanOutResponse response;
  response.set_verdict(pb::VERDICT_COMPLETE);
  response.set_policy_met(true);
  response.set_data_json("[]");
  EXPECT_EQ(ResponseText(response), "COMPLETE: 0 of 0 ok\n");
}

TEST(EventTextTest, IsOneLineForEachNode) {
  const pb::FanOutResponse response = PartialResponse();
  pb::StreamFanOutResponse event;
  *event.mutable_result() = response.results(0);
  EXPECT_EQ(EventText(event), "node-1  ok  200  1  3.1ms\n");
  *event.mutable_failure() = response.failures(0);
  EXPECT_EQ(EventText(event),
            "node-2  failed  TIMEOUT  MAYBE_EXECUTED  3  9ms  "
            "call node-2: no answer\n");
  *event.mutable_skip() = response.skipped(0);
  EXPECT_EQ(EventText(event), "node-3  skipped  DRAINING  NOT_SENT\n");
  pb::FanOutSummary& summary = *event.mutable_summary();
  summary.set_verdict(pb::VERDICT_NONE);
  summary.set_expected_count(2);
  summary.set_failure_count(2);
  EXPECT_EQ(EventText(event), "NONE: 0 of 2 ok, 2 failed; policy not met\n");
}

TEST(CallExitCodeTest, FollowsTheVerdictUnlessAPolicyWasNamed) {
  EXPECT_EQ(CallExitCode(pb::VERDICT_COMPLETE, false, true), ExitCode::kOk);
  EXPECT_EQ(CallExitCode(pb::VERDICT_PARTIAL, false, true),
            ExitCode::kPartialAnswer);
  EXPECT_EQ(CallExitCode(pb::VERDICT_NONE, false, true), ExitCode::kNoAnswer);
  EXPECT_EQ(CallExitCode(pb::VERDICT_PARTIAL, true, true), ExitCode::kOk);
  EXPECT_EQ(CallExitCode(pb::VERDICT_PARTIAL, true, false),
            ExitCode::kPartialAnswer);
  EXPECT_EQ(CallExitCode(pb::VERDICT_NONE, true, false), ExitCode::kNoAnswer);
}

TEST(ResponseTextTest, TellsWhatToKnowOfTheMembership) {
  pb::FanOutResponse response;
  response.set_verdict(pb::VERDICT_COMPLETE);
  response.set_policy_met(true);
  response.mutable_membership_age();
  response.set_data_json("[]");
  EXPECT_EQ(ResponseText(response), "COMPLETE: 0 of 0 ok\n");
  response.mutable_membership_age()->set_seconds(72);
  for (const auto warning :
       {pb::WARNING_EMPTY, pb::WARNING_STALE, pb::WARNING_SELF_PRESERVATION}) {
    response.add_warnings(warning);
  }
  EXPECT_EQ(
      ResponseText(response),
      "COMPLETE: 0 of 0 ok; membership 1m12s old\n"
      "warning EMPTY: there was nobody to call\n"
      "warning STALE: the list of servers is old: some may have come or gone\n"
      "warning SELF_PRESERVATION: clusterd may be cut off: most servers fail "
      "its probes\n");
  EXPECT_TRUE(CalledNobody(response));

  pb::StreamFanOutResponse event;
  event.mutable_summary()->set_policy_met(true);
  event.mutable_summary()->set_verdict(pb::VERDICT_COMPLETE);
  event.mutable_summary()->mutable_membership_age()->set_seconds(5);
  event.mutable_summary()->add_warnings(pb::WARNING_STALE);
  EXPECT_EQ(EventText(event),
            "COMPLETE: 0 of 0 ok; membership 5s old\n"
            "warning STALE: the list of servers is old: some may have come or "
            "gone\n");
  EXPECT_FALSE(CalledNobody(event.summary()));
}

}  // namespace
}  // namespace coord
