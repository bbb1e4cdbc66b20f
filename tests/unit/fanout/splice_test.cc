#include "server/fanout/splice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/utf8.h"

namespace coord {
namespace {

using Kind = NodeBody::Kind;

template <typename... Parts>
std::string Join(const Parts&... parts) {
  std::string joined;
  (joined.append(parts), ...);
  return joined;
}

constexpr std::string_view kJson = "application/json; charset=utf-8";

class SpliceTest : public testing::Test {
 protected:
  // What `data` adds, with the kind checked on the way.
  std::string DataOf(const std::string& body) {
    const NodeBody found = reader_.Read(kJson, body);
    EXPECT_EQ(found.kind, Kind::kJson) << body;
    EXPECT_TRUE(found.has_data) << body;
    return std::string(found.data);
  }

  Kind KindOf(const std::string& body) {
    return reader_.Read(kJson, body).kind;
  }

  NodeBodyReader reader_;
};

TEST_F(SpliceTest, GenuineAnswerGivesDataAndServer) {
  const std::string body =
      R"({"data":{"a":[1,2]},"server":{"serverId":"node-1"}})";
  const NodeBody found = reader_.Read(kJson, body);
  EXPECT_EQ(found.kind, Kind::kJson);
  EXPECT_EQ(found.data, R"({"a":[1,2]})");
  EXPECT_GE(found.data.data(), body.data());
  EXPECT_LE(found.data.data() + found.data.size(), body.data() + body.size());
  EXPECT_TRUE(found.has_server);
  EXPECT_EQ(found.server_id, "node-1");
  EXPECT_FALSE(found.has_status_code);
}

TEST_F(SpliceTest, ArrayGivesWhatIsBetweenItsBrackets) {
  EXPECT_EQ(DataOf(R"({"data":[1,{"a":"]"},[2]]})"), R"(1,{"a":"]"},[2])");
  EXPECT_EQ(DataOf(R"({"data" : [ 1 , 2 ] , "x":0})"), "1 , 2");
}

TEST_F(SpliceTest, EmptyArrayAddsNothing) {
  EXPECT_EQ(DataOf(R"({"data":[]})"), "");
  EXPECT_EQ(DataOf("{\"data\":[ \n\t\r ]}"), "");
}

TEST_F(SpliceTest, AnyOtherValueIsTakenAsItStands) {
  for (std::string_view value :
       {"null", "true", "false", "0", "-0", "1.5e-3", "\"\"", "\"a\\n\\u00e9\"",
        "{}", "{ }", R"({"a": {"b" :[ ]}})", "\"]}\"", "\"\\\\\"",
        "\"é日𝄞\""}) {
    for (std::string_view format :
         {"{\"data\":$}", "{\"data\": $ }", "{\"x\":[0],\"data\":$,\"y\":{}}",
          " \n{ \"data\"\t:\r\n$\n,\"y\":1}\n "}) {
      std::string body(format);
      body.replace(body.find('$'), 1, value);
      EXPECT_EQ(DataOf(body), value) << body;
    }
  }
}

TEST_F(SpliceTest, NumbersOfAnySizeAreKeptDigitByDigit) {
  for (std::string_view number :
       {"18446744073709551616", "-123456789012345678901234567890", "1e400",
        "0.1234567890123456789012345678901234567890", "1E+2", "-0.0e-0"}) {
    EXPECT_EQ(DataOf(Join("{\"data\":", number, "}")), number);
    EXPECT_EQ(DataOf(Join("{\"data\":[", number, "]}")), number);
    EXPECT_EQ(KindOf(std::string(number)), Kind::kJson);
  }
}

TEST_F(SpliceTest, OfMembersThatAreThereTwiceTheLastCounts) {
  EXPECT_EQ(DataOf(R"({"data":1,"data":[2,3]})"), "2,3");
  const NodeBody found = reader_.Read(
      kJson, R"({"server":{"serverId":"a"},"server":{"serverId":"b"}})");
  EXPECT_EQ(found.server_id, "b");
  EXPECT_FALSE(reader_.Read(kJson, R"({"server":{"serverId":"a"},"server":{}})")
                   .has_server);
  EXPECT_FALSE(
      reader_.Read(kJson, R"({"server":{"serverId":"a","serverId":1}})")
          .has_server);
}

TEST_F(SpliceTest, EscapedNamesAreTheSameNames) {
  const std::string body =
      R"({"d\u0061ta":7,"serve\u0072":{"server\u0049d":"n\u002d1"},)"
      R"("status\u0043ode":400})";
  const NodeBody found = reader_.Read(kJson, body);
  EXPECT_EQ(found.data, "7");
  EXPECT_EQ(found.server_id, "n-1");
  EXPECT_TRUE(found.has_status_code);
}

TEST_F(SpliceTest, OnlyTopLevelMembersCount) {
  const NodeBody found = reader_.Read(
      kJson,
      R"({"x":{"data":1,"server":{"serverId":"a"},"statusCode":1},)"
      R"("server":{"data":2,"statusCode":3,"server":{"serverId":"b"}}})");
  EXPECT_EQ(found.kind, Kind::kJson);
  EXPECT_FALSE(found.has_data);
  EXPECT_FALSE(found.has_server);
  EXPECT_FALSE(found.has_status_code);
}

TEST_F(SpliceTest, ServerThatIsNoObjectOrNamesNoStringIsNone) {
  for (std::string_view server :
       {"null", "\"node-1\"", "[]", "{}", R"({"serverId":null})",
        R"({"serverId":1})", R"({"serverId":["node-1"]})", R"({"id":"x"})"}) {
    const std::string body = Join("{\"data\":1,\"server\":", server, "}");
    const NodeBody found = reader_.Read(kJson, body);
    EXPECT_EQ(found.kind, Kind::kJson) << body;
    EXPECT_FALSE(found.has_server) << body;
  }
}

TEST_F(SpliceTest, StatusCodeOfAnyKindIsSeen) {
  for (std::string_view value : {"404", "null", "\"x\"", "{}"}) {
    const std::string body = Join("{\"statusCode\":", value, "}");
    EXPECT_TRUE(reader_.Read(kJson, body).has_status_code) << body;
  }
}

TEST_F(SpliceTest, JsonThatIsNoObjectHasNoData) {
  for (std::string body : {"[]", "[{\"data\":1}]", " [1, 2] ", "null", "1",
                           " true\n", "\"data\"", "-1.5e3", "{}", " { } "}) {
    const NodeBody found = reader_.Read(kJson, body);
    EXPECT_EQ(found.kind, Kind::kJson) << body;
    EXPECT_FALSE(found.has_data) << body;
  }
}

TEST_F(SpliceTest, ContentTypeDecidesWhetherItIsJson) {
  const std::string body = R"({"data":1})";
  for (std::string_view type :
       {"application/json", "APPLICATION/JSON", "text/json",
        "application/json;charset=utf-8", "application/json ; charset=x",
        "application/problem+json", "application/vnd.mimik.v1+json; q=1"}) {
    EXPECT_EQ(reader_.Read(type, body).kind, Kind::kJson) << type;
    EXPECT_EQ(reader_.Read(type, "{").kind, Kind::kBad) << type;
  }
  for (std::string_view type :
       {"", "text/plain", "text/html; type=application/json",
        "application/jsonp", "application/json-seq", "json",
        "application/xml"}) {
    EXPECT_EQ(reader_.Read(type, body).kind, Kind::kNotJson) << type;
    EXPECT_EQ(reader_.Read(type, "{").kind, Kind::kNotJson) << type;
    EXPECT_FALSE(reader_.Read(type, body).has_data) << type;
  }
}

// What may stand where a value stands, and must not.
const std::vector<std::string> kBadValues = {"",
                                             "[",
                                             "]",
                                             "{",
                                             "}",
                                             "[1",
                                             "[1,",
                                             "[1,]",
                                             "[,1]",
                                             "[1 2]",
                                             "[1,,2]",
                                             "[1}",
                                             "{\"a\"}",
                                             "{\"a\":}",
                                             "{\"a\":1",
                                             "{\"a\":1,}",
                                             "{,}",
                                             "{\"a\" 1}",
                                             "{a:1}",
                                             "{1:1}",
                                             "{\"a\":1]",
                                             "{\"a\":1 \"b\":2}",
                                             "nul",
                                             "nulll",
                                             "truefalse",
                                             "tru",
                                             "True",
                                             "NaN",
                                             "Infinity",
                                             "undefined",
                                             "01",
                                             "-",
                                             "-01",
                                             "+1",
                                             ".5",
                                             "5.",
                                             "1.e3",
                                             "1e",
                                             "1e+",
                                             "1e+-1",
                                             "0x10",
                                             "1_0",
                                             "--1",
                                             "1 1",
                                             "1.2.3",
                                             "\"",
                                             "\"a",
                                             "'a'",
                                             "\"\\x\"",
                                             "\"\\u12\"",
                                             "\"\\u12g4\"",
                                             "\"\\",
                                             "\"\\\"",
                                             "\"a\" \"b\"",
                                             "\"a\"1",
                                             "\"a\"b",
                                             "1\"a\"",
                                             "[\"a\"\"b\"]",
                                             "\"\\ud800\"",
                                             "\"\\ud800\\u0041\"",
                                             "\"\\udc00\"",
                                             std::string("\"\0\"", 3),
                                             "\"\n\"",
                                             "\"\t\"",
                                             "\"\x1f\"",
                                             "\"\xff\"",
                                             "\"\xc3\"",
                                             "\"\xc0\xaf\"",
                                             "\"\xed\xa0\x80\"",
                                             "\"\xf4\x90\x80\x80\"",
                                             "\xef\xbb\xbf"
                                             "1",
                                             "/*c*/1",
                                             "1//c",
                                             std::string("1\0", 2),
                                             "\f1",
                                             "\xc2\xa0"
                                             "1"};

TEST_F(SpliceTest, BadValueAnywhereSpoilsTheWholeAnswer) {
  for (const std::string& bad : kBadValues) {
    for (std::string_view format :
         {"$", "{\"data\":$}", "{\"data\":[$]}", "{\"data\":[0,$]}",
          "{\"data\":{\"a\":$}}", "{\"data\":1,\"x\":$}",
          "{\"x\":$,\"data\":1}", "{\"server\":$,\"data\":1}",
          "{\"server\":{\"serverId\":$}}",
          "{\"server\":{\"serverId\":\"a\",\"x\":$}}", "{\"statusCode\":$}",
          "{\"data\":1,\"x\":{\"y\":[$]}}"}) {
      std::string body(format);
      body.replace(body.find('$'), 1, bad);
      if (bad.empty() && body.find("[]") != std::string::npos) continue;
      EXPECT_EQ(KindOf(body), Kind::kBad) << body;
    }
  }
}

TEST_F(SpliceTest, AnythingBehindTheDocumentIsBad) {
  for (std::string_view document :
       {R"({"data":1})", "{}", "[]", "[1]", "1", "null", "\"a\""}) {
    for (std::string_view tail :
         {"}", "]", "x", ",", "{}", " 1", "\n{\"data\":1}", "\"", " null",
          "\xff", ":", "/"}) {
      const std::string body = Join(document, tail);
      EXPECT_EQ(KindOf(body), Kind::kBad) << body;
    }
    EXPECT_EQ(KindOf(Join(document, std::string_view("\0", 1))), Kind::kBad);
    EXPECT_EQ(KindOf(Join(document, " \r\n\t ")), Kind::kJson);
  }
}

TEST_F(SpliceTest, EmptyOrBlankBodyIsBad) {
  EXPECT_EQ(KindOf(""), Kind::kBad);
  EXPECT_EQ(KindOf(" \n"), Kind::kBad);
}

TEST_F(SpliceTest, EveryTruncationOfAGoodAnswerIsBad) {
  const std::string body = R"({"data":[{"a":"é\n","b":-1.5e3},[true,null]],)"
                           R"("server":{"serverId":"node-1"},"more":{"x":[]}})";
  ASSERT_EQ(KindOf(body), Kind::kJson);
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_EQ(KindOf(body.substr(0, size)), Kind::kBad) << size;
  }
}

TEST_F(SpliceTest, NestingIsLimitedWithoutHarm) {
  const auto nested = [](int depth) {
    return Join("{\"data\":", std::string(depth, '['), std::string(depth, ']'),
                "}");
  };
  EXPECT_EQ(KindOf(nested(500)), Kind::kJson);
  EXPECT_EQ(KindOf(nested(600)), Kind::kBad);
  EXPECT_EQ(KindOf(nested(1'000'000)), Kind::kBad);
  EXPECT_EQ(KindOf(std::string(1'000'000, '[')), Kind::kBad);
  EXPECT_EQ(DataOf(R"({"data":1})"), "1");
}

TEST_F(SpliceTest, ReaderIsAsGoodAfterBadAndLargeBodies) {
  const std::string large =
      Join("{\"data\":\"", std::string(3 << 20, 'x'), "\"}");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(DataOf(large).size(), (3u << 20) + 2);
    EXPECT_EQ(KindOf("{\"data\":[1,2"), Kind::kBad);
    EXPECT_EQ(DataOf(R"({"data":[1]})"), "1");
  }
}

// A second opinion: what Boost.JSON finds good, of texts that both are meant
// to treat alike.
bool BoostAccepts(const std::string& text) {
  if (!IsValidUtf8(text)) return false;
  boost::json::error_code error;
  boost::json::parse(text, error);
  return !error;
}

TEST_F(SpliceTest, MutatedAnswersAreJudgedAsAnotherParserJudgesThem) {
  const std::vector<std::string> seeds = {
      R"({"data":[1,-2.5e+3,"a\"b\\c\u00e9"],"server":{"serverId":"n"}})",
      R"({"data":{"a":{},"b":[],"c":[[0]],"d":null},"x":true})",
      R"([{"data":false}, "é日", 0.5 ])", R"("text\/\b")", "-10.25E-1"};
  const std::string alphabet = "{}[]\",:\\ \n0123456789.-+eEtrufalsn\x80\xc3u/";
  std::mt19937 random(20261124);
  const auto below = [&](std::size_t n) { return random() % n; };
  int good = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text = seeds[below(seeds.size())];
    for (std::size_t edits = 1 + below(3); edits > 0 && !text.empty();
         --edits) {
      const std::size_t at = below(text.size());
      const char letter = alphabet[below(alphabet.size())];
      switch (below(3)) {
        case 0:
          text[at] = letter;
          break;
        case 1:
          text.insert(at, 1, letter);
          break;
        default:
          text.erase(at, 1 + below(2));
      }
    }
    const NodeBody found = reader_.Read(kJson, text);
    const bool accepted = found.kind == Kind::kJson;
    ASSERT_EQ(accepted, BoostAccepts(text)) << text;
    if (!accepted) continue;
    ++good;
    ASSERT_TRUE(BoostAccepts(Join("[", found.data, "]"))) << text;
  }
  EXPECT_GT(good, 10'000);
}

}  // namespace
}  // namespace coord
