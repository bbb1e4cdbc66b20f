#include "server/node/local_proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "tests/unit/node/fake_verifier.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

using ::testing::HasSubstr;

// Server a is a service at http://127.0.0.1:8080/base.
class LocalProxyTest : public NodeFixture {
 protected:
  LocalProxyTest() {
    Restart({.advertised_address = "clusterd.test:7780"});
    RegisterCommand command = Command("a");
    command.server.cluster_base_url.clear();
    command.local_base_url = "http://127.0.0.1:8080/base";
    Registered(command);
  }

  void Ask(HttpServerRequest request) {
    answer_.reset();
    proxy_.emplace(loop_, transport_, *registrar_, verifier_,
                   LocalProxyOptions{.request_timeout = absl::Seconds(10),
                                     .max_answer_bytes = 1234});
    Router router;
    proxy_->AddTo(router);
    router.Handle(std::move(request),
                  [this](HttpResponse answer) { answer_ = std::move(answer); });
    Settle();
  }
  void Get(const std::string& path) { Ask({.method = "GET", .path = path}); }

  const std::string& tail() const {
    return *transport_.requests[0].request.tail;
  }

  const NodeTokenVerifier* verifier_ = nullptr;
  std::optional<LocalProxy> proxy_;
  std::optional<HttpResponse> answer_;
};

TEST_F(LocalProxyTest, PassesMethodPathQueryHeadersAndBodyOn) {
  Ask({.method = "PATCH",
       .path = "/mTest/a/items/%2Fx",
       .query = "q=%20&q=2",
       .headers = {{"Host", "clusterd.test:7780"},
                   {"X-Own", "1"},
                   {"X-Correlation-Id", "abc@1/D"}},
       .body = "hello"});
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "PATCH http://127.0.0.1:8080/base/items/%2Fx?q=%20&q=2");
  EXPECT_EQ(tail(),
            "X-Own: 1\r\n"
            "accept-encoding: identity\r\n"
            "x-correlation-id: abc@2/D\r\n"
            "via: 1.1 clusterd\r\n"
            "Content-Length: 5\r\n\r\nhello");
  EXPECT_EQ(transport_.requests[0].request.max_body_bytes, 1234u);
  EXPECT_FALSE(transport_.requests[0].request.repeatable);
  transport_.Answer(200, "[1]");
  ASSERT_TRUE(answer_.has_value());
  EXPECT_EQ(answer_->status, 200);
  EXPECT_EQ(answer_->body, NodeAnswer("[1]", "a"));
  EXPECT_EQ(FindHeader(answer_->headers, "x-correlation-id"), "abc@2/D");
}

TEST_F(LocalProxyTest, TheBareAddressIsTheBareBase) {
  Get("/mTest/a");
  EXPECT_EQ(Sent(), "GET http://127.0.0.1:8080/base");
  transport_.Answer(200, "1");
  Get("/mTest/a/");
  EXPECT_EQ(Sent(), "GET http://127.0.0.1:8080/base/");
  EXPECT_TRUE(transport_.requests[0].request.repeatable);
}

TEST_F(LocalProxyTest, APathThatLeavesTheBaseIs400) {
  Get("/mTest/a/x/%2e%2e/../secret");
  EXPECT_EQ(Requests(), 0u);
  ASSERT_TRUE(answer_.has_value());
  EXPECT_EQ(answer_->status, 400);
  EXPECT_THAT(answer_->body, HasSubstr("path must not"));
}

TEST_F(LocalProxyTest, AServerThatIsNotRegisteredHereIs404) {
  Get("/mTest/b/x");
  ASSERT_TRUE(answer_.has_value());
  EXPECT_EQ(answer_->status, 404);
  EXPECT_THAT(answer_->body,
              HasSubstr("find mTest/b: it is not registered here"));
}

TEST_F(LocalProxyTest, OneThatHasItsOwnAddressIs404AndTold) {
  Registered(Command("b"));
  Get("/mTest/b/x");
  ASSERT_TRUE(answer_.has_value());
  EXPECT_EQ(answer_->status, 404);
  EXPECT_THAT(answer_->body,
              HasSubstr("mTest/b serves its other routes itself, at "
                        "http://b.test/x"));
}

TEST_F(LocalProxyTest, ATokenIsAskedForWhereOneIsVerified) {
  const FakeVerifier verifier;
  verifier_ = &verifier;
  Get("/mTest/a/x");
  ASSERT_TRUE(answer_.has_value());
  EXPECT_EQ(answer_->status, 403);
  EXPECT_THAT(answer_->body, HasSubstr("bad token"));
  EXPECT_EQ(Requests(), 0u);
  Ask({.method = "GET",
       .path = "/mTest/a/x",
       .headers = {{"Authorization", "good"}}});
  ASSERT_EQ(Requests(), 1u);
  EXPECT_THAT(tail(), HasSubstr("Authorization: good\r\n"));
}

TEST_F(LocalProxyTest, ADeadServiceIs502AndASilentOne504) {
  Get("/mTest/a/x");
  transport_.Fail(HttpError::Kind::kUnreachable, false);
  ASSERT_TRUE(answer_.has_value());
  EXPECT_EQ(answer_->status, 502);
  EXPECT_THAT(answer_->body, HasSubstr("made to fail"));
  Get("/mTest/a/x");
  Advance(absl::Seconds(10));
  ASSERT_TRUE(answer_.has_value());
  EXPECT_EQ(answer_->status, 504);
  EXPECT_THAT(FindHeader(answer_->headers, "x-correlation-id"),
              HasSubstr("@0/"));
}

}  // namespace
}  // namespace coord
