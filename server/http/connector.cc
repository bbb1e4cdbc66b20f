#include "server/http/connector.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/text_view.h"
#include "server/http/tls.h"

namespace coord {
namespace asio = boost::asio;

namespace {

std::string HandshakeFault(const boost::system::error_code& error) {
  const bool is_plain =
      error.category() == asio::error::get_ssl_category() &&
      ERR_GET_REASON(static_cast<unsigned long>(error.value())) ==
          SSL_R_WRONG_VERSION_NUMBER;
  return absl::StrCat(ErrorText(error),
                      is_plain ? "; the server seems not to speak TLS" : "");
}

bool IsAmong(const Addresses& addresses, const Stream& stream) {
  boost::system::error_code error;
  const auto peer = stream.socket.remote_endpoint(error);
  return !error && std::find(addresses.begin(), addresses.end(),
                             peer.address()) != addresses.end();
}

}  // namespace

void Connector::Start(absl::Duration timeout, Done done) {
  timeout_ = timeout;
  done_ = std::move(done);
  race_ = std::make_shared<AddressRace>(loop_, resources_.sockets, origin_);
  ErrorCode error;
  const asio::ip::address address = asio::ip::make_address(origin_.host, error);
  if (error) {
    Resolve();
  } else {
    OnAddresses({address}, /*last=*/true);
  }
}

void Connector::Cancel() {
  done_ = nullptr;
  loop_.Cancel(std::exchange(timer_, kNoTimer));
  place_ = nullptr;
  if (race_) race_->Cancel();
  ErrorCode ignored;
  if (stream_) stream_->socket.close(ignored);
}

void Connector::Resolve() {
  name_status_ = absl::UnavailableError("no answer from the DNS");
  resources_.names.Resolve(
      origin_.host,
      [&loop = loop_, weak = weak_from_this()](const NameAnswer& answer) {
        loop.Post([weak, answer] {
          const auto self = weak.lock();
          if (self != nullptr && self->done_) self->OnName(answer);
        });
      });
}

void Connector::OnName(const NameAnswer& answer) {
  if (phase_ == Phase::kHandshaking) {
    if (answer.status.ok() && IsAmong(answer.addresses, *stream_)) {
      name_status_ = absl::OkStatus();
    }
    return;
  }
  name_status_ = answer.status;
  if (!answer.addresses.empty()) {
    OnAddresses(answer.addresses, answer.last);
  } else if (phase_ != Phase::kResolving) {
    race_->Offer({}, /*last=*/true);
  } else if (answer.last) {
    Finish(absl::NotFoundError(
        absl::StrCat("resolve ", origin_.host, ": ", answer.status.message())));
  }
}

void Connector::OnAddresses(const Addresses& addresses, bool last) {
  race_->Offer(addresses, last);
  if (phase_ != Phase::kResolving) return;
  phase_ = Phase::kWaiting;
  if (SocketBudget::Permit permit = resources_.sockets.TryTake()) {
    return OnSocket(std::move(permit));
  }
  place_ = resources_.sockets.Wait(loop_, [this](SocketBudget::Permit permit) {
    if (done_) OnSocket(std::move(permit));
  });
  on_short_();
}

void Connector::OnSocket(SocketBudget::Permit permit) {
  phase_ = Phase::kConnecting;
  if (timeout_ < absl::InfiniteDuration()) {
    timer_ = loop_.RunAfter(timeout_, [self = shared_from_this()] {
      self->timer_ = kNoTimer;
      self->OnTimeout();
    });
  }
  race_->Start(std::move(permit),
               [self = shared_from_this()](
                   absl::StatusOr<std::unique_ptr<Stream>> stream) {
                 self->OnRaced(std::move(stream));
               });
}

void Connector::OnTimeout() {
  const std::string within =
      absl::StrCat("within ", absl::FormatDuration(timeout_));
  if (absl::Status why = HeldUpBy(within); !why.ok()) {
    return Finish(std::move(why));
  }
  std::string message = absl::StrCat("connect ", HostAndPort(origin_),
                                     ": no connection ", within);
  const std::string tried = race_->Tried();
  if (phase_ == Phase::kConnecting && absl::StrContains(tried, '(')) {
    absl::StrAppend(&message, ": ", tried);
  }
  Fail(absl::UnavailableError(message));
}

absl::Status Connector::HeldUpBy(std::string_view how_long) const {
  if (phase_ == Phase::kResolving) {
    return absl::NotFoundError(absl::StrCat("resolve ", origin_.host,
                                            ": no answer from the DNS ",
                                            AbslView(how_long)));
  }
  if (phase_ == Phase::kWaiting ||
      (phase_ == Phase::kConnecting && race_->starved())) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "connect ", HostAndPort(origin_),
        ": this process had no socket left for it ", AbslView(how_long)));
  }
  if (!name_status_.ok()) {
    return absl::NotFoundError(absl::StrCat(
        "connect ", HostAndPort(origin_), ": no connection ",
        AbslView(how_long),
        " by an older answer of the DNS: ", name_status_.message()));
  }
  return absl::OkStatus();
}

void Connector::OnRaced(absl::StatusOr<std::unique_ptr<Stream>> stream) {
  if (!stream.ok()) return Fail(stream.status());
  if (!origin_.tls) return Finish(*std::move(stream));
  stream_ = *std::move(stream);
  Handshake();
}

void Connector::Handshake() {
  phase_ = Phase::kHandshaking;
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
  const std::string message = absl::StrCat(
      "tls handshake with ", HostAndPort(origin_), ": ", AbslView(cause));
  Fail(WasHeard(*stream_->tls) ? absl::UnauthenticatedError(message)
                               : absl::UnavailableError(message));
}

// What an older answer of the DNS leads to may be somebody else by now.
void Connector::Fail(absl::Status status) {
  if (name_status_.ok() || absl::IsResourceExhausted(status)) {
    return Finish(std::move(status));
  }
  Finish(absl::NotFoundError(absl::StrCat(
      status.message(),
      ", by an older answer of the DNS: ", name_status_.message())));
}

void Connector::Finish(absl::StatusOr<std::unique_ptr<Stream>> result) {
  Done done = std::move(done_);
  Cancel();
  std::move(done)(std::move(result));
}

}  // namespace coord
