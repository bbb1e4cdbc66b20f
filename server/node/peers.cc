#include "server/node/peers.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/correlation_id.h"
#include "common/ids.h"
#include "common/url.h"
#include "server/node/delivery.h"
#include "server/registry/it_resource.h"

namespace coord {
namespace {

constexpr absl::Duration kRetryPause = absl::Seconds(1);
constexpr double kRetryJitter = 0.1;
// Of one server; a join replaces a waiting one, so only leaves pile up.
constexpr std::size_t kMaxWaitingDeliveries = 1024;
// Servers that are looked at before others have their turn on the loop.
constexpr int kSlice = 500;
// What a probe's answer says does not matter.
constexpr std::size_t kMaxProbeAnswerBytes = 64 << 10;

// Two records with one address are two targets: only one of them can answer.
using TargetKey = std::pair<std::string, std::string>;  // id, base URL

struct Target {
  BaseUrl url;
  std::optional<Delivery> current;  // in flight, or pauses before a retry
  std::deque<Delivery> waiting;
};

constexpr char kStopped[] =
    "this clusterd is shutting down and no longer tells it";

// `by_node_api`: the request was one of the node API, whose answers name the
// server.
ProbeResult JudgeProbe(const HttpOutcome& outcome, std::string_view server_id,
                       bool by_node_api) {
  if (const auto* response = std::get_if<HttpResponse>(&outcome)) {
    const std::string named = by_node_api && response->status / 100 == 2
                                  ? AnsweringServerId(response->body)
                                  : "";
    const bool another = !named.empty() && named != server_id;
    return {.alive = !another,
            .answered = true,
            .why = another ? "another server lives at its address"
                           : absl::StrCat("answered ", response->status)};
  }
  const auto& error = std::get<HttpError>(outcome);
  const bool heard = error.answered || error.heard;
  return {.alive = heard || error.says_nothing(),
          .answered = heard,
          .refused = error.refused,
          .why = error.message};
}

}  // namespace

class Peers::Impl : public std::enable_shared_from_this<Peers::Impl> {
 public:
  Impl(EventLoop& loop, HttpTransport& transport, TokenSource* tokens,
       std::function<bool(const Server&)> served_here, PeersOptions options)
      : loop_(loop),
        transport_(transport),
        tokens_(tokens),
        served_here_(std::move(served_here)),
        options_(options),
        probes_(std::make_shared<Pacer>(loop, options_.probes)) {}

  void Probe(const Server& server, Probed done);
  void AskNodeApi(const Server& server);
  void Announce(const ClusterSnapshot& cluster, std::string_view about,
                bool join, Announced done);
  void Stop();

 private:
  // An announcement on its way to those that it is for.
  struct Walk {
    Walk(const ClusterSnapshot& cluster, bool join,
         std::shared_ptr<AnnouncementTally> tally)
        : cluster(cluster),
          join(join),
          tally(std::move(tally)),
          next(this->cluster.servers.begin()) {}

    const ClusterSnapshot cluster;
    const bool join;
    const std::shared_ptr<AnnouncementTally> tally;
    ServerList::const_iterator next;  // to be looked at
    std::shared_ptr<AnnouncementMessage> message;
    bool room = false;  // for the message
  };

  bool IsTarget(const Server& server, std::string_view about) const;
  void WalkLater();
  void WalkOn();
  const std::shared_ptr<AnnouncementMessage>& MessageOf(Walk& walk);
  void Enqueue(const Server& server, Walk& walk);
  void Pump();
  void Start(const TargetKey& key);
  void Attempt(const TargetKey& key);
  void OnToken(const TargetKey& key, absl::StatusOr<std::string> token);
  void OnOutcome(const TargetKey& key, const std::string& token,
                 const HttpOutcome& outcome);
  void Pause(const TargetKey& key);
  void Finish(const TargetKey& key, const std::string& failure);

  void StartProbe(const Server& server, Probed done);
  // What the answer to a node API request tells of the server that was asked.
  void Learn(const std::string& type, const TargetKey& key,
             const HttpOutcome& outcome) const;
  template <typename F>
  void WithToken(const std::string& type, F f);
  void SendProbe(const Server& server, const BaseUrl& url,
                 const std::string& token, Probed done);
  std::string FreshCorrelationId() {
    return NextCorrelationId("", RandomUuid(random_), loop_.WallTime());
  }

  EventLoop& loop_;
  HttpTransport& transport_;
  TokenSource* const tokens_;
  const std::function<bool(const Server&)> served_here_;
  const PeersOptions options_;
  absl::BitGen random_;

  std::deque<std::unique_ptr<Walk>> walks_;
  absl::flat_hash_map<TargetKey, Target> targets_;
  std::deque<TargetKey> ready_;  // idle targets with something waiting
  int in_flight_ = 0;
  std::size_t deliveries_ = 0;  // each for all who wait for it
  const std::shared_ptr<std::size_t> message_bytes_ =
      std::make_shared<std::size_t>(0);

  // Whoever asks has one probe at a time, so no more wait than there are of
  // them.
  const std::shared_ptr<Pacer> probes_;
  absl::flat_hash_map<TargetKey, absl::Time> asked_;  // by AskNodeApi
  absl::Time tidied_ = absl::InfinitePast();
  bool stopped_ = false;
};

// Calls `f` on the loop with a cluster token of `type`, empty without tokens;
// not inside, and not at all once this object is gone.
template <typename F>
void Peers::Impl::WithToken(const std::string& type, F f) {
  auto on_loop =
      PostedTo(loop_, [weak = weak_from_this(), f = std::move(f)](
                          absl::StatusOr<std::string> token) mutable {
        if (auto self = weak.lock()) std::move(f)(*self, std::move(token));
      });
  if (tokens_ == nullptr) {
    on_loop(absl::StatusOr<std::string>(""));
    return;
  }
  TokenRequest request;
  request.type = type;
  tokens_->Get(std::move(request), std::move(on_loop));
}

void Peers::Impl::Probe(const Server& server, Probed done) {
  probes_->Start([weak = weak_from_this(), server,
                  done = std::move(done)](Pacer::Permit permit) mutable {
    auto self = weak.lock();
    if (self == nullptr) return;
    self->StartProbe(server,
                     [permit = std::move(permit),
                      done = std::move(done)](ProbeResult result) mutable {
                       std::move(done)(std::move(result));
                     });
  });
}

void Peers::Impl::StartProbe(const Server& server, Probed done) {
  absl::StatusOr<BaseUrl> url = ParseBaseUrl(server.cluster_base_url);
  if (!url.ok()) {
    loop_.Post([done = std::move(done),
                why = std::string(url.status().message())]() mutable {
      std::move(done)({.why = std::move(why)});
    });
    return;
  }
  if (server.node_api == NodeApi::kNo) {
    SendProbe(server, *url, "", std::move(done));
    return;
  }
  WithToken(
      server.type, [server, url = *std::move(url), done = std::move(done)](
                       Impl& self, absl::StatusOr<std::string> token) mutable {
        if (!token.ok()) {
          std::move(done)(
              {.alive = true, .why = std::string(token.status().message())});
          return;
        }
        self.SendProbe(server, url, *token, std::move(done));
      });
}

void Peers::Impl::SendProbe(const Server& server, const BaseUrl& url,
                            const std::string& token, Probed done) {
  const bool by_node_api = server.node_api != NodeApi::kNo;
  HttpRequest request;
  request.origin = url.origin;
  request.method = by_node_api ? "DELETE" : "GET";
  request.target = by_node_api        ? url.path + "/itResources/-/servers/-"
                   : url.path.empty() ? "/"
                                      : url.path;
  request.tail = SerializeTail(
      request.method, NodeHeaders(token, FreshCorrelationId(), false), "");
  request.repeatable = true;
  request.max_body_bytes = kMaxProbeAnswerBytes;
  request.connect_timeout = options_.request_timeout;
  request.timeout = options_.request_timeout;
  transport_.Send(
      std::move(request),
      [weak = weak_from_this(), tokens = tokens_, token, by_node_api,
       type = server.type,
       key = TargetKey(server.server_id, server.cluster_base_url),
       done = std::move(done)](HttpOutcome outcome) mutable {
        const auto* response = std::get_if<HttpResponse>(&outcome);
        if (response != nullptr && response->status == 403 && !token.empty()) {
          tokens->Drop(token);
        }
        if (auto self = weak.lock(); self != nullptr && by_node_api) {
          self->Learn(type, key, outcome);
        }
        std::move(done)(JudgeProbe(outcome, key.first, by_node_api));
      });
}

void Peers::Impl::Learn(const std::string& type, const TargetKey& key,
                        const HttpOutcome& outcome) const {
  const auto* response = std::get_if<HttpResponse>(&outcome);
  if (response == nullptr || !options_.learned) return;
  const NodeApi node_api = ServedBy(*response, key.first);
  if (node_api == NodeApi::kUnknown) return;
  options_.learned(type, key.first, key.second, node_api);
}

void Peers::Impl::AskNodeApi(const Server& server) {
  const absl::Time now = loop_.Now();
  const absl::Time before = now - options_.node_api_pause;
  const TargetKey key(server.server_id, server.cluster_base_url);
  if (const auto it = asked_.find(key);
      it != asked_.end() && it->second > before) {
    return;
  }
  // Not for each of many that are asked at one time.
  if (tidied_ <= before) {
    absl::erase_if(
        asked_, [before](const auto& each) { return each.second <= before; });
    tidied_ = now;
  }
  asked_[key] = now;
  Probe(server, [](const ProbeResult&) {});
}

bool Peers::Impl::IsTarget(const Server& server, std::string_view about) const {
  return options_.management && server.node_api != NodeApi::kNo &&
         server.server_id != about && !served_here_(server);
}

void Peers::Impl::Announce(const ClusterSnapshot& cluster,
                           std::string_view about, bool join, Announced done) {
  auto tally = std::make_shared<AnnouncementTally>();
  tally->about = std::string(about);
  tally->outstanding = 1;  // until all servers were looked at
  tally->done = std::move(done);
  walks_.push_back(std::make_unique<Walk>(cluster, join, std::move(tally)));
  if (walks_.size() == 1) WalkLater();
}

void Peers::Impl::WalkLater() {
  loop_.Post([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->WalkOn();
  });
}

// One announcement after the other, so that each target hears of them in order.
void Peers::Impl::WalkOn() {
  Walk& walk = *walks_.front();
  const auto end = walk.cluster.servers.end();
  for (int looked_at = 0; walk.next != end && looked_at < kSlice;
       ++walk.next, ++looked_at) {
    const Server& server = **walk.next;
    if (IsTarget(server, walk.tally->about)) Enqueue(server, walk);
  }
  Pump();
  if (walk.next != end) return WalkLater();
  const std::unique_ptr<Walk> ended = std::move(walks_.front());
  walks_.pop_front();
  if (!walks_.empty()) WalkLater();
  ended->tally->Settle();
}

// For the first target: most clusters have none.
const std::shared_ptr<AnnouncementMessage>& Peers::Impl::MessageOf(Walk& walk) {
  if (walk.message != nullptr) return walk.message;
  const std::string& about = walk.tally->about;
  walk.message = walk.join ? AnnouncementMessage::Join(walk.cluster, about,
                                                       FreshCorrelationId())
                           : AnnouncementMessage::Leave(walk.cluster, about,
                                                        FreshCorrelationId());
  // One there may be, however large.
  walk.room = *message_bytes_ <= options_.max_message_bytes;
  walk.message->CountIn(message_bytes_);
  return walk.message;
}

void Peers::Impl::Enqueue(const Server& server, Walk& walk) {
  const auto& message = MessageOf(walk);
  walk.tally->Expect();
  const TargetKey key(server.server_id, server.cluster_base_url);
  auto it = targets_.find(key);
  std::string refused;
  if (stopped_) {
    refused = kStopped;
  } else if (it != targets_.end() &&
             it->second.waiting.size() >= kMaxWaitingDeliveries) {
    refused = "too many announcements wait for it";
  } else if (!walk.room || deliveries_ >= options_.max_deliveries) {
    refused = "too many announcements wait";
  } else if (it == targets_.end()) {
    absl::StatusOr<BaseUrl> url = ParseBaseUrl(server.cluster_base_url);
    if (url.ok()) {
      it = targets_.emplace(key, Target{*std::move(url), {}, {}}).first;
    } else {
      refused = std::string(url.status().message());
    }
  }
  if (!refused.empty()) {
    walk.tally->Add(server.server_id, refused);
    return;
  }
  Target& target = it->second;
  if (!target.current && target.waiting.empty()) ready_.push_back(key);

  Delivery delivery{message, {walk.tally}};
  ++deliveries_;
  // The newer one goes to the end: what it says must come after the leaves that
  // wait.
  auto old =
      std::find_if(target.waiting.begin(), target.waiting.end(),
                   [&](const Delivery& d) { return d.IsReplacedBy(*message); });
  if (old != target.waiting.end()) {
    delivery.tallies.insert(delivery.tallies.end(), old->tallies.begin(),
                            old->tallies.end());
    target.waiting.erase(old);
  }
  target.waiting.push_back(std::move(delivery));
}

void Peers::Impl::Pump() {
  while (!ready_.empty() && in_flight_ < options_.max_announcements) {
    const TargetKey key = std::move(ready_.front());
    ready_.pop_front();
    Start(key);
  }
}

void Peers::Impl::Start(const TargetKey& key) {
  Target& target = targets_.at(key);
  target.current = std::move(target.waiting.front());
  target.waiting.pop_front();
  ++in_flight_;
  Attempt(key);
}

void Peers::Impl::Attempt(const TargetKey& key) {
  const std::string& type = targets_.at(key).current->message->cluster().type;
  WithToken(type, [key](Impl& self, absl::StatusOr<std::string> token) {
    self.OnToken(key, std::move(token));
  });
}

void Peers::Impl::OnToken(const TargetKey& key,
                          absl::StatusOr<std::string> token) {
  if (stopped_) return;
  if (!token.ok()) {
    Finish(key, std::string(token.status().message()));
    return;
  }
  Target& target = targets_.at(key);
  ++target.current->attempts;
  HttpRequest request = target.current->message->RequestFor(
      target.url, *token, options_.request_timeout);
  transport_.Send(std::move(request),
                  [weak = weak_from_this(), key,
                   token = *std::move(token)](HttpOutcome outcome) {
                    if (auto self = weak.lock())
                      self->OnOutcome(key, token, outcome);
                  });
}

void Peers::Impl::OnOutcome(const TargetKey& key, const std::string& token,
                            const HttpOutcome& outcome) {
  if (stopped_) return;
  Delivery& delivery = *targets_.at(key).current;
  Learn(delivery.message->cluster().type, key, outcome);
  const DeliveryVerdict verdict = JudgeDelivery(outcome, key.first);
  switch (verdict.end) {
    case DeliveryEnd::kAgain:
      if (delivery.attempts < options_.attempts) {
        Pause(key);
        return;
      }
      break;
    case DeliveryEnd::kTokenRefused:
      if (tokens_ != nullptr && !token.empty()) {
        tokens_->Drop(token);
        if (!std::exchange(delivery.token_renewed, true)) {
          Attempt(key);
          return;
        }
      }
      break;
    case DeliveryEnd::kAnswered:
    case DeliveryEnd::kFailed:
      break;
  }
  Finish(key, verdict.why);
}

// The target stays busy, so that order is kept, but its place is free for
// others meanwhile.
void Peers::Impl::Pause(const TargetKey& key) {
  --in_flight_;
  loop_.RunAfter(Jitter(kRetryPause, kRetryJitter, random_),
                 [weak = weak_from_this(), key] {
                   auto self = weak.lock();
                   if (self == nullptr || self->stopped_) return;
                   Target& target = self->targets_.at(key);
                   target.waiting.push_front(*std::move(target.current));
                   target.current.reset();
                   self->ready_.push_back(key);
                   self->Pump();
                 });
  Pump();
}

void Peers::Impl::Finish(const TargetKey& key, const std::string& failure) {
  --in_flight_;
  auto it = targets_.find(key);
  const Delivery ended = *std::move(it->second.current);
  it->second.current.reset();
  if (it->second.waiting.empty()) {
    targets_.erase(it);
  } else {
    ready_.push_back(key);
  }
  deliveries_ -= ended.tallies.size();
  // The reference to `key` may be into what ended just now.
  const std::string server_id = key.first;
  for (const auto& tally : ended.tallies) tally->Add(server_id, failure);
  Pump();
}

void Peers::Impl::Stop() {
  stopped_ = true;
  ready_.clear();
  deliveries_ = 0;
  // Whoever hears of it may announce something else.
  for (auto& [key, target] : std::exchange(targets_, {})) {
    if (target.current) target.waiting.push_back(*std::move(target.current));
    for (const Delivery& delivery : target.waiting) {
      for (const auto& tally : delivery.tallies) {
        tally->Add(key.first, kStopped);
      }
    }
  }
}

Peers::Peers(EventLoop& loop, HttpTransport& transport, TokenSource* tokens,
             std::function<bool(const Server&)> served_here,
             PeersOptions options)
    : impl_(std::make_shared<Impl>(loop, transport, tokens,
                                   std::move(served_here), options)) {}

Peers::~Peers() = default;

void Peers::Probe(const Server& server, Probed done) {
  impl_->Probe(server, std::move(done));
}

void Peers::AskNodeApi(const Server& server) { impl_->AskNodeApi(server); }

void Peers::AnnounceJoin(const ClusterSnapshot& cluster, std::string_view about,
                         Announced done) {
  impl_->Announce(cluster, about, true, std::move(done));
}

void Peers::AnnounceLeave(const ClusterSnapshot& cluster,
                          std::string_view about, Announced done) {
  impl_->Announce(cluster, about, false, std::move(done));
}

void Peers::Stop() { impl_->Stop(); }

}  // namespace coord
