// Makes connections: name, socket, TLS.
#ifndef SERVER_HTTP_CONNECTOR_H_
#define SERVER_HTTP_CONNECTOR_H_

#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/url.h"
#include "server/http/address_race.h"
#include "server/http/asio_loop.h"
#include "server/http/client_resources.h"
#include "server/http/stream.h"

namespace coord {

// One attempt to reach an origin, by all its addresses. Lives on the loop; held
// by its operations until it has finished or was cancelled.
class Connector : public std::enable_shared_from_this<Connector> {
 public:
  // Errors: UNAVAILABLE (`connect 127.0.0.1:80: no route to host`),
  // FAILED_PRECONDITION when the connection was refused, UNAUTHENTICATED when a
  // TLS handshake failed in which the other side was heard; and two that say
  // nothing about the other side: NOT_FOUND when the name has no address that
  // the DNS confirms (`resolve a.test: no answer from the DNS`),
  // RESOURCE_EXHAUSTED when this process or machine is out of sockets.
  using Done =
      absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Stream>>) &&>;

  // `on_short` is called when no socket is free, so that those which rest can
  // be closed.
  Connector(AsioLoop& loop, const ClientResources& resources,
            boost::asio::ssl::context& tls, Origin origin,
            const std::function<void()>& on_short)
      : loop_(loop),
        resources_(resources),
        tls_(tls),
        origin_(std::move(origin)),
        on_short_(on_short) {}

  // `done` is called once and never inside Start, unless cancelled before.
  // `timeout` begins when there is an address and a socket, for which it waits
  // until then; TLS is included.
  void Start(absl::Duration timeout, Done done);
  void Cancel();

  // OK when it is for the other side to answer. Else the error that says what
  // it has waited for instead, and for how long: `resolve a.test: no answer
  // from the DNS within 5s`, where `how_long` is `within 5s`.
  absl::Status HeldUpBy(std::string_view how_long) const;

 private:
  enum class Phase { kResolving, kWaiting, kConnecting, kHandshaking };
  using ErrorCode = boost::system::error_code;

  void Resolve();
  void OnName(const NameAnswer& answer);
  void OnAddresses(const Addresses& addresses, bool last);
  void OnSocket(SocketBudget::Permit permit);
  void OnTimeout();
  void OnRaced(absl::StatusOr<std::unique_ptr<Stream>> stream);
  void Handshake();
  void FailHandshake(std::string_view cause);
  void Fail(absl::Status status);
  void Finish(absl::StatusOr<std::unique_ptr<Stream>> result);

  AsioLoop& loop_;
  const ClientResources& resources_;
  boost::asio::ssl::context& tls_;
  const Origin origin_;
  const std::function<void()>& on_short_;
  absl::Duration timeout_;
  Done done_;  // empty once finished
  Phase phase_ = Phase::kResolving;
  absl::Status name_status_;  // of the addresses that are tried
  std::shared_ptr<AddressRace> race_;
  std::shared_ptr<SocketBudget::Place> place_;  // while it waits
  std::unique_ptr<Stream> stream_;              // while it shakes hands
  TimerId timer_ = kNoTimer;
};

}  // namespace coord

#endif  // SERVER_HTTP_CONNECTOR_H_
