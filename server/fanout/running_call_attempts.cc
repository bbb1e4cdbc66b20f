// What a running call sends to each node, and what comes of it.
#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "server/fanout/outcome_text.h"
#include "server/fanout/running_call.h"

namespace coord {
namespace {

// A hedge that follows sooner would be load without a gain.
constexpr absl::Duration kLeastHedgeDelay = absl::Milliseconds(1);

}  // namespace

void RunningCall::SendReady() {
  if (fetching_token_ || next_ready_ == ready_.size()) return;
  const absl::Time now = lane_.loop.Now();
  while (in_flight_ < plan_.concurrency && next_ready_ < ready_.size() &&
         MaySend()) {
    const Index i = ready_[next_ready_++];
    if (token_status_.ok()) {
      StartAttempt(i, now);
    } else {
      SetFailure(plan_.outcomes[i], FailureReason::kToken,
                 absl::StrCat("no token: ", token_status_.message()));
      Settle(i, now);
    }
  }
}

// Nothing more is sent while what has come waits for its reader.
bool RunningCall::MaySend() const {
  return delivery_ == Delivery::kAtOnce || ledger_.MaySend(in_flight_);
}

void RunningCall::StartAttempt(Index i, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  node.token = tokens_;
  ++in_flight_;
  node.AttemptStarted(Send(i, Which::kFirst), now);
  WaitUntil(now + plan_.attempt_timeout, i);
  if (call_.hedge && !node.hedged) PlanHedge(i, now);
}

RequestId RunningCall::Send(Index i, Which which) {
  const NodeCall& node = plan_.nodes[i];
  HttpRequest request;
  request.origin = node.base.origin;
  request.method = call_.method;
  request.target = absl::StrCat(node.base.path, plan_.path_and_query);
  request.tail = tail_;
  request.repeatable = plan_.idempotent;
  request.max_body_bytes = engine_.options.max_node_answer_bytes;
  request.room = this;
  request.room_key = i;
  request.connect_timeout = engine_.options.request_timeout;
  return lane_.transport.Send(std::move(request),
                              [this, i, which](HttpOutcome outcome) {
                                OnOutcome(i, which, std::move(outcome));
                              });
}

void RunningCall::OnOutcome(Index i, Which which, HttpOutcome outcome) {
  const absl::Time now = lane_.loop.Now();
  if (which == Which::kHedge) {
    EndHedge(i);
  } else {
    plan_.nodes[i].request = kNoRequest;
  }
  if (auto* response = std::get_if<HttpResponse>(&outcome)) {
    OnAnswer(i, which, std::move(*response), now);
  } else {
    OnError(i, std::move(std::get<HttpError>(outcome)), now);
  }
  Advance();
}

void RunningCall::OnAnswer(Index i, Which which, HttpResponse response,
                           absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  NodeOutcome& outcome = plan_.outcomes[i];
  node.RequestEnded({.sent = true, .heard = true}, /*got_answer=*/true);
  const bool token_refused =
      response.status == 403 && !token_.empty() && node.token == 1;
  const bool may_repeat = MayRepeat(response, call_.retry, plan_.idempotent);
  const absl::Duration wish = RetryAfter(response, lane_.loop.WallTime());
  TakeAnswer(call_, std::move(response), engine_.options.max_node_answer_bytes,
             lane_.reader, node, outcome);
  const bool good = outcome.kind == NodeOutcome::Kind::kResult;
  if (node.in_flight() && !good) return;  // the other request may do better
  if (good && which == Which::kHedge) engine_.observer.OnHedgeWon();
  if (call_.hedge) lane_.latencies.Add(ServerOf(i), now - node.attempt_start);
  EndAttempt(i);
  if (token_refused) return RenewToken(i);
  if (may_repeat && TryAgain(i, wish, now)) return;
  Settle(i, now);
}

void RunningCall::OnError(Index i, HttpError error, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  node.RequestEnded({error.sent, error.heard}, error.answered);
  node.unreachable =
      error.kind == HttpError::Kind::kUnreachable && !error.heard;
  const bool may_repeat = MayRepeat(error, plan_.idempotent);
  TakeError(std::move(error), plan_.outcomes[i]);
  if (node.in_flight()) return;
  EndAttempt(i);
  if (may_repeat && TryAgain(i, absl::ZeroDuration(), now)) return;
  Settle(i, now);
}

// A hedge has no time of its own: the attempt ends for both.
void RunningCall::OnAttemptTimeout(Index i, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  const std::string within =
      absl::StrCat("within ", absl::FormatDuration(plan_.attempt_timeout));
  std::optional<HttpError> error =
      lane_.transport.HeldUpBy(node.request, within);
  node.silent = node.request != kNoRequest && !error &&
                plan_.attempt_timeout >= engine_.options.request_timeout;
  if (!error) {
    error.emplace(HttpError{.kind = HttpError::Kind::kTimeout,
                            .message = absl::StrCat("no answer ", within)});
  }
  const GivenUp known = CancelRequests(i);
  error->sent = known.sent;
  error->heard = known.heard;
  OnError(i, *std::move(error), now);
}

// What is still in flight of it is given up.
void RunningCall::EndAttempt(Index i) {
  NodeCall& node = plan_.nodes[i];
  node.state = NodeCall::State::kReady;
  node.hedge_due = absl::InfiniteFuture();
  node.lost |= CancelRequests(i).sent;
  if (node.grown > 0 || node.held_up) {
    ledger_.End(i, std::exchange(node.grown, 0));
    node.held_up = false;
  }
  --in_flight_;
}

// What is known of all that was in flight.
GivenUp RunningCall::CancelRequests(Index i) {
  NodeCall& node = plan_.nodes[i];
  GivenUp known;
  if (node.request != kNoRequest) {
    known = lane_.transport.Cancel(std::exchange(node.request, kNoRequest));
  }
  if (node.hedge != kNoRequest) {
    const GivenUp hedge = lane_.transport.Cancel(node.hedge);
    known.sent |= hedge.sent;
    known.heard |= hedge.heard;
    EndHedge(i);
  }
  return known;
}

// --- Room for answers ---

bool RunningCall::MayGrow(std::uint64_t key, std::size_t bytes) {
  const auto i = static_cast<Index>(key);
  NodeCall& node = plan_.nodes[i];
  if (ledger_.Grow(i, bytes)) {
    node.grown += bytes;
    return true;
  }
  // The server has no part in it: its time stands still.
  node.held_up = true;
  node.due = absl::InfiniteFuture();
  node.hedge_due = absl::InfiniteFuture();
  lane_.loop.Post([self = shared_from_this()] {
    if (!self->ended_) self->Advance();
  });
  return false;
}

void RunningCall::GoOn(Index i, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  node.held_up = false;
  node.attempt_start = now;
  WaitUntil(now + plan_.attempt_timeout, i);
  lane_.transport.GoOn(node.request);
  lane_.transport.GoOn(node.hedge);
}

// Lets answers go on, and sends, as far as there is room. If there is none
// before the reader takes something, Taken comes back here.
void RunningCall::UseRoom() {
  std::size_t taken = taken_.exchange(0);
  do {
    ledger_.Take(taken);
    while (const auto next = ledger_.NextToGoOn()) {
      plan_.nodes[next->node].grown += next->bytes;
      GoOn(next->node, lane_.loop.Now());
    }
    SendReady();
    const bool may_send = !fetching_token_ && next_ready_ < ready_.size() &&
                          in_flight_ < plan_.concurrency;
    if (ledger_.unread() == 0 || !(may_send || ledger_.holds_up())) return;
    wants_room_ = true;
    taken = taken_.exchange(0);
  } while (taken > 0);
}

void RunningCall::Taken(std::size_t bytes) {
  taken_ += bytes;
  if (!wants_room_.exchange(false)) return;
  lane_.loop.Post([self = shared_from_this()] {
    if (!self->ended_) self->Advance();
  });
}

// --- Hedges ---

ServerPtr RunningCall::ServerOf(Index i) const {
  return plan_.snapshot->Find(plan_.nodes[i].server->server_id);
}

void RunningCall::PlanHedge(Index i, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  std::optional<absl::Duration> delay = call_.hedge->delay;
  if (!delay) {
    delay = lane_.latencies.P95(ServerOf(i));
    if (!delay) return;
    delay = std::max(*delay, kLeastHedgeDelay);
  }
  const absl::Time due = now + *delay;
  if (due >= std::min(node.due, deadline_)) return;
  node.hedge_due = due;
  dues_.emplace(due, i);
}

// Unless its budget is empty or the limit on node calls is met. A hedge holds a
// permit of its own.
void RunningCall::Hedge(Index i) {
  NodeCall& node = plan_.nodes[i];
  node.hedge_due = absl::InfiniteFuture();
  if (!engine_.admission.TryEnterNodeCall()) return;
  if (!engine_.hedges.Spend()) return engine_.admission.GiveNodeCalls(1);
  engine_.observer.OnHedge();
  node.HedgeStarted(Send(i, Which::kHedge));
}

void RunningCall::EndHedge(Index i) {
  plan_.nodes[i].hedge = kNoRequest;
  engine_.admission.GiveNodeCalls(1);
}

// --- After an attempt ---

// False: the outcome stands. It also stands should the call end before the next
// attempt has begun.
bool RunningCall::TryAgain(Index i, absl::Duration at_least, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  const int attempts = node.counted_attempts();
  if (attempts >= call_.retry.max_attempts) return false;
  const absl::Duration delay =
      std::max(at_least, Backoff(call_.retry.backoff, attempts, lane_.random));
  if (now + delay >= deadline_ || !engine_.retries.Spend()) return false;
  engine_.observer.OnRetry();
  // Answers that are to be repeated must not pile up.
  if (plan_.outcomes[i].body.size() > kUnaskedAnswerBytes) {
    DropAnswer(plan_.outcomes[i]);
  }
  node.state = NodeCall::State::kBackingOff;
  WaitUntil(now + delay, i);
  return true;
}

}  // namespace coord
