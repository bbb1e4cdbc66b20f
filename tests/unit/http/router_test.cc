#include "server/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_join.h"

namespace coord {
namespace {

class RouterTest : public ::testing::Test {
 protected:
  // A route that answers with its name and parameters.
  void Add(const std::string& method, const std::string& pattern) {
    router_.Add(
        method, pattern,
        [name = method + " " + pattern](
            HttpServerRequest, PathParameters parameters, HttpReply reply) {
          std::move(reply)(
              {200, {}, name + " [" + absl::StrJoin(parameters, "|") + "]"});
        });
  }

  HttpResponse Handle(std::string method, std::string path) {
    std::optional<HttpResponse> answer;
    router_.Handle(
        {std::move(method), std::move(path)},
        [&answer](HttpResponse response) { answer = std::move(response); });
    return *std::move(answer);
  }

  Router router_;
};

TEST_F(RouterTest, MatchesLiteralsAndDecodesParameters) {
  Add("DELETE", "/itResources/{}/servers/{}");
  EXPECT_EQ(Handle("DELETE", "/itResources/a%20b/servers/x@1").body,
            "DELETE /itResources/{}/servers/{} [a b|x@1]");
}

TEST_F(RouterTest, EscapedSlashStaysInItsSegment) {
  Add("GET", "/a/{}");
  EXPECT_EQ(Handle("GET", "/a/b%2Fc").body, "GET /a/{} [b/c]");
}

TEST_F(RouterTest, LiteralWinsOverParameterWhateverTheOrder) {
  Add("GET", "/a/{}");
  Add("GET", "/a/b");
  Add("GET", "/{}/b");
  EXPECT_EQ(Handle("GET", "/a/b").body, "GET /a/b []");
  EXPECT_EQ(Handle("GET", "/a/c").body, "GET /a/{} [c]");
  EXPECT_EQ(Handle("GET", "/c/b").body, "GET /{}/b [c]");
}

TEST_F(RouterTest, AllThatFollowsMatchesAnyMethodAndWinsOverNothing) {
  Add("POST", "/{}/{}/items");
  router_.AddAnyMethod(
      "/{}/{}/**", [](HttpServerRequest request, PathParameters parameters,
                      HttpReply reply) {
        std::move(reply)({200, {}, request.method + " ** " + parameters[1]});
      });
  Add("GET", "/a");
  EXPECT_EQ(Handle("POST", "/a/b/items").body, "POST /{}/{}/items [a|b]");
  EXPECT_EQ(Handle("GET", "/a/b/items").body, "GET ** b");
  EXPECT_EQ(Handle("HEAD", "/a/b/c/d//").body, "HEAD ** b");
  EXPECT_EQ(Handle("BREW", "/a/b").body, "BREW ** b");
  EXPECT_EQ(Handle("GET", "/a/b/").body, "GET ** b");
  EXPECT_EQ(Handle("POST", "/a").status, 405);
  EXPECT_EQ(Handle("GET", "/a/").status, 404);
}

TEST_F(RouterTest, ParameterMatchesNoEmptySegment) {
  Add("GET", "/a/{}");
  EXPECT_EQ(Handle("GET", "/a/").status, 404);
}

TEST_F(RouterTest, SegmentsMustAllMatch) {
  Add("GET", "/a/b");
  for (const char* path : {"/a", "/a/b/", "/a/b/c", "/A/b", "/", ""}) {
    EXPECT_EQ(Handle("GET", path).status, 404) << path;
  }
}

TEST_F(RouterTest, HeadIsAnsweredByGet) {
  Add("GET", "/a");
  EXPECT_EQ(Handle("HEAD", "/a").body, "GET /a []");
}

TEST_F(RouterTest, UnknownPathIs404Json) {
  const HttpResponse response = Handle("GET", "/nowhere");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(FindHeader(response.headers, "content-type"), "application/json");
  EXPECT_EQ(boost::json::parse(response.body),
            (boost::json::value{{"statusCode", 404},
                                {"title", "Not Found"},
                                {"message", "no route for /nowhere"}}));
}

TEST_F(RouterTest, OtherMethodIs405WithAllow) {
  Add("POST", "/a");
  Add("GET", "/a");
  Add("GET", "/{}");
  const HttpResponse response = Handle("PUT", "/a");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(FindHeader(response.headers, "allow"), "GET, HEAD, POST");
  EXPECT_THAT(response.body,
              ::testing::HasSubstr("method PUT is not allowed here"));
}

TEST(JsonErrorTest, EscapesWhatJsonCannotHold) {
  const HttpResponse response = JsonError(400, "a \"b\"\n\xff");
  EXPECT_EQ(boost::json::parse(response.body).at("message"), "a \"b\"\n%FF");
}

TEST(StatusTitleTest, UnknownHasATitleToo) {
  EXPECT_EQ(StatusTitle(431), "Request Header Fields Too Large");
  EXPECT_EQ(StatusTitle(299), "Unknown");
}

}  // namespace
}  // namespace coord
