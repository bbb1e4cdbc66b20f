#include "common/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/hash/hash_testing.h"

namespace coord {
namespace {

std::string Reprint(std::string_view url) {
  const absl::StatusOr<BaseUrl> parsed = ParseBaseUrl(url);
  return parsed.ok() ? parsed->ToString()
                     : std::string(parsed.status().message());
}

TEST(BaseUrlTest, TellsWhomToConnectTo) {
  const BaseUrl plain = *ParseBaseUrl("http://10.0.0.1:8080/mTest/v1");
  EXPECT_EQ(plain.origin, (Origin{false, "10.0.0.1", 8080}));
  EXPECT_EQ(plain.path, "/mTest/v1");
  EXPECT_EQ(plain.origin.HostHeader(), "10.0.0.1:8080");

  const BaseUrl tls = *ParseBaseUrl("https://example.org");
  EXPECT_EQ(tls.origin, (Origin{true, "example.org", 443}));
  EXPECT_EQ(tls.path, "");
  EXPECT_EQ(tls.origin.HostHeader(), "example.org");

  const BaseUrl v6 = *ParseBaseUrl("http://[2001:db8::1]:81/x");
  EXPECT_EQ(v6.origin, (Origin{false, "2001:db8::1", 81}));
  EXPECT_EQ(v6.origin.HostHeader(), "[2001:db8::1]:81");
}

TEST(BaseUrlTest, IsPrintedInOneWay) {
  EXPECT_EQ(Reprint("HTTP://Node_1.Local:80/Base/"),
            "http://node_1.local/Base");
  EXPECT_EQ(Reprint("https://a:443/"), "https://a");
  EXPECT_EQ(Reprint("http://a:443/b//"), "http://a:443/b");
  EXPECT_EQ(Reprint("http://[::1]"), "http://[::1]");
  EXPECT_EQ(Reprint("http://a/x%20y"), "http://a/x%20y");
}

TEST(BaseUrlTest, NamesTheRuleThatWasBroken) {
  const std::string scheme = "must be an absolute http or https URL";
  EXPECT_EQ(Reprint(""), scheme);
  EXPECT_EQ(Reprint("/path"), scheme);
  EXPECT_EQ(Reprint("10.0.0.1:80"), scheme);
  EXPECT_EQ(Reprint("ftp://a"), scheme);
  EXPECT_EQ(Reprint("http:/a"), scheme);
  EXPECT_EQ(Reprint(" http://a"), scheme);

  const std::string host = "must have a host name or an address";
  EXPECT_EQ(Reprint("http://"), host);
  EXPECT_EQ(Reprint("http:///x"), host);
  EXPECT_EQ(Reprint("http://:80"), host);
  EXPECT_EQ(Reprint("http://a b"), host);
  EXPECT_EQ(Reprint("http://a\r\n"), host);
  EXPECT_EQ(Reprint("http://a%20b"), host);
  EXPECT_EQ(Reprint("http://é"), host);
  EXPECT_EQ(Reprint("http://" + std::string(254, 'a')), host);

  const std::string port = "must have a port from 1 to 65535";
  EXPECT_EQ(Reprint("http://a:"), port);
  EXPECT_EQ(Reprint("http://a:0"), port);
  EXPECT_EQ(Reprint("http://a:65536"), port);
  EXPECT_EQ(Reprint("http://a:-1"), port);
  EXPECT_EQ(Reprint("http://a:+1"), port);
  EXPECT_EQ(Reprint("http://a:8o"), port);
  EXPECT_EQ(Reprint("http://::1"), host);
  EXPECT_EQ(Reprint("http://[::1]80"), port);
  EXPECT_EQ(Reprint("http://a:4294967376"), port);

  EXPECT_EQ(Reprint("http://[::1"), "must close its bracket");
  EXPECT_EQ(Reprint("http://[x]"), "must have an IPv6 address in its brackets");
  EXPECT_EQ(Reprint("http://[fe80::1%25eth0]"),
            "must have an IPv6 address in its brackets");
  EXPECT_EQ(Reprint("http://user@a"), "must not contain a user");
  EXPECT_EQ(Reprint("http://a@b:1/x"), "must not contain a user");
  EXPECT_EQ(Reprint("http://a/x?y"), "must not contain a query");
  EXPECT_EQ(Reprint("http://a?y"), "must not contain a query");
  EXPECT_EQ(Reprint("http://a/x#y"), "must not contain a fragment");
  EXPECT_EQ(Reprint("http://a\\b"), host);
  EXPECT_EQ(Reprint("http://a/../b"), "must not leave its base by ..");
  EXPECT_EQ(Reprint("http://a//b"), "must start with a single /");
  EXPECT_EQ(Reprint("http://a/b c"), "must not contain a space");
  EXPECT_EQ(Reprint("http://a/" + std::string(2040, 'b')),
            "must be at most 2048 bytes");
  EXPECT_EQ(Reprint("http://a/" + std::string(2039, 'b')).size(), 2048u);
}

TEST(OriginTest, EqualOriginsHashAlike) {
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(
      {Origin{}, Origin{true, "a", 80}, Origin{false, "a", 80},
       Origin{false, "a", 81}, Origin{false, "b", 80}}));
}

std::string Path(std::string_view path) {
  return std::string(CheckCallPath(path).message());
}

TEST(CallPathTest, OrdinaryPathsAreFine) {
  for (const char* path :
       {"/", "/a", "/a/b/", "/a//b", "/a.b/..c/...", "/a/%20b", "/~a;v=1",
        "/a@b:80", "/%E9t%C3%A9", "/a%2fb", "/a%5cb", "/a%25b", "/a+b&c=d"}) {
    EXPECT_EQ(Path(path), "") << path;
  }
  EXPECT_EQ(Path("/" + std::string(8191, 'a')), "");
}

TEST(CallPathTest, NoOtherHostCanBeNamed) {
  EXPECT_EQ(Path(""), "must start with /");
  EXPECT_EQ(Path("http://evil/"), "must start with /");
  EXPECT_EQ(Path("evil"), "must start with /");
  EXPECT_EQ(Path("@evil/"), "must start with /");
  EXPECT_EQ(Path("?x"), "must start with /");
  EXPECT_EQ(Path("//host"), "must start with a single /");
  EXPECT_EQ(Path("//"), "must start with a single /");
  EXPECT_EQ(Path("/\\host"), "must not contain a backslash");
}

TEST(CallPathTest, NoCharacterBreaksTheRequestLine) {
  EXPECT_EQ(Path("/a b"), "must not contain a space");
  EXPECT_EQ(Path("/a?b"), "must not contain ?");
  EXPECT_EQ(Path("/a#b"), "must not contain #");
  EXPECT_EQ(Path("/é"), "must be ASCII, other bytes as %XX");
  const std::string control = "must not contain control characters";
  EXPECT_EQ(Path("/a\r\nHost: evil"), control);
  EXPECT_EQ(Path("/a\t"), control);
  EXPECT_EQ(Path("/a\x7f"), control);
  EXPECT_EQ(Path(std::string_view("/a\0", 3)), control);
  EXPECT_EQ(Path("/" + std::string(8192, 'a')), "must be at most 8192 bytes");
}

TEST(CallPathTest, EscapesAreWhole) {
  for (const char* path : {"/%", "/%2", "/%2/", "/%zz", "/%2g", "/%%32e"}) {
    EXPECT_EQ(Path(path), "must not contain an incomplete %XX escape") << path;
  }
}

TEST(CallPathTest, NoControlCharacterHidesInAnEscape) {
  for (const char* path :
       {"/%00", "/a%0d%0ab", "/%7f", "/%2500", "/%25250a", "/%250%30"}) {
    EXPECT_EQ(Path(path), "must not contain encoded control characters")
        << path;
  }
}

TEST(CallPathTest, DotsMayStayInsideTheBase) {
  for (const char* path : {"/a/..", "/a/../b", "/a/b/../..", "/a/%2e%2e/b",
                           "/./a", "/a/./..", "/a/b%2f../"}) {
    EXPECT_EQ(Path(path), "") << path;
  }
}

TEST(CallPathTest, NoDotsLeaveTheBase) {
  for (const char* path :
       {"/..", "/../x", "/a/../../x", "/./../x", "/a//../../x",
        // encoded
        "/%2e%2e/x", "/.%2E/x", "/..%2fx", "/a/..%2f../x", "/a/%2e%2e%2f..",
        // encoded more than once
        "/%252e%252e/x", "/%25252e./x", "/%25%32%65%25%32%65/x", "/..%252f..",
        // backslashes that a server takes for slashes
        "/..%5cx", "/a/..%5c..%5cx", "/%5c../x",
        // parameters that a server drops
        "/..;/x", "/..;a=b/x", "/%2e%2e%3b/x", "/;/../x",
        // a segment that is two for one server and one for another
        "/a%2fb/../../x", "/a%2fb/%2e%2e/../x", "/a%5cb/../../x"}) {
    EXPECT_EQ(Path(path), "must not leave its base by ..") << path;
  }
}

TEST(CallPathTest, DeepEncodingCostsNoMoreThanItsLength) {
  std::string path = "/%";
  while (path.size() < 8000) path += "25";
  EXPECT_EQ(Path(path + "2e."), "must not leave its base by ..");
  EXPECT_EQ(Path(path + "41"), "");
}

TEST(QueryTest, FollowsItsRule) {
  for (const char* query : {"", "a=b&c=d", "a=?/../..//:@", "a=%0A%00%5C"}) {
    EXPECT_TRUE(CheckQuery(query).ok()) << query;
  }
  EXPECT_TRUE(CheckQuery(std::string(8192, 'a')).ok());
  EXPECT_EQ(CheckQuery(std::string(8193, 'a')).message(),
            "must be at most 8192 bytes");
  EXPECT_EQ(CheckQuery("a#b").message(), "must not contain #");
  EXPECT_EQ(CheckQuery("a b").message(), "must not contain a space");
  EXPECT_EQ(CheckQuery("a\\b").message(), "must not contain a backslash");
  EXPECT_EQ(CheckQuery("a\nb").message(),
            "must not contain control characters");
  EXPECT_EQ(CheckQuery("ü").message(), "must be ASCII, other bytes as %XX");
  EXPECT_EQ(CheckQuery("%4").message(),
            "must not contain an incomplete %XX escape");
}

TEST(PercentTest, DecodesOnceAndLeavesTheRest) {
  EXPECT_EQ(PercentDecode("a%20b%2Fc%2f"), "a b/c/");
  EXPECT_EQ(PercentDecode("%252e"), "%2e");
  EXPECT_EQ(PercentDecode("%"), "%");
  EXPECT_EQ(PercentDecode("%2"), "%2");
  EXPECT_EQ(PercentDecode("%zz%41"), "%zzA");
  EXPECT_EQ(PercentDecode("%00"), std::string("\0", 1));
  EXPECT_EQ(PercentDecode("%FF"), "\xFF");
}

TEST(PercentTest, EncodesAllButUnreserved) {
  EXPECT_EQ(PercentEncode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(PercentEncode("a b/%+@ü"), "a%20b%2F%25%2B%40%C3%BC");
}

TEST(PercentTest, EveryByteComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(PercentDecode(PercentEncode(bytes)), bytes);
}

}  // namespace
}  // namespace coord
