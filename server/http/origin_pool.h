// The connections to one origin, and who waits for one.
#ifndef SERVER_HTTP_ORIGIN_POOL_H_
#define SERVER_HTTP_ORIGIN_POOL_H_

#include <boost/asio/ssl/context.hpp>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/random/random.h"
#include "common/url.h"
#include "server/http/asio_loop.h"
#include "server/http/client.h"
#include "server/http/connection.h"
#include "server/http/connector.h"
#include "server/http/transport.h"

namespace coord {

class OriginPool;

// A request from Send to its end. It waits, or connects, or is on a connection.
struct Exchange {
  RequestId id;
  HttpRequest request;
  HttpTransport::Done done;
  TimerId timer = kNoTimer;
  OriginPool* pool = nullptr;

  bool waiting = false;
  std::list<Exchange*>::iterator place;  // in the queue while it waits
  std::shared_ptr<Connector> connector;
  std::shared_ptr<Connection> connection;
};

// What the pools of one client share.
struct PoolContext {
  AsioLoop& loop;
  const ClientResources resources;
  const HttpClientOptions& options;
  boost::asio::ssl::context& tls;
  std::size_t total_idle = 0;
  absl::BitGen random = {};
  // Ends an exchange; it and, at the worst, the whole client are gone after.
  std::function<void(Exchange&, HttpOutcome)> finish;
  // Closes what rests in any of the pools.
  std::function<void()> close_resting;
};

// Lives on the loop. Start and Abandon end no exchange.
class OriginPool {
 public:
  OriginPool(PoolContext& context, Origin origin);
  // The exchanges must be gone.
  ~OriginPool();

  // Finds a connection for `exchange`, or a place in the queue; false when the
  // queue is full.
  bool Start(Exchange& exchange);

  // Takes `exchange` off its connection, which is closed, or out of the queue.
  // Whether a byte of it may have left.
  bool Abandon(Exchange& exchange);

  // What keeps `exchange` from its server, and has for `how_long` (`within
  // 5s`); see HttpTransport::HeldUpBy.
  std::optional<HttpError> HeldUpBy(const Exchange& exchange,
                                    std::string_view how_long) const;

  // Closes connections that rested too long.
  void Sweep(absl::Time now);

  bool empty() const { return open_ == 0 && waiting_.empty(); }
  std::size_t open() const { return open_; }
  const std::string& peer() const { return peer_; }

 private:
  using ConnectionPtr = std::shared_ptr<Connection>;

  bool StartOn(ConnectionPtr connection, Exchange& exchange);
  void Connect(Exchange& exchange);
  void OnConnected(Exchange& exchange,
                   absl::StatusOr<std::unique_ptr<Stream>> stream);
  void OnAnswer(Exchange& exchange, HttpOutcome outcome, bool reusable);
  void Lend(ConnectionPtr connection);
  void Return(ConnectionPtr connection, bool reusable);
  void Release(ConnectionPtr connection);
  ConnectionPtr TakeIdle(bool repeatable);
  ConnectionPtr RemoveIdle(std::vector<ConnectionPtr>::iterator it);
  void OnIdleClosed(const Connection* connection);
  void Drop(const ConnectionPtr& connection);
  void ServeNextWaiting();
  Exchange& TakeWaiting();

  PoolContext& context_;
  const Origin origin_;
  const std::string peer_;           // `127.0.0.1:80`
  const std::string host_line_;      // `Host: 127.0.0.1\r\n`
  std::size_t open_ = 0;             // connecting ones included
  std::vector<ConnectionPtr> idle_;  // the one used last is at the back
  // Those of streamed answers, whose exchanges are over.
  absl::flat_hash_map<const Connection*, ConnectionPtr> lent_;
  std::list<Exchange*> waiting_;
};

}  // namespace coord

#endif  // SERVER_HTTP_ORIGIN_POOL_H_
