// Makes connections: name, socket, TLS.
#ifndef SERVER_HTTP_CONNECTOR_H_
#define SERVER_HTTP_CONNECTOR_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/url.h"
#include "server/http/asio_loop.h"
#include "server/http/stream.h"

namespace coord {

// One attempt to reach an origin, all its addresses in order. Lives on the
// loop; held by its operations until it has finished or was cancelled.
class Connector : public std::enable_shared_from_this<Connector> {
 public:
  // Errors: UNAVAILABLE (`connect 127.0.0.1:80: no route to host`),
  // FAILED_PRECONDITION when the connection was refused, and RESOURCE_EXHAUSTED
  // when this process or machine is out of sockets, which says nothing about
  // the other side.
  using Done =
      absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Stream>>) &&>;

  Connector(AsioLoop& loop, boost::asio::ssl::context& tls, Origin origin);

  // `done` is called once and never inside Start, unless cancelled before.
  // `timeout` covers everything, name resolution and TLS included.
  void Start(absl::Duration timeout, Done done);
  void Cancel();

 private:
  using Endpoint = boost::asio::ip::tcp::endpoint;
  using ErrorCode = boost::system::error_code;

  void Resolve();
  void TryNext(ErrorCode last);
  void OnConnected(ErrorCode error);
  void Handshake();
  void Fail(std::string_view action, ErrorCode error);
  void FailHandshake(std::string_view cause);
  void Finish(absl::StatusOr<std::unique_ptr<Stream>> result);

  AsioLoop& loop_;
  boost::asio::ssl::context& tls_;
  const Origin origin_;
  Done done_;  // empty once finished
  TimerId timer_ = kNoTimer;
  boost::asio::ip::tcp::resolver resolver_;
  std::vector<Endpoint> endpoints_;
  std::size_t next_ = 0;
  std::unique_ptr<Stream> stream_;
};

}  // namespace coord

#endif  // SERVER_HTTP_CONNECTOR_H_
