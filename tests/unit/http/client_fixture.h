// What the tests of the client share.
#ifndef TESTS_UNIT_HTTP_CLIENT_FIXTURE_H_
#define TESTS_UNIT_HTTP_CLIENT_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "server/http/client.h"
#include "tests/support/client_resources.h"
#include "tests/support/on_loop.h"
#include "tests/support/raw_server.h"

namespace coord {

class HttpClientTest : public ::testing::Test {
 protected:
  using Outcome = Promised<HttpOutcome>;

  ~HttpClientTest() override {
    OnLoop(loop_, [this] { client_.reset(); });
    resources_->Stop();
  }

  // Made with `options_` by the first call.
  HttpClient& client() {
    if (!client_)
      client_ = *HttpClient::Create(loop_, resources_->get(), options_);
    return *client_;
  }

  static HttpRequest Get(const RawServer& server, std::string target = "/") {
    return {.origin = server.origin(),
            .target = std::move(target),
            .repeatable = true};
  }

  RequestId Send(HttpRequest request, Outcome& outcome) {
    return OnLoop(loop_, [&] {
      return client().Send(std::move(request), [&outcome](HttpOutcome o) {
        outcome.Set(std::move(o));
      });
    });
  }

  // Sends and waits.
  HttpOutcome Fetch(HttpRequest request) {
    Outcome outcome;
    Send(std::move(request), outcome);
    return outcome.Take();
  }

  HttpResponse Answer(HttpRequest request) {
    return AnswerOf(Fetch(std::move(request)));
  }

  HttpError Error(HttpRequest request) {
    return ErrorOf(Fetch(std::move(request)));
  }

  static HttpResponse AnswerOf(HttpOutcome outcome) {
    if (const auto* error = std::get_if<HttpError>(&outcome)) {
      ADD_FAILURE() << error->message;
      return {};
    }
    return std::get<HttpResponse>(std::move(outcome));
  }

  static HttpError ErrorOf(HttpOutcome outcome) {
    if (const auto* response = std::get_if<HttpResponse>(&outcome)) {
      ADD_FAILURE() << "answered with " << response->status;
      return {};
    }
    return std::get<HttpError>(std::move(outcome));
  }

  bool Cancel(RequestId id) {
    return OnLoop(loop_, [&] { return client().Cancel(id).sent; });
  }

  HttpClientStats Stats() {
    return OnLoop(loop_, [this] { return client().Stats(); });
  }

  HttpClientOptions options_;
  std::unique_ptr<TestResources> resources_ = std::make_unique<TestResources>();
  AsioLoop loop_{"client-test"};
  std::unique_ptr<HttpClient> client_;
};

}  // namespace coord

#endif  // TESTS_UNIT_HTTP_CLIENT_FIXTURE_H_
