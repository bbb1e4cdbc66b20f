#include "server/http/connector.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/text_view.h"
#include "server/http/tls.h"

namespace coord {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// Whether the cause lies here and not at the other side.
bool IsLocalExhaustion(const boost::system::error_code& error) {
  namespace errc = boost::system::errc;
  return error == errc::too_many_files_open ||
         error == errc::too_many_files_open_in_system ||
         error == errc::no_buffer_space || error == errc::not_enough_memory ||
         error == errc::address_not_available;
}

std::string HandshakeFault(const boost::system::error_code& error) {
  const bool is_plain =
      error.category() == asio::error::get_ssl_category() &&
      ERR_GET_REASON(static_cast<unsigned long>(error.value())) ==
          SSL_R_WRONG_VERSION_NUMBER;
  return absl::StrCat(ErrorText(error),
                      is_plain ? "; the server seems not to speak TLS" : "");
}

}  // namespace

Connector::Connector(AsioLoop& loop, asio::ssl::context& tls, Origin origin)
    : loop_(loop),
      tls_(tls),
      origin_(std::move(origin)),
      resolver_(loop.io_context()) {}

void Connector::Start(absl::Duration timeout, Done done) {
  done_ = std::move(done);
  if (timeout < absl::InfiniteDuration()) {
    timer_ = loop_.RunAfter(timeout, [self = shared_from_this(), timeout] {
      self->timer_ = kNoTimer;
      self->Finish(absl::UnavailableError(absl::StrCat(
          "connect ", HostAndPort(self->origin_), ": no connection within ",
          absl::FormatDuration(timeout))));
    });
  }
  ErrorCode error;
  const asio::ip::address address = asio::ip::make_address(origin_.host, error);
  if (error) {
    Resolve();
  } else {
    endpoints_.emplace_back(address, origin_.port);
    TryNext({});
  }
}

void Connector::Cancel() {
  done_ = nullptr;
  loop_.Cancel(std::exchange(timer_, kNoTimer));
  resolver_.cancel();
  ErrorCode ignored;
  if (stream_) stream_->socket.close(ignored);
}

void Connector::Resolve() {
  resolver_.async_resolve(
      origin_.host, std::to_string(origin_.port),
      tcp::resolver::numeric_service,
      [self = shared_from_this()](ErrorCode error,
                                  const tcp::resolver::results_type& results) {
        if (!self->done_) return;
        if (error) return self->Fail("resolve", error);
        for (const auto& result : results) {
          self->endpoints_.push_back(result.endpoint());
        }
        self->TryNext(asio::error::host_not_found);
      });
}

void Connector::TryNext(ErrorCode last) {
  if (next_ == endpoints_.size()) return Fail("connect", last);
  stream_ = std::make_unique<Stream>(loop_.io_context());
  stream_->socket.async_connect(endpoints_[next_++],
                                [self = shared_from_this()](ErrorCode error) {
                                  if (self->done_) self->OnConnected(error);
                                });
}

void Connector::OnConnected(ErrorCode error) {
  if (!error) {
    // A reset that came with the connection shows here.
    stream_->socket.set_option(tcp::no_delay(true), error);
  }
  if (!error) stream_->socket.non_blocking(true, error);
  // A socket may connect to itself when nobody listens on an ephemeral port of
  // this machine.
  if (!error &&
      stream_->socket.local_endpoint(error) == endpoints_[next_ - 1]) {
    error = asio::error::connection_refused;
  }
  if (error) return TryNext(error);
  if (origin_.tls) return Handshake();
  Finish(std::move(stream_));
}

void Connector::Handshake() {
  stream_->tls = std::make_unique<Stream::Tls>(stream_->socket, tls_);
  auto fault = std::make_shared<std::string>();
  if (const absl::Status expected =
          ExpectServer(*stream_->tls, origin_.host, fault);
      !expected.ok()) {
    return FailHandshake(StdView(expected.message()));
  }
  stream_->tls->async_handshake(
      asio::ssl::stream_base::client,
      [self = shared_from_this(), fault = std::move(fault)](ErrorCode failure) {
        if (!self->done_) return;
        if (!failure) return self->Finish(std::move(self->stream_));
        self->FailHandshake(
            fault->empty()
                ? HandshakeFault(failure)
                : absl::StrCat("certificate verify failed: ", *fault));
      });
}

void Connector::FailHandshake(std::string_view cause) {
  Finish(absl::UnavailableError(absl::StrCat(
      "tls handshake with ", HostAndPort(origin_), ": ", AbslView(cause))));
}

void Connector::Fail(std::string_view action, ErrorCode error) {
  const std::string message = absl::StrCat(
      AbslView(action), " ", HostAndPort(origin_), ": ", ErrorText(error));
  if (IsLocalExhaustion(error)) {
    Finish(absl::ResourceExhaustedError(message));
  } else if (error == asio::error::connection_refused) {
    Finish(absl::FailedPreconditionError(message));
  } else {
    Finish(absl::UnavailableError(message));
  }
}

void Connector::Finish(absl::StatusOr<std::unique_ptr<Stream>> result) {
  Done done = std::move(done_);
  Cancel();
  std::move(done)(std::move(result));
}

}  // namespace coord
