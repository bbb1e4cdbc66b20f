// Requests to the node API of other servers: probe, join, leave.
#ifndef SERVER_NODE_PEERS_H_
#define SERVER_NODE_PEERS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/random/random.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/core/server.h"
#include "server/core/token_source.h"
#include "server/http/transport.h"
#include "server/node/pacer.h"

namespace coord {

struct PeersOptions {
  absl::Duration request_timeout = absl::Seconds(10);
  int attempts = 3;  // of announcements, on 5xx, 429 and no answer
  // Announcements in flight; more wait.
  int max_announcements = 64;
  // Of all servers: those that wait or are in flight, and what they say. More
  // are told as failed; a refresh from the authority makes up for them.
  std::size_t max_deliveries = 65'536;
  std::size_t max_message_bytes = 64 << 20;
  Pace probes;             // more wait
  bool management = true;  // off: announcements go to nobody
  // Hears what the answers of a server to node API requests tell of it, on the
  // loop; never kUnknown. May be empty.
  std::function<void(const std::string& type, const std::string& server_id,
                     const std::string& base_url, NodeApi node_api)>
      learned;
  // AskNodeApi asks one server once in this time at the most.
  absl::Duration node_api_pause = absl::Minutes(1);
};

// How one announcement went. Never an error of its own.
struct AnnouncementResult {
  int expected = 0;
  int answered = 0;
  struct Failed {
    std::string server_id;
    std::string message;
  };
  std::vector<Failed> failed;
};

struct ProbeResult {
  bool alive = false;     // or nothing speaks against it
  bool answered = false;  // a byte of an answer came
  // Nobody serves there, says the machine itself: the network is whole.
  bool refused = false;
  std::string why;
};

// Lives on one loop, the transport's.
class Peers {
 public:
  using Probed = absl::AnyInvocable<void(ProbeResult) &&>;
  using Announced = absl::AnyInvocable<void(AnnouncementResult) &&>;

  // `served_here` tells whether a base URL is one that this process's own
  // listener serves: such servers are never announced to. `tokens` may be
  // nullptr.
  Peers(EventLoop& loop, HttpTransport& transport, TokenSource* tokens,
        std::function<bool(const Server&)> served_here, PeersOptions options);
  ~Peers();

  // Asks `server` for a sign of life: `DELETE …/itResources/-/servers/-` of
  // one that serves the node API or may, GET of the base URL of others. Any
  // byte of an answer means alive, unless a node API answer names another
  // server. What says nothing about the server means alive, too, though not
  // answered: a token that can't be had, a name without an address, the want of
  // a connection.
  void Probe(const Server& server, Probed done);

  // Has a server of which it is unknown whether it serves the node API asked
  // there; PeersOptions::learned hears of the answer.
  void AskNodeApi(const Server& server);

  // Tells every server of `cluster` that serves the node API or may, but
  // `about` and those served here, that `about` joined, with the list of
  // JoinList.
  void AnnounceJoin(const ClusterSnapshot& cluster, std::string_view about,
                    Announced done);
  // The same of a leave.
  void AnnounceLeave(const ClusterSnapshot& cluster, std::string_view about,
                     Announced done);

  // What is announced ends, as does what will be: who has not answered yet
  // counts as one who could not be told.
  void Stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_NODE_PEERS_H_
