#include "tests/support/http_node.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/http/router.h"

namespace coord {

HttpNode::HttpNode(AsioLoop& loop, std::string server_id, std::uint16_t port)
    : server_id_(std::move(server_id)) {
  HttpListenerOptions options;
  options.port = port;
  listener_ = *HttpListener::Start(
      loop, options, [this](HttpServerRequest request, HttpReply reply) {
        Handle(std::move(request), std::move(reply));
      });
}

HttpNode::~HttpNode() { listener_.reset(); }

void HttpNode::AnswerBy(HttpHandler handler) {
  absl::MutexLock lock(&mutex_);
  handler_ = std::move(handler);
}

std::string HttpNode::base_url() const {
  return absl::StrCat("http://", listener_->address());
}

int HttpNode::joins() const {
  absl::MutexLock lock(&mutex_);
  return joins_;
}

int HttpNode::leaves() const {
  absl::MutexLock lock(&mutex_);
  return leaves_;
}

int HttpNode::calls() const {
  absl::MutexLock lock(&mutex_);
  return calls_;
}

void HttpNode::WaitForCalls(int calls) const {
  auto came = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return calls_ >= calls;
  };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&came));
}

void HttpNode::WaitForJoins(int joins) const {
  auto came = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return joins_ >= joins;
  };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&came));
}

std::string HttpNode::Answer(const std::string& data) const {
  return absl::StrCat(R"({"data":)", data, R"(,"server":{"serverId":")",
                      server_id_, R"("}})");
}

// Returns the test's handler where it is to answer.
HttpHandler HttpNode::Count(const HttpServerRequest& request) {
  const bool node_api = absl::StrContains(request.path, "/itResources");
  absl::MutexLock lock(&mutex_);
  if (node_api && request.method == "POST") {
    ++joins_;
    return nullptr;
  }
  if (node_api && request.method == "DELETE") {
    ++leaves_;
    return nullptr;
  }
  ++calls_;
  return handler_;
}

void HttpNode::Handle(HttpServerRequest request, HttpReply reply) {
  if (HttpHandler handler = Count(request)) {
    handler(std::move(request), std::move(reply));
    return;
  }
  const std::string data =
      absl::StrContains(request.path, "/itResources")
          ? "null"
          : absl::StrCat(R"([{"id":")", server_id_, R"("}])");
  std::move(reply)(JsonAnswer(200, Answer(data)));
}

}  // namespace coord
