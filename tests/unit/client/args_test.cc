#include "client/ctl/args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class ArgsTest : public testing::Test {
 protected:
  ArgsTest() {
    parser_.Positional("TYPE", "of the service", Text(&type_));
    parser_.Positional("ID", "of a server", TextList(&ids_), Count::kOneOrMore);
    parser_.Flag("--json", "for programs", &json_);
    parser_.Option("--ttl", "DURATION", "how long", Interval(&ttl_));
    parser_.Section("More");
    parser_.Option("--n", "N", "how often", Number(1, 10, &number_));
    parser_.Option("--view", "all|none", "which",
                   OneOf({"all", "none"}, &view_));
  }

  // The error of parsing `args`; empty when there is none.
  std::string ErrorOf(const std::vector<std::string>& args) {
    return std::string(parser_.Parse(args).message());
  }

  ArgParser parser_;
  std::string type_;
  std::vector<std::string> ids_;
  bool json_ = false;
  absl::Duration ttl_;
  std::int64_t number_ = 0;
  std::size_t view_ = 9;
};

TEST_F(ArgsTest, TakesOptionsAnywhereAndBothForms) {
  EXPECT_EQ(ErrorOf({"--ttl", "5s", "orders", "--json", "a", "--n=3", "b"}),
            "");
  EXPECT_EQ(type_, "orders");
  EXPECT_THAT(ids_, ElementsAre("a", "b"));
  EXPECT_TRUE(json_);
  EXPECT_EQ(ttl_, absl::Seconds(5));
  EXPECT_EQ(number_, 3);
}

TEST_F(ArgsTest, TakesAnythingAfterTwoDashes) {
  EXPECT_EQ(ErrorOf({"--", "orders", "--json"}), "");
  EXPECT_THAT(ids_, ElementsAre("--json"));
  EXPECT_FALSE(json_);
}

TEST_F(ArgsTest, NamesTheOptionsThereAre) {
  EXPECT_EQ(ErrorOf({"orders", "a", "--jsn"}),
            "--jsn: unknown option; options are --json, --ttl, --n, --view");
  EXPECT_THAT(ErrorOf({"orders", "a", "-x"}), HasSubstr("-x: unknown option"));
}

TEST_F(ArgsTest, NamesAMissingValue) {
  EXPECT_EQ(ErrorOf({"orders", "a", "--ttl"}),
            "--ttl: needs a value: DURATION");
  EXPECT_THAT(ErrorOf({"orders", "a", "--ttl", "--json"}),
              StartsWith("--ttl: needs a value: DURATION; \"--json\" looks "));
}

TEST_F(ArgsTest, ATextIsNotEmpty) {
  EXPECT_EQ(ErrorOf({"", "a"}), "TYPE: must not be empty");
  EXPECT_EQ(ErrorOf({"orders", "a", ""}), "ID: must not be empty");
}

TEST_F(ArgsTest, RefusesAValueForAFlag) {
  EXPECT_EQ(ErrorOf({"orders", "a", "--json=yes"}), "--json: takes no value");
}

TEST_F(ArgsTest, NamesWhatAValueMayBe) {
  EXPECT_EQ(ErrorOf({"orders", "a", "--n", "11"}),
            "--n: \"11\" is not allowed; use a whole number from 1 to 10");
  EXPECT_THAT(ErrorOf({"orders", "a", "--n", "1x"}), HasSubstr("not allowed"));
  EXPECT_THAT(ErrorOf({"orders", "a", "--n="}), HasSubstr("not allowed"));
  EXPECT_EQ(ErrorOf({"orders", "a", "--view", "some"}),
            "--view: \"some\" is not allowed; use all, none");
}

TEST_F(ArgsTest, NamesArgumentsMissingAndTooMany) {
  EXPECT_EQ(ErrorOf({}), "TYPE: missing");
  EXPECT_EQ(ErrorOf({"orders"}), "ID: missing");
  std::string only;
  ArgParser one;
  one.Positional("ONLY", "", Text(&only));
  EXPECT_EQ(one.Parse({"a", "b"}).message(), "b: unexpected argument");
}

TEST_F(ArgsTest, LeavesAnOptionalArgumentOut) {
  std::string maybe = "unset";
  ArgParser parser;
  parser.Positional("MAYBE", "", Text(&maybe), Count::kAtMostOne);
  EXPECT_TRUE(parser.Parse({}).ok());
  EXPECT_EQ(maybe, "unset");
  EXPECT_EQ(parser.Usage(), "[options] [MAYBE]");
}

TEST_F(ArgsTest, ParsesLeadingOptionsOnly) {
  const auto rest = parser_.ParseOptions({"--n", "2", "--json", "call", "-x"});
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_THAT(*rest, ElementsAre("call", "-x"));
  EXPECT_EQ(number_, 2);
}

TEST_F(ArgsTest, HelpStandsUnderHeadings) {
  EXPECT_EQ(parser_.Usage(), "[options] TYPE ID...");
  EXPECT_EQ(parser_.Help(),
            "\nArguments:\n"
            "  TYPE  of the service\n"
            "  ID    of a server\n"
            "\nOptions:\n"
            "  --json          for programs\n"
            "  --ttl DURATION  how long\n"
            "\nMore:\n"
            "  --n N            how often\n"
            "  --view all|none  which\n");
}

TEST(ParseIntervalTest, TakesUnits) {
  EXPECT_EQ(*ParseInterval("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseInterval("1.5s"), absl::Milliseconds(1500));
  EXPECT_EQ(*ParseInterval("1h30m"), absl::Minutes(90));
  EXPECT_EQ(*ParseInterval("24h"), absl::Hours(24));
}

TEST(ParseIntervalTest, RefusesWhatIsNoUsefulDuration) {
  for (const char* text :
       {"", "5", "s", "-1s", "0s", "inf", "25h", "5 parsecs"}) {
    const auto interval = ParseInterval(text);
    EXPECT_TRUE(absl::IsInvalidArgument(interval.status())) << text;
    EXPECT_THAT(std::string(interval.status().message()),
                HasSubstr("such as 500ms, 5s, 2m or 1h"));
  }
}

}  // namespace
}  // namespace coord
