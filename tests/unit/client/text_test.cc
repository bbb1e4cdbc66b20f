#include "client/ctl/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/ctl/registration_output.h"
#include "common/error.h"
#include "mimik/cluster/v1/fan_out_service.pb.h"

namespace coord {
namespace {

namespace pb = ::mimik::cluster::v1;

using testing::ElementsAre;
using testing::IsEmpty;

TEST(PrintableTest, EscapesControlsAndKeepsTheRest) {
  EXPECT_EQ(Printable("plain ünïcode 日本"), "plain ünïcode 日本");
  EXPECT_EQ(Printable("a\tb\r\n\x7f"), "a\\x09b\\x0d\\x0a\\x7f");
  EXPECT_EQ(Printable("\xC2\x9B"
                      "31m"),
            "\\x9b31m");
  EXPECT_EQ(Printable("caf\xC3\xA9 \xC2\xA0"), "caf\xC3\xA9 \xC2\xA0");
  EXPECT_EQ(Printable("\xC2"), "\xC2");
}

TEST(PrintableLinesTest, KeepsLinesAndDropsTheLastBreak) {
  EXPECT_EQ(PrintableLines("a\r\n\tb\n\n"), "a\n\\x09b");
  EXPECT_EQ(PrintableLines(""), "");
}

TEST(CountedTest, KnowsOneFromMany) {
  EXPECT_EQ(Counted(1, "server"), "1 server");
  EXPECT_EQ(Counted(0, "server"), "0 servers");
}

TEST(ShellQuoteTest, MakesOneWord) {
  EXPECT_EQ(ShellQuote(""), "''");
  EXPECT_EQ(ShellQuote("a b"), "'a b'");
  EXPECT_EQ(ShellQuote("it's $(rm -rf /)"), "'it'\\''s $(rm -rf /)'");
}

TEST(ShortIntervalTest, SaysWhatMatters) {
  EXPECT_EQ(ShortInterval(absl::Microseconds(850)), "850us");
  EXPECT_EQ(ShortInterval(absl::Microseconds(3149)), "3.15ms");
  EXPECT_EQ(ShortInterval(absl::Milliseconds(1254)), "1.25s");
  EXPECT_EQ(ShortInterval(absl::Seconds(30)), "30s");
  EXPECT_EQ(ShortInterval(absl::Milliseconds(150'900)), "2m30s");
  EXPECT_EQ(ShortInterval(absl::Hours(2)), "2h");
}

TEST(EnumNameTest, DropsThePrefixAndKeepsUnknownNumbers) {
  EXPECT_EQ(EnumName(pb::SKIP_REASON_POLICY_MET), "POLICY_MET");
  EXPECT_EQ(EnumName(pb::FAILURE_REASON_HTTP_STATUS), "HTTP_STATUS");
  EXPECT_EQ(EnumName(pb::VERDICT_COMPLETE), "COMPLETE");
  EXPECT_EQ(EnumName(static_cast<pb::Verdict>(77)), "77");
}

TEST(JsonElementsTest, SplitsAtTheTopLevelOnly) {
  EXPECT_THAT(JsonElements(R"([1, "a,]b\"", {"x":[1,2]}, [3,4]])"),
              ElementsAre("1", R"("a,]b\"")", R"({"x":[1,2]})", "[3,4]"));
  EXPECT_THAT(JsonElements("[]"), IsEmpty());
  EXPECT_THAT(JsonElements(" [ ] "), IsEmpty());
  EXPECT_THAT(JsonElements("{}"), ElementsAre("{}"));
}

TEST(ErrorTextTest, NamesTheReason) {
  EXPECT_EQ(ErrorText(MakeError(Reason::kClusterNotFound, "get cluster x")),
            "get cluster x (CLUSTER_NOT_FOUND)");
}

TEST(ErrorTextTest, ListsSeveralBadFields) {
  EXPECT_EQ(ErrorText(InvalidField("ttl", "must be at least 1s")),
            "ttl: must be at least 1s");
  const std::string text = ErrorText(
      InvalidFields({{"ttl", "too short"}, {"server.type", "empty\n"}}));
  EXPECT_EQ(text,
            "several fields are invalid:\n"
            "  ttl: too short\n"
            "  server.type: empty\\x0a");
}

TEST(RegistrationEnvTest, IsSafeToEvaluate) {
  pb::Registration registration;
  pb::ClusterStatus& status = *registration.mutable_status();
  status.set_registration_status("orphan: it's `gone`");
  status.set_server_count(3);
  status.mutable_update_time()->set_seconds(1'700'000'000);
  status.mutable_lease_duration()->set_seconds(7200);
  EXPECT_EQ(RegistrationEnv(registration),
            "REGISTRATION_STATUS='orphan: it'\\''s `gone`'\n"
            "CLUSTER_STATUS_SERVERS=3\n"
            "CLUSTER_STATUS_UPDATED_AT='2023-11-14T22:13:20.000Z'\n"
            "CLUSTER_STATUS_LEASE_TIME=7200000\n");
}

TEST(RegistrationTextTest, LeavesOutWhatIsNotKnown) {
  pb::Registration registration;
  registration.mutable_server()->set_type("orders");
  registration.mutable_server()->set_server_id("node-1");
  registration.set_state(pb::REGISTRATION_STATE_PENDING);
  EXPECT_EQ(RegistrationText(registration),
            "server:        orders/node-1\n"
            "state:         PENDING\n"
            "servers:       0\n"
            "alive by:      clusterd's own probe\n");
}

TEST(RegistrationTextTest, TellsWhetherClusterdSuspectsItself) {
  pb::Registration registration;
  EXPECT_EQ(SelfPreservationText(registration), "");
  registration.mutable_status()->set_self_preservation(true);
  EXPECT_THAT(RegistrationText(registration),
              testing::EndsWith(
                  "evictions:     slowed down, clusterd suspects itself\n"));
  registration.mutable_status()->set_self_preservation_cause("2 of 3 fail");
  EXPECT_THAT(RegistrationText(registration),
              testing::EndsWith("evictions:     slowed down, clusterd suspects "
                                "itself: 2 of 3 fail\n"));
}

TEST(RegistrationTextTest, CountsTheAnnouncement) {
  pb::Announcement announcement;
  EXPECT_EQ(AnnouncementText(announcement), "");
  announcement.set_expected(4);
  announcement.set_answered(3);
  announcement.set_failed(1);
  EXPECT_EQ(AnnouncementText(announcement), "3 of 4 servers told, 1 failed");
}

}  // namespace
}  // namespace coord
