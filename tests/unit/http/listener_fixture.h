// What the tests of the listener share.
#ifndef TESTS_UNIT_HTTP_LISTENER_FIXTURE_H_
#define TESTS_UNIT_HTTP_LISTENER_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/http/listener.h"
#include "tests/support/on_loop.h"
#include "tests/support/raw_client.h"

namespace coord {

class HttpListenerTest : public ::testing::Test {
 protected:
  void Start(HttpHandler handler) {
    auto listener = HttpListener::Start(loop_, options_, std::move(handler));
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  // Answers with `<method> <path>?<query> <body>`.
  void StartEcho() {
    Start([](HttpServerRequest request, HttpReply reply) {
      std::move(reply)({200,
                        {{"x-echo", "1"}},
                        absl::StrCat(request.method, " ", request.path, "?",
                                     request.query, " ", request.body)});
    });
  }

  RawClient Connect() { return RawClient(listener_->port()); }

  // Everything the listener sends until it closes.
  std::string Talk(std::string_view bytes) {
    RawClient client = Connect();
    client.Write(bytes);
    return client.ReadAll();
  }

  HttpListenerOptions options_;
  AsioLoop loop_{"listener-test"};
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace coord

#endif  // TESTS_UNIT_HTTP_LISTENER_FIXTURE_H_
