// One socket, plain or TLS.
#ifndef SERVER_HTTP_STREAM_H_
#define SERVER_HTTP_STREAM_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <string>

#include "common/url.h"
#include "server/http/socket_budget.h"

namespace coord {

struct Stream {
  using Tls = boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>;

  explicit Stream(boost::asio::io_context& io) : socket(io) {}
  // `tls` refers to `socket`.
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  SocketBudget::Permit permit;  // for the socket, given back after it
  boost::asio::ip::tcp::socket socket;
  std::unique_ptr<Tls> tls;  // nullptr: plain
};

// `error` as our messages have it: `connection refused`.
std::string ErrorText(const boost::system::error_code& error);
// `127.0.0.1:80`, `[::1]:80`.
std::string HostAndPort(const Origin& origin);

}  // namespace coord

#endif  // SERVER_HTTP_STREAM_H_
