#include "server/http/client.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "server/http/origin_pool.h"
#include "server/http/tls.h"

namespace coord {

namespace {

// A body whose sender has its own time: the server's clock stands meanwhile.
class TimedBody final : public BodySource {
 public:
  using Callback = absl::AnyInvocable<void()>;

  TimedBody(std::unique_ptr<BodySource> body, Callback stop, Callback start)
      : BodySource(body->length()),
        body_(std::move(body)),
        stop_(std::move(stop)),
        start_(std::move(start)) {}

  void Read(Done done) override {
    stop_();
    body_->Read([this, done = std::move(done)](
                    absl::StatusOr<std::string> piece) mutable {
      start_();
      std::move(done)(std::move(piece));
    });
  }

 private:
  const std::unique_ptr<BodySource> body_;
  Callback stop_;
  Callback start_;
};

}  // namespace

class HttpClient::Impl {
 public:
  Impl(AsioLoop& loop, HttpClientOptions options, ClientResources resources,
       std::shared_ptr<boost::asio::ssl::context> tls)
      : options_(std::move(options)),
        tls_(std::move(tls)),
        context_{.loop = loop,
                 .resources = resources,
                 .options = options_,
                 .tls = *tls_,
                 .finish =
                     [this](Exchange& exchange, HttpOutcome outcome) {
                       Finish(exchange, std::move(outcome));
                     },
                 .close_resting = [this] { CloseResting(); }} {}

  ~Impl() {
    context_.loop.Cancel(sweeper_);
    // Destroying a callback must not find its request still here.
    auto doomed = std::exchange(exchanges_, {});
    for (auto& [id, exchange] : doomed) GiveUp(*exchange);
  }

  RequestId Send(HttpRequest request, Done done) {
    const RequestId id{++last_id_};
    if (request.stream != nullptr) {
      // Neither finds an exchange whose answer has begun.
      request.stream = std::make_unique<TimedBody>(
          std::move(request.stream), [this, id] { StopClock(id); },
          [this, id] {
            const auto it = exchanges_.find(id);
            if (it != exchanges_.end()) StartClock(*it->second);
          });
    }
    auto owned = std::make_unique<Exchange>(Exchange{
        .id = id, .request = std::move(request), .done = std::move(done)});
    Exchange& exchange = *owned;
    exchanges_.emplace(id, std::move(owned));
    exchange.pool = &PoolOf(exchange.request.origin);
    if (!exchange.pool->Start(exchange)) {
      FailSoon(exchange,
               {HttpError::Kind::kOverloaded, false, false,
                absl::StrCat("send request to ", exchange.pool->peer(), ": ",
                             options_.max_waiting,
                             " requests wait for a connection")});
    } else {
      StartClock(exchange);
    }
    return id;
  }

  GivenUp Cancel(RequestId id) {
    const auto it = exchanges_.find(id);
    if (it == exchanges_.end()) return {};
    const std::unique_ptr<Exchange> exchange = std::move(it->second);
    exchanges_.erase(it);
    return GiveUp(*exchange);
  }

  void GoOn(RequestId id) {
    const auto it = exchanges_.find(id);
    if (it == exchanges_.end() || it->second->connection == nullptr) return;
    it->second->connection->GoOn();
  }

  std::optional<HttpError> HeldUpBy(RequestId id,
                                    std::string_view how_long) const {
    const auto it = exchanges_.find(id);
    if (it == exchanges_.end()) return std::nullopt;
    return it->second->pool->HeldUpBy(*it->second, how_long);
  }

  HttpClientStats Stats() const {
    HttpClientStats stats;
    for (const auto& [origin, pool] : pools_) stats.connections += pool->open();
    stats.idle = context_.total_idle;
    stats.in_flight = exchanges_.size();
    return stats;
  }

 private:
  OriginPool& PoolOf(const Origin& origin) {
    std::unique_ptr<OriginPool>& pool = pools_[origin];
    if (!pool) {
      pool = std::make_unique<OriginPool>(context_, origin);
      if (sweeper_ == kNoTimer) ScheduleSweep();
    }
    return *pool;
  }

  void StartClock(Exchange& exchange) {
    if (exchange.request.timeout == absl::InfiniteDuration()) return;
    exchange.timer = context_.loop.RunAfter(
        exchange.request.timeout, [this, &exchange] { TimeOut(exchange); });
  }

  void StopClock(RequestId id) {
    const auto it = exchanges_.find(id);
    if (it == exchanges_.end()) return;
    context_.loop.Cancel(std::exchange(it->second->timer, kNoTimer));
  }

  GivenUp GiveUp(Exchange& exchange) {
    context_.loop.Cancel(exchange.timer);
    const bool heard = exchange.connection && exchange.connection->heard();
    return {exchange.pool->Abandon(exchange), heard};
  }

  void TimeOut(Exchange& exchange) {
    const std::string within =
        absl::StrCat("within ", absl::FormatDuration(exchange.request.timeout));
    std::optional<HttpError> error = exchange.pool->HeldUpBy(exchange, within);
    if (!error) {
      error = {HttpError::Kind::kTimeout, false, false,
               absl::StrCat("request to ", exchange.pool->peer(),
                            ": no answer ", within)};
      error->answered = exchange.connection && exchange.connection->answered();
    }
    const GivenUp known = GiveUp(exchange);
    error->sent = known.sent;
    error->heard = known.heard;
    Finish(exchange, *std::move(error));
  }

  void FailSoon(Exchange& exchange, HttpError error) {
    exchange.timer = context_.loop.RunAfter(
        absl::ZeroDuration(),
        [this, &exchange, error = std::move(error)]() mutable {
          Finish(exchange, std::move(error));
        });
  }

  void Finish(Exchange& exchange, HttpOutcome outcome) {
    context_.loop.Cancel(exchange.timer);
    Done done = std::move(exchange.done);
    exchanges_.erase(exchange.id);
    std::move(done)(std::move(outcome));
  }

  void ScheduleSweep() {
    sweeper_ = context_.loop.RunAfter(options_.max_idle_time / 4, [this] {
      sweeper_ = kNoTimer;
      const absl::Time now = context_.loop.Now();
      for (auto& [origin, pool] : pools_) pool->Sweep(now);
      if (context_.resources.sockets.wanted()) CloseResting();
      absl::erase_if(pools_, [](auto& entry) { return entry.second->empty(); });
      if (!pools_.empty()) ScheduleSweep();
    });
  }

  void CloseResting() {
    for (auto& [origin, pool] : pools_) pool->Sweep(absl::InfiniteFuture());
  }

  const HttpClientOptions options_;
  const std::shared_ptr<boost::asio::ssl::context> tls_;
  PoolContext context_;
  absl::flat_hash_map<Origin, std::unique_ptr<OriginPool>> pools_;
  absl::flat_hash_map<RequestId, std::unique_ptr<Exchange>> exchanges_;
  std::uint64_t last_id_ = 0;
  TimerId sweeper_ = kNoTimer;
};

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Create(
    AsioLoop& loop, ClientResources resources, HttpClientOptions options) {
  auto tls = ClientTls(options.ca_file);
  if (!tls.ok()) return tls.status();
  return std::unique_ptr<HttpClient>(new HttpClient(std::make_unique<Impl>(
      loop, std::move(options), resources, *std::move(tls))));
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;

RequestId HttpClient::Send(HttpRequest request, Done done) {
  return impl_->Send(std::move(request), std::move(done));
}

GivenUp HttpClient::Cancel(RequestId id) { return impl_->Cancel(id); }

void HttpClient::GoOn(RequestId id) { impl_->GoOn(id); }

std::optional<HttpError> HttpClient::HeldUpBy(RequestId id,
                                              std::string_view how_long) const {
  return impl_->HeldUpBy(id, how_long);
}

HttpClientStats HttpClient::Stats() const { return impl_->Stats(); }

}  // namespace coord
