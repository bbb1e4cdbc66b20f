// A clustered service, as a fan-out or a peer meets it.
#ifndef TESTS_SUPPORT_HTTP_NODE_H_
#define TESTS_SUPPORT_HTTP_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/http/asio_loop.h"
#include "server/http/listener.h"

namespace coord {

// Serves the node API and answers every other request with
// `{"data":[{"id":"<id>"}],"server":{"serverId":"<id>"}}`, unless the test
// gives a handler of its own. Requests are handled on `loop`, which outlives
// it.
class HttpNode {
 public:
  // Port 0: any free one.
  HttpNode(AsioLoop& loop, std::string server_id, std::uint16_t port = 0);
  ~HttpNode();

  // Takes the place of the usual answer.
  void AnswerBy(HttpHandler handler);

  std::string base_url() const;
  std::uint16_t port() const { return listener_->port(); }
  const std::string& server_id() const { return server_id_; }

  // Requests so far: joins, leaves (probes count as such), all others.
  int joins() const;
  int leaves() const;
  int calls() const;
  // Waits until so many requests that are neither join nor leave have come.
  void WaitForCalls(int calls) const;
  void WaitForJoins(int joins) const;

  // `{"data":<data>,"server":{"serverId":"<id>"}}`.
  std::string Answer(const std::string& data) const;

 private:
  void Handle(HttpServerRequest request, HttpReply reply);
  HttpHandler Count(const HttpServerRequest& request);

  const std::string server_id_;
  mutable absl::Mutex mutex_;
  HttpHandler handler_ ABSL_GUARDED_BY(mutex_);
  int joins_ ABSL_GUARDED_BY(mutex_) = 0;
  int leaves_ ABSL_GUARDED_BY(mutex_) = 0;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_HTTP_NODE_H_
