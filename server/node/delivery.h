// One announcement on its way to one server: the request, its attempts, and
// those who wait for its outcome.
#ifndef SERVER_NODE_DELIVERY_H_
#define SERVER_NODE_DELIVERY_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/url.h"
#include "server/core/server.h"
#include "server/http/message.h"
#include "server/http/transport.h"
#include "server/node/join_list.h"
#include "server/node/peers.h"

namespace coord {

// Headers of a request to the node API.
HttpHeaders NodeHeaders(std::string_view token, std::string_view correlation_id,
                        bool has_body);

// What one announcement says to every server it goes to.
class AnnouncementMessage {
 public:
  static std::shared_ptr<AnnouncementMessage> Join(
      const ClusterSnapshot& cluster, std::string_view about,
      std::string correlation_id);
  static std::shared_ptr<AnnouncementMessage> Leave(
      const ClusterSnapshot& cluster, std::string_view about,
      std::string correlation_id);

  ~AnnouncementMessage();
  AnnouncementMessage(const AnnouncementMessage&) = delete;
  AnnouncementMessage& operator=(const AnnouncementMessage&) = delete;

  // What it holds, while it lives, is a part of `bytes`.
  void CountIn(std::shared_ptr<std::size_t> bytes);

  // The request for the server at `url`, with `token` unless that is empty. All
  // servers share one tail for as long as the token stays the same.
  HttpRequest RequestFor(const BaseUrl& url, const std::string& token,
                         absl::Duration timeout);

  // Whether this is a join that tells of `server_id`, too.
  bool TellsOf(const std::string& server_id) const {
    return list_ && list_->TellsOf(server_id);
  }

  const ClusterIdentity& cluster() const { return cluster_; }

 private:
  AnnouncementMessage(ClusterIdentity cluster, std::string method,
                      std::string suffix, std::string correlation_id)
      : cluster_(std::move(cluster)),
        method_(std::move(method)),
        suffix_(std::move(suffix)),
        correlation_id_(std::move(correlation_id)) {}

  std::string_view Body() const;
  std::size_t Bytes() const;

  const ClusterIdentity cluster_;
  const std::string method_;
  const std::string suffix_;  // of the path, after the base
  const std::string correlation_id_;
  std::optional<JoinList> list_;  // of a join
  std::shared_ptr<std::size_t> counted_;
  std::string tail_token_;
  SharedTail tail_;
};

// Gathers the outcomes of one announcement.
struct AnnouncementTally {
  std::string about;
  int outstanding = 0;
  AnnouncementResult result;
  Peers::Announced done;

  // One more is to be told.
  void Expect();
  // `failure` is empty when the server answered as it should.
  void Add(const std::string& server_id, const std::string& failure);
  // One of those that are outstanding is settled; after the last one who
  // announced hears of it.
  void Settle();
};

struct Delivery {
  std::shared_ptr<AnnouncementMessage> message;
  // More than one where announcements were merged.
  std::vector<std::shared_ptr<AnnouncementTally>> tallies;
  int attempts = 0;
  bool token_renewed = false;

  // Whether `newer`, a join, makes this join superfluous where it still waits:
  // it tells of all that this one has to tell.
  bool IsReplacedBy(const AnnouncementMessage& newer) const;
};

enum class DeliveryEnd {
  kAnswered,
  kFailed,
  kAgain,         // later: 5xx, 429, no answer
  kTokenRefused,  // 403
};
struct DeliveryVerdict {
  DeliveryEnd end;
  std::string why;  // empty for kAnswered
};

// Whether `server_id` serves the node API, as far as its answer to a request
// there tells: it does if it names itself, it does not if there is no such
// route or a success names nobody. Tokens, troubles and other servers tell
// nothing.
NodeApi ServedBy(const HttpResponse& response, std::string_view server_id);

// What `outcome` of an announcement to `server_id` amounts to. An answer counts
// only when it names the server that was meant.
DeliveryVerdict JudgeDelivery(const HttpOutcome& outcome,
                              std::string_view server_id);

}  // namespace coord

#endif  // SERVER_NODE_DELIVERY_H_
