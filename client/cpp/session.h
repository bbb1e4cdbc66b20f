// A server's registration that stays alive as long as its object does.
#ifndef CLIENT_CPP_SESSION_H_
#define CLIENT_CPP_SESSION_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "common/backoff.h"

namespace coord {

// Called one at a time on the session's own thread, where they must not block
// and must not call Close or destroy the session. None is called once Close has
// begun. Each may be empty.
struct SessionCallbacks {
  // A new session began (its session_id differs from the last one), or the
  // state of the current one changed.
  std::function<void(const pb::Registration&)> on_update;
  // The session or the connection to clusterd was lost, or an attempt to get
  // it back failed; the next attempt follows by itself.
  std::function<void(const absl::Status&)> on_lost;
  // Ended for good, and nothing more will be sent: SESSION_SUPERSEDED (a newer
  // incarnation of this server was registered) or INVALID_ARGUMENT (clusterd
  // refuses the registration as it is).
  std::function<void(const absl::Status&)> on_stopped;
};

struct SessionOptions {
  pb::Server server;
  // Instead of server's cluster_base_url: clusterd serves the cluster for it;
  // see RegisterServerRequest.
  std::string local_base_url;
  // How long clusterd keeps the server without a sign of life, 1 s to 24 h.
  absl::Duration ttl = absl::Seconds(30);
  // Waits between attempts after a loss; the first is at most a sixth of the
  // ttl, so that a short break costs no lease.
  BackoffPolicy backoff = {absl::Seconds(1), absl::Seconds(15)};
  // For one registration and, in Close, for all that is still to be done.
  absl::Duration call_timeout = absl::Seconds(5);
  SessionCallbacks callbacks;
};

// Registers the server and keeps it alive on a KeepAlive stream, once in a
// third of the ttl ± 10 %. An answer that does not come within the next third
// counts as a loss of the connection. After a loss the session resumes; when
// clusterd no longer knows it (LEASE_EXPIRED) the server is registered again
// within 250 ms, as a new session; only if that fails, after a wait. A session
// that was superseded stops for good, because two that registered again by
// themselves would replace each other forever.
//
// When a clusterd restarts, all its sessions are lost in one moment. They come
// back spread over the upper half of each wait, and each wait is twice the one
// before, so that they neither arrive together nor keep a slow start busy.
//
//   SessionOptions options;
//   options.server.set_type("orders");
//   options.server.set_cluster_base_url("http://10.0.0.7:8080");
//   Session session(client, options);  // registered until it is destroyed
//
// Thread-safe. Does not need the Client after construction.
class Session {
 public:
  // Returns at once; the registration follows.
  Session(const Client& client, SessionOptions options);
  // Closes.
  ~Session();

  // Stops and unregisters. Waits for a callback that runs, then blocks for the
  // call_timeout at most, or twice that if a registration is just succeeding.
  // Errors: FAILED_PRECONDITION · NOT_REGISTERED (no session was held), those
  // of UnregisterServer. However it ends, nothing is sent after it; the record
  // of a server that could not be unregistered goes when its ttl has passed. A
  // second call returns what the first one did.
  absl::StatusOr<pb::UnregisterServerResponse> Close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // CLIENT_CPP_SESSION_H_
