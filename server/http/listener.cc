#include "server/http/listener.h"

#include <spdlog/spdlog.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/log.h"
#include "server/http/session.h"
#include "server/http/stream.h"

namespace coord {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// After an accept that failed for want of sockets or memory.
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);

// The first address of `host`. Blocks for a name.
absl::StatusOr<tcp::endpoint> Resolve(AsioLoop& loop,
                                      const HttpListenerOptions& options,
                                      boost::system::error_code& error) {
  const asio::ip::address address = asio::ip::make_address(options.host, error);
  if (!error) return tcp::endpoint(address, options.port);
  tcp::resolver resolver(loop.io_context());
  const auto results =
      resolver.resolve(options.host, std::to_string(options.port),
                       tcp::resolver::passive, error);
  if (error) return absl::UnavailableError(ErrorText(error));
  return results.begin()->endpoint();
}

}  // namespace

class HttpListener::Impl final
    : public SessionHost,
      public std::enable_shared_from_this<HttpListener::Impl> {
 public:
  using StopDone = absl::AnyInvocable<void() &&>;

  Impl(AsioLoop& loop, HttpListenerOptions options)
      : loop_(loop),
        options_(std::move(options)),
        acceptor_(loop.io_context()) {}

  // Not yet shared with the loop.
  absl::Status Listen() {
    boost::system::error_code error;
    const auto endpoint = Resolve(loop_, options_, error);
    if (!error) acceptor_.open(endpoint->protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(*endpoint, error);
    if (!error) {
      acceptor_.listen(asio::socket_base::max_listen_connections, error);
    }
    if (!error) local_ = acceptor_.local_endpoint(error);
    if (!error) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat(
        "listen on ",
        HostAndPort({.host = options_.host, .port = options_.port}), ": ",
        ErrorText(error)));
  }

  const tcp::endpoint& local() const { return local_; }

  void Serve(HttpHandler handler, MayStream may_stream) {
    handler_ = std::move(handler);
    may_stream_ = std::move(may_stream);
    Accept();
  }

  void Accept() {
    if (accepting_ || !acceptor_.is_open()) return;
    if (sessions_.size() >= options_.max_connections) return;
    accepting_ = true;
    acceptor_.async_accept(
        [self = shared_from_this()](boost::system::error_code error,
                                    tcp::socket socket) {
          self->OnAccept(error, std::move(socket));
        });
  }

  void Stop(absl::Duration grace, StopDone done) {
    stop_done_.push_back(std::move(done));
    CloseAcceptor();
    for (const auto& session : Sessions()) session->CloseSoon();
    After(grace, &Impl::GiveUpSessions);
    FinishStop();
  }

  void StopNow() {
    CloseAcceptor();
    stop_done_.clear();
    CloseSessions();
    handler_ = nullptr;
    may_stream_ = nullptr;
  }

  AsioLoop& loop() override { return loop_; }
  const HttpListenerOptions& options() const override { return options_; }

  void Handle(HttpServerRequest request, HttpReply reply) override {
    handler_(std::move(request), std::move(reply));
  }

  bool MayBeStreamed(const HttpServerRequest& head) const override {
    return may_stream_ && may_stream_(head);
  }

  bool Hold(std::size_t bytes) override {
    if (held_bytes_ + bytes > options_.max_held_bytes) return false;
    held_bytes_ += bytes;
    return true;
  }
  void LetGo(std::size_t bytes) override { held_bytes_ -= bytes; }
  std::size_t& unread_bytes() override { return unread_bytes_; }

  void OnClosed(Session& session) override {
    sessions_.erase(&session);
    Accept();
    FinishStop();
  }

 private:
  void OnAccept(boost::system::error_code error, tcp::socket socket) {
    accepting_ = false;
    if (!acceptor_.is_open()) return;
    if (error && error != asio::error::connection_aborted) {
      spdlog::warn("accept failed{}", Fields({{"cause", ErrorText(error)}}));
      accepting_ = true;
      loop_.RunAfter(kAcceptPause, [self = shared_from_this()] {
        self->accepting_ = false;
        self->Accept();
      });
      return;
    }
    if (!error) {
      auto session =
          std::make_shared<Session>(shared_from_this(), std::move(socket));
      sessions_.emplace(session.get(), session);
      session->Start();
    }
    Accept();
  }

  void CloseAcceptor() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }

  // A copy: closing changes the table.
  std::vector<std::shared_ptr<Session>> Sessions() const {
    std::vector<std::shared_ptr<Session>> sessions;
    for (const auto& [key, session] : sessions_) sessions.push_back(session);
    return sessions;
  }

  void After(absl::Duration delay, void (Impl::*step)()) {
    loop_.Cancel(grace_timer_);
    grace_timer_ = loop_.RunAfter(
        delay, [self = shared_from_this(), step] { ((*self).*step)(); });
  }

  void GiveUpSessions() {
    After(kLastAnswerTime, &Impl::CloseSessions);
    for (const auto& session : Sessions()) session->GiveUp();
  }

  void CloseSessions() {
    for (const auto& session : Sessions()) session->Close();
  }

  void FinishStop() {
    if (acceptor_.is_open() || !sessions_.empty()) return;
    loop_.Cancel(std::exchange(grace_timer_, kNoTimer));
    for (StopDone& done : std::exchange(stop_done_, {})) std::move(done)();
  }

  AsioLoop& loop_;
  const HttpListenerOptions options_;
  HttpHandler handler_;
  MayStream may_stream_;
  tcp::acceptor acceptor_;
  tcp::endpoint local_;
  bool accepting_ = false;
  std::size_t held_bytes_ = 0;
  std::size_t unread_bytes_ = 0;
  absl::flat_hash_map<const Session*, std::shared_ptr<Session>> sessions_;
  TimerId grace_timer_ = kNoTimer;
  std::vector<StopDone> stop_done_;
};

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Bind(
    AsioLoop& loop, HttpListenerOptions options) {
  auto impl = std::make_shared<Impl>(loop, std::move(options));
  if (absl::Status status = impl->Listen(); !status.ok()) return status;
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Start(
    AsioLoop& loop, HttpListenerOptions options, HttpHandler handler) {
  auto listener = Bind(loop, std::move(options));
  if (listener.ok()) (*listener)->Serve(std::move(handler));
  return listener;
}

void HttpListener::Serve(HttpHandler handler, MayStream may_stream) {
  impl_->loop().Post([impl = impl_, handler = std::move(handler),
                      may_stream = std::move(may_stream)]() mutable {
    impl->Serve(std::move(handler), std::move(may_stream));
  });
}

HttpListener::HttpListener(std::shared_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

HttpListener::~HttpListener() {
  bool stopped = false;
  absl::Notification over;
  // Notifies as well when the loop has ended and the task is only destroyed.
  impl_->loop().Post([impl = impl_, &stopped,
                      notify = absl::MakeCleanup([&over] { over.Notify(); })] {
    impl->StopNow();
    stopped = true;
  });
  over.WaitForNotification();
  if (!stopped) impl_->StopNow();
}

std::string HttpListener::address() const {
  return HostAndPort({.host = impl_->local().address().to_string(),
                      .port = impl_->local().port()});
}

std::uint16_t HttpListener::port() const { return impl_->local().port(); }

std::size_t HttpListener::unread_bytes() const { return impl_->unread_bytes(); }

void HttpListener::Stop(absl::Duration grace,
                        absl::AnyInvocable<void() &&> done) {
  impl_->loop().Post([impl = impl_, grace, done = std::move(done)]() mutable {
    impl->Stop(grace, std::move(done));
  });
}

}  // namespace coord
