#include "server/http/origin_pool.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/text_view.h"

namespace coord {
namespace {

// Connections that rested longer are looked at before they are used: the loop
// may not have come to their end yet. Busy ones save the system call.
constexpr absl::Duration kLookAfter = absl::Milliseconds(1);

// So that connections which were made together don't end together.
constexpr double kAgeJitter = 0.1;

HttpError ErrorOf(const absl::Status& status) {
  HttpError error;
  error.message = std::string(status.message());
  if (absl::IsNotFound(status)) {
    error.kind = HttpError::Kind::kUnresolved;
  } else if (absl::IsResourceExhausted(status)) {
    error.kind = HttpError::Kind::kOverloaded;
  } else {
    error.refused = absl::IsFailedPrecondition(status);
    error.heard = absl::IsUnauthenticated(status);
  }
  return error;
}

}  // namespace

OriginPool::OriginPool(PoolContext& context, Origin origin)
    : context_(context),
      origin_(std::move(origin)),
      peer_(HostAndPort(origin_)),
      host_line_(absl::StrCat("Host: ", origin_.HostHeader(), "\r\n")) {}

OriginPool::~OriginPool() {
  while (!idle_.empty()) Drop(RemoveIdle(idle_.begin()));
  for (auto& [key, connection] : std::exchange(lent_, {})) Drop(connection);
}

bool OriginPool::Start(Exchange& exchange) {
  while (ConnectionPtr connection = TakeIdle(exchange.request.repeatable)) {
    if (StartOn(std::move(connection), exchange)) return true;
  }
  const std::size_t max = context_.options.max_connections;
  // All that rest did so for too long: a new one takes the place of the oldest.
  if (open_ >= max && !idle_.empty()) Drop(RemoveIdle(idle_.begin()));
  if (open_ < max) {
    Connect(exchange);
    return true;
  }
  if (waiting_.size() >= context_.options.max_waiting) return false;
  exchange.place = waiting_.insert(waiting_.end(), &exchange);
  exchange.waiting = true;
  return true;
}

bool OriginPool::Abandon(Exchange& exchange) {
  if (std::exchange(exchange.waiting, false)) {
    waiting_.erase(exchange.place);
    return false;
  }
  if (exchange.connector) {
    std::exchange(exchange.connector, nullptr)->Cancel();
    --open_;
    ServeNextWaiting();
    return false;
  }
  if (!exchange.connection) return false;
  const bool sent = exchange.connection->sent();
  Drop(std::exchange(exchange.connection, nullptr));
  ServeNextWaiting();
  return sent;
}

std::optional<HttpError> OriginPool::HeldUpBy(const Exchange& exchange,
                                              std::string_view how_long) const {
  if (exchange.waiting) {
    return HttpError{
        HttpError::Kind::kOverloaded, false, false,
        absl::StrCat("send request to ", peer_, ": all ",
                     context_.options.max_connections,
                     " connections to it were taken ", AbslView(how_long))};
  }
  if (!exchange.connector) return std::nullopt;
  const absl::Status held_up = exchange.connector->HeldUpBy(how_long);
  if (held_up.ok()) return std::nullopt;
  return ErrorOf(held_up);
}

void OriginPool::Sweep(absl::Time now) {
  const absl::Time oldest = now - context_.options.max_idle_time;
  while (!idle_.empty() && idle_.front()->resting_since() <= oldest) {
    Drop(RemoveIdle(idle_.begin()));
  }
}

// False, and the connection is gone, when it turned out to be dead.
bool OriginPool::StartOn(ConnectionPtr connection, Exchange& exchange) {
  const bool started = connection->Start(
      exchange.request, [this, &exchange](HttpOutcome outcome, bool reusable) {
        OnAnswer(exchange, std::move(outcome), reusable);
      });
  if (started) {
    exchange.connection = std::move(connection);
  } else {
    Drop(connection);
  }
  return started;
}

void OriginPool::Connect(Exchange& exchange) {
  ++open_;
  exchange.connector = std::make_shared<Connector>(
      context_.loop, context_.resources, context_.tls, origin_,
      context_.close_resting);
  exchange.connector->Start(
      exchange.request.connect_timeout,
      [this, &exchange](absl::StatusOr<std::unique_ptr<Stream>> stream) {
        OnConnected(exchange, std::move(stream));
      });
}

void OriginPool::OnConnected(Exchange& exchange,
                             absl::StatusOr<std::unique_ptr<Stream>> stream) {
  exchange.connector = nullptr;
  HttpError error;
  if (stream.ok()) {
    const absl::Duration age = Jitter(context_.options.max_connection_age,
                                      kAgeJitter, context_.random);
    if (StartOn(
            std::make_shared<Connection>(*std::move(stream), peer_, host_line_,
                                         context_.loop.Now() + age),
            exchange)) {
      return;
    }
    error = {HttpError::Kind::kConnectionLost, false, false,
             absl::StrCat("send request to ", peer_,
                          ": connection closed by the server")};
  } else {
    --open_;
    error = ErrorOf(stream.status());
  }
  ServeNextWaiting();
  context_.finish(exchange, std::move(error));
}

void OriginPool::OnAnswer(Exchange& exchange, HttpOutcome outcome,
                          bool reusable) {
  ConnectionPtr connection = std::move(exchange.connection);
  const auto* answer = std::get_if<HttpResponse>(&outcome);
  // Before the caller hears of it, whose next request may use the connection.
  if (answer != nullptr && answer->stream != nullptr) {
    Lend(std::move(connection));
  } else {
    Return(std::move(connection), reusable);
  }
  context_.finish(exchange, std::move(outcome));
}

void OriginPool::Lend(ConnectionPtr connection) {
  Connection* const key = connection.get();
  lent_.emplace(key, std::move(connection));
  key->Lend([this, key](bool reusable) {
    auto lent = lent_.extract(key);
    Return(std::move(lent.mapped()), reusable);
  });
}

void OriginPool::Return(ConnectionPtr connection, bool reusable) {
  if (reusable && context_.loop.Now() < connection->retires_at()) {
    return Release(std::move(connection));
  }
  Drop(connection);
  ServeNextWaiting();
}

void OriginPool::Release(ConnectionPtr connection) {
  if (!waiting_.empty()) {
    Exchange& next = TakeWaiting();
    if (!StartOn(std::move(connection), next)) Connect(next);
    return;
  }
  if (idle_.size() >= context_.options.max_idle ||
      context_.total_idle >= context_.options.max_total_idle ||
      context_.resources.sockets.wanted()) {
    Drop(connection);
    return;
  }
  connection->Rest(context_.loop.Now(),
                   [this, closed = connection.get()] { OnIdleClosed(closed); });
  idle_.push_back(std::move(connection));
  ++context_.total_idle;
}

OriginPool::ConnectionPtr OriginPool::TakeIdle(bool repeatable) {
  const absl::Duration max_age =
      repeatable ? context_.options.max_idle_time
                 : context_.options.max_idle_time_unrepeatable;
  while (!idle_.empty()) {
    const absl::Time now = context_.loop.Now();
    const absl::Duration age = now - idle_.back()->resting_since();
    if (age >= max_age) return nullptr;
    ConnectionPtr connection = RemoveIdle(std::prev(idle_.end()));
    if (now < connection->retires_at() &&
        (age < kLookAfter || !connection->IsSpent())) {
      return connection;
    }
    Drop(connection);
  }
  return nullptr;
}

OriginPool::ConnectionPtr OriginPool::RemoveIdle(
    std::vector<ConnectionPtr>::iterator it) {
  ConnectionPtr connection = std::move(*it);
  idle_.erase(it);
  --context_.total_idle;
  return connection;
}

void OriginPool::OnIdleClosed(const Connection* connection) {
  const auto it = std::find_if(
      idle_.begin(), idle_.end(),
      [connection](const ConnectionPtr& c) { return c.get() == connection; });
  Drop(RemoveIdle(it));
}

void OriginPool::Drop(const ConnectionPtr& connection) {
  connection->Close();
  --open_;
}

void OriginPool::ServeNextWaiting() {
  if (waiting_.empty() || open_ >= context_.options.max_connections) return;
  Connect(TakeWaiting());
}

Exchange& OriginPool::TakeWaiting() {
  Exchange& exchange = *waiting_.front();
  waiting_.pop_front();
  exchange.waiting = false;
  return exchange;
}

}  // namespace coord
