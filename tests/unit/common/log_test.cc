#include "common/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <boost/json.hpp>
#include <functional>

#include "absl/strings/str_split.h"
#include "common/text_view.h"

namespace coord {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// What `log` writes to standard error.
std::string Logged(LogFormat format, std::string_view level,
                   const std::function<void()>& log) {
  testing::internal::CaptureStderr();
  EXPECT_TRUE(SetUpLogging(format, level).ok());
  log();
  return testing::internal::GetCapturedStderr();
}

std::string Text(const std::string& line) {
  return Logged(LogFormat::kText, "info", [&] { spdlog::info("{}", line); });
}

boost::json::object Json(const std::string& line) {
  const std::string logged =
      Logged(LogFormat::kJson, "info", [&] { spdlog::info("{}", line); });
  EXPECT_EQ(logged.find('\n'), logged.size() - 1) << logged;
  boost::json::error_code error;
  const auto value = boost::json::parse(logged, error);
  EXPECT_FALSE(error) << logged;
  return value.is_object() ? value.get_object() : boost::json::object();
}

TEST(FieldsTest, QuotesOnlyWhereNeeded) {
  EXPECT_EQ(Fields({}), "");
  EXPECT_EQ(Fields({{"type", "mTest"}, {"url", "http://a:1/x?y"}}),
            " type=mTest url=http://a:1/x?y");
  EXPECT_EQ(Fields({{"q", "a=b"}, {"w", "two words"}, {"u", "ü"}}),
            " q=\"a=b\" w=\"two words\" u=\"ü\"");
}

TEST(FieldsTest, ValuesCannotForgeAFieldOrALine) {
  EXPECT_EQ(Fields({{"a", "x b=y"}}), " a=\"x b=y\"");
  EXPECT_EQ(Fields({{"a", "x\n2026 error b"}}), " a=\"x\\n2026 error b\"");
  EXPECT_EQ(Fields({{"a", "\" b=\"y"}}), " a=\"\\\" b=\\\"y\"");
  EXPECT_EQ(Fields({{"a", "\\"}}), " a=\"\\\\\"");
  EXPECT_EQ(Fields({{"a", ""}}), " a=\"\"");
  EXPECT_EQ(Fields({{"a", "\x1b[31m\x7f"}}), " a=\"\\u001b[31m\\u007f\"");
  EXPECT_EQ(Fields({{"a", "ü\xFF"}}), " a=\"ü%FF\"");
}

TEST(TextLogTest, IsTimeLevelAndLine) {
  EXPECT_THAT(
      Text("registered" + Fields({{"server_id", "n1"}})),
      MatchesRegex("20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
                   "\\.[0-9]{3}Z info registered server_id=n1\n"));
}

TEST(TextLogTest, OneEventIsOneLine) {
  EXPECT_THAT(Text("bad answer: a\r\nb\xFF\x1b"),
              HasSubstr("bad answer: a\\u000d\\nb%FF\\u001b\n"));
}

TEST(JsonLogTest, FieldsBecomeMembers) {
  const auto line = Json(
      "registered" + Fields({{"type", "mTest"}, {"why", "a \"b\"\n\\ü=\x01"}}));
  EXPECT_EQ(line.at("level"), "info");
  EXPECT_EQ(line.at("message"), "registered");
  EXPECT_THAT(std::string(line.at("time").as_string()),
              MatchesRegex(".*T.*\\.[0-9]{3}Z"));
  EXPECT_EQ(
      line.at("fields"),
      (boost::json::value{{"type", "mTest"}, {"why", "a \"b\"\n\\ü=\x01"}}));
}

TEST(JsonLogTest, WhatHasNoFieldsIsAllMessage) {
  for (const char* text :
       {"", "started", "a=b", "x a=b c", "x a=\"b", "x a=\"\\q\"",
        "x a=", "x a=\"b\"c", "x =b", "quote \" and \\", "x a=b "}) {
    const auto line = Json(text);
    EXPECT_EQ(line.at("message"), text);
    EXPECT_FALSE(line.contains("fields")) << text;
  }
}

TEST(JsonLogTest, OnlyTheTailIsFields) {
  const auto line = Json("from a=1 to b=2 done" + Fields({{"c", "3"}}));
  EXPECT_EQ(line.at("message"), "from a=1 to b=2 done");
  EXPECT_EQ(line.at("fields"), (boost::json::value{{"c", "3"}}));
}

TEST(JsonLogTest, AnyBytesMakeValidJson) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  const auto line = Json(bytes + Fields({{"a", bytes}}));
  EXPECT_THAT(std::string(line.at("message").as_string()), HasSubstr("%FF"));
  EXPECT_THAT(std::string(line.at("fields").at("a").as_string()),
              HasSubstr("%80%81"));
}

TEST(LogLevelTest, WhatIsBelowIsLeftOut) {
  const auto log_all = [] {
    spdlog::debug("a");
    spdlog::info("b");
    spdlog::warn("c");
    spdlog::error("d");
  };
  const std::string warn = Logged(LogFormat::kText, "warn", log_all);
  EXPECT_THAT(warn, HasSubstr(" warning c\n"));
  EXPECT_THAT(warn, HasSubstr(" error d\n"));
  EXPECT_EQ(warn.find(" info "), warn.npos);
  EXPECT_EQ(Logged(LogFormat::kText, "off", log_all), "");
  const std::string debug = Logged(LogFormat::kText, "debug", log_all);
  EXPECT_THAT(debug, HasSubstr(" debug a\n"));
}

TEST(LogLevelTest, UnknownLevelIsRefusedWithWhatIsAllowed) {
  for (const char* level : {"", "INFO", "warning", "loud\n"}) {
    const absl::Status status = SetUpLogging(LogFormat::kText, level);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("must be trace, debug, info, warn, error or off"));
  }
}

}  // namespace
}  // namespace coord
