#include "server/fanout/running_call.h"

#include <algorithm>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/ids.h"

namespace coord {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);

std::string Message(const NodeOutcome& outcome) {
  std::string message =
      absl::StrCat("call ", outcome.server_id, ": ", outcome.message);
  if (outcome.attempts > 1) {
    absl::StrAppend(&message, " (", outcome.attempts, " attempts)");
  }
  return message;
}

bool LooksDead(const NodeCall& node, const NodeOutcome& outcome) {
  if (outcome.kind != NodeOutcome::Kind::kFailure) return false;
  return (outcome.failure == FailureReason::kUnreachable && node.unreachable) ||
         (outcome.failure == FailureReason::kTimeout && node.silent);
}

}  // namespace

RunningCall::RunningCall(EngineState& engine, EngineLane& lane, FanOutCall call,
                         CallPlan plan, Delivery delivery,
                         std::shared_ptr<FanOutSink> sink, absl::Time start)
    : engine_(engine),
      lane_(lane),
      call_(std::move(call)),
      plan_(std::move(plan)),
      delivery_(delivery),
      sink_(std::move(sink)),
      start_(start),
      deadline_(start_ + (call_.time_left < absl::InfiniteDuration()
                              ? call_.time_left
                              : engine.options.default_time_limit)),
      tracker_(call_.policy, plan_.callable),
      aggregate_(plan_.answer_bytes),
      unsettled_(plan_.sendable),
      permits_(plan_.concurrency) {}

void RunningCall::Begin() {
  lane_.calls.insert(shared_from_this());
  begun_ = true;
  const absl::Time now = lane_.loop.Now();
  const bool in_time = now < deadline_;
  // What is known already can wait until the requests are out.
  if (in_time && !cancelled_) Launch(now);
  for (Index i = 0; i < plan_.nodes.size(); ++i) {
    if (!plan_.nodes[i].sendable) Settle(i, now);
  }
  if (cancelled_) return End(Ending::kCancelled);
  if (!in_time) return End(Ending::kDeadline);
  Advance();
}

void RunningCall::Launch(absl::Time now) {
  deadline_timer_ =
      lane_.loop.RunAfter(deadline_ - now, [this] { End(Ending::kDeadline); });
  if (plan_.sendable == 0) return;
  ready_.reserve(static_cast<std::size_t>(plan_.sendable));
  for (Index i = 0; i < plan_.nodes.size(); ++i) {
    if (plan_.nodes[i].sendable) ready_.push_back(i);
  }
  engine_.retries.Earn(plan_.sendable);
  headers_ = RequestHeaders(
      call_, engine_.options.user_agent,
      call_.correlation_id.empty() ? RandomUuid(lane_.random) : "",
      lane_.loop.WallTime());
  if (WantsToken()) return FetchToken();
  tail_ = SerializeTail(call_.method, headers_, call_.body);
  SendReady();
}

void RunningCall::Cancel() {
  if (ended_.load(std::memory_order_acquire)) return;
  lane_.loop.Post([self = shared_from_this()] {
    self->cancelled_ = true;
    if (self->begun_ && !self->ended_) self->End(Ending::kCancelled);
  });
}

// --- The token ---

bool RunningCall::WantsToken() const {
  return engine_.tokens != nullptr &&
         std::none_of(headers_.begin(), headers_.end(), [](const auto& header) {
           return absl::EqualsIgnoreCase(header.name, "authorization");
         });
}

void RunningCall::FetchToken() {
  fetching_token_ = true;
  TokenRequest request;
  request.type = plan_.snapshot->identity.type;
  request.customer_name = call_.customer_name;
  engine_.tokens->Get(
      std::move(request),
      PostedTo(lane_.loop,
               [self = shared_from_this()](absl::StatusOr<std::string> token) {
                 if (!self->ended_) self->OnToken(std::move(token));
               }));
}

void RunningCall::OnToken(absl::StatusOr<std::string> token) {
  fetching_token_ = false;
  token_status_ = token.status();
  if (token.ok()) {
    ++tokens_;
    token_ = *std::move(token);
    HttpHeaders headers = headers_;
    if (!token_.empty()) {
      headers.push_back({"authorization", absl::StrCat("Bearer ", token_)});
    }
    tail_ = SerializeTail(call_.method, headers, call_.body);
  }
  Advance();
}

// The first token that a node refuses is replaced, once for all nodes; each
// gets one more attempt with its successor.
void RunningCall::RenewToken(Index i) {
  plan_.nodes[i].token_renewed = true;
  ready_.push_back(i);
  if (fetching_token_ || tokens_ > 1 || !token_status_.ok()) return;
  engine_.tokens->Drop(token_);
  FetchToken();
}

// --- Attempts ---

void RunningCall::SendReady() {
  if (fetching_token_ || next_ready_ == ready_.size()) return;
  const absl::Time now = lane_.loop.Now();
  while (in_flight_ < plan_.concurrency && next_ready_ < ready_.size()) {
    const Index i = ready_[next_ready_++];
    if (token_status_.ok()) {
      Send(i, now);
    } else {
      SetFailure(plan_.outcomes[i], FailureReason::kToken,
                 absl::StrCat("no token: ", token_status_.message()));
      Settle(i, now);
    }
  }
}

void RunningCall::Send(Index i, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  HttpRequest request;
  request.origin = node.base.origin;
  request.method = call_.method;
  request.target = absl::StrCat(node.base.path, plan_.path_and_query);
  request.tail = tail_;
  request.repeatable = plan_.idempotent;
  request.max_body_bytes = engine_.options.max_node_answer_bytes;
  request.connect_timeout =
      std::min(kConnectTimeout, engine_.options.request_timeout);
  node.token = tokens_;
  ++in_flight_;
  const RequestId id = lane_.transport.Send(
      std::move(request),
      [this, i](HttpOutcome outcome) { OnOutcome(i, std::move(outcome)); });
  node.AttemptStarted(id, now);
  WaitUntil(now + plan_.attempt_timeout, i);
}

void RunningCall::OnOutcome(Index i, HttpOutcome outcome) {
  const absl::Time now = lane_.loop.Now();
  --in_flight_;
  if (auto* response = std::get_if<HttpResponse>(&outcome)) {
    OnAnswer(i, std::move(*response), now);
  } else {
    OnError(i, std::move(std::get<HttpError>(outcome)), now);
  }
  Advance();
}

void RunningCall::OnAnswer(Index i, HttpResponse response, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  node.AttemptEnded(/*sent=*/true, /*got_answer=*/true);
  const bool token_refused =
      response.status == 403 && !token_.empty() && node.token == 1;
  const bool may_repeat = MayRepeat(response, call_.retry, plan_.idempotent);
  const absl::Duration wish = RetryAfter(response);
  node.data = TakeAnswer(call_, *node.server, std::move(response), lane_.reader,
                         plan_.outcomes[i]);
  if (token_refused) return RenewToken(i);
  if (may_repeat && TryAgain(i, wish, now)) return;
  Settle(i, now);
}

void RunningCall::OnError(Index i, HttpError error, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  node.AttemptEnded(error.sent, error.answered);
  node.unreachable = error.kind == HttpError::Kind::kUnreachable;
  const bool may_repeat = MayRepeat(error, plan_.idempotent);
  TakeError(std::move(error), plan_.outcomes[i]);
  if (may_repeat && TryAgain(i, absl::ZeroDuration(), now)) return;
  Settle(i, now);
}

void RunningCall::OnAttemptTimeout(Index i, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  node.silent = plan_.attempt_timeout >= engine_.options.request_timeout;
  --in_flight_;
  HttpError error{HttpError::Kind::kTimeout};
  error.sent = lane_.transport.Cancel(node.request);
  error.message = absl::StrCat("no answer within ",
                               absl::FormatDuration(plan_.attempt_timeout));
  OnError(i, std::move(error), now);
}

// False: the outcome stands. It also stands should the call end before the next
// attempt has begun.
bool RunningCall::TryAgain(Index i, absl::Duration at_least, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  const int attempts = node.attempts - (node.token_renewed ? 1 : 0);
  if (attempts >= call_.retry.max_attempts) return false;
  const absl::Duration delay =
      std::max(at_least, Backoff(call_.retry.backoff, attempts, lane_.random));
  if (now + delay >= deadline_ || !engine_.retries.Spend()) return false;
  engine_.observer.OnRetry();
  node.state = NodeCall::State::kBackingOff;
  WaitUntil(now + delay, i);
  return true;
}

void RunningCall::Settle(Index i, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  NodeOutcome& outcome = plan_.outcomes[i];
  node.state = NodeCall::State::kSettled;
  if (node.sendable) {
    --unsettled_;
    GiveBackPermits();
  }
  outcome.attempts = node.attempts;
  outcome.certainty = node.certainty();
  if (node.attempts > 0) outcome.elapsed = now - node.first_start;
  const bool unary = delivery_ == Delivery::kAtOnce;
  if (unary) {
    aggregate_.Add(call_.body_view, outcome, node.data);
  } else if (outcome.kind == NodeOutcome::Kind::kResult &&
             !IsBodyTold(call_.body_view, /*spliced=*/false)) {
    outcome.body = {};
  }
  switch (outcome.kind) {
    case NodeOutcome::Kind::kResult:
      tracker_.AddResult();
      break;
    case NodeOutcome::Kind::kFailure:
      tracker_.AddFailure();
      outcome.message = Message(outcome);
      if (LooksDead(node, outcome)) suspects_.push_back(i);
      break;
    case NodeOutcome::Kind::kSkipped:
      ++skipped_;
      break;
  }
  engine_.observer.OnNodeOutcome(outcome);
  if (!unary) sink_->OnOutcome(std::move(outcome));
}

void RunningCall::GiveBackPermits() {
  if (unsettled_ >= permits_) return;
  engine_.admission.GiveNodeCalls(permits_ - unsettled_);
  permits_ = unsettled_;
}

// --- Time ---

bool RunningCall::Done() const { return unsettled_ == 0 || tracker_.Done(); }

void RunningCall::Advance() {
  if (!Done()) SendReady();
  if (Done()) return End(Ending::kPolicyMet);
  ArmTimer();
}

void RunningCall::WaitUntil(absl::Time when, Index i) {
  plan_.nodes[i].due = when;
  if (when < deadline_) dues_.emplace(when, i);
}

void RunningCall::ArmTimer() {
  if (dues_.empty() || dues_.top().first >= timer_due_) return;
  lane_.loop.Cancel(timer_);
  timer_due_ = dues_.top().first;
  timer_ =
      lane_.loop.RunAfter(timer_due_ - lane_.loop.Now(), [this] { OnTimer(); });
}

void RunningCall::OnTimer() {
  timer_ = kNoTimer;
  timer_due_ = absl::InfiniteFuture();
  const absl::Time now = lane_.loop.Now();
  while (!dues_.empty() && dues_.top().first <= now) {
    const auto [when, i] = dues_.top();
    dues_.pop();
    NodeCall& node = plan_.nodes[i];
    if (node.due != when) continue;  // an attempt that has ended since
    if (node.state == NodeCall::State::kInFlight) {
      OnAttemptTimeout(i, now);
    } else if (node.state == NodeCall::State::kBackingOff) {
      node.state = NodeCall::State::kReady;
      ready_.push_back(i);
    }
  }
  Advance();
}

// --- The end ---

void RunningCall::End(Ending ending) {
  const std::shared_ptr<RunningCall> self = shared_from_this();
  lane_.calls.erase(self);
  ended_.store(true, std::memory_order_release);
  lane_.loop.Cancel(deadline_timer_);
  lane_.loop.Cancel(timer_);
  const absl::Time now = lane_.loop.Now();
  for (Index i = 0; i < plan_.nodes.size() && unsettled_ > 0; ++i) {
    if (plan_.nodes[i].state != NodeCall::State::kSettled) {
      Abandon(i, ending, now);
    }
  }
  FanOutAnswer answer;
  answer.summary = Summarize(now);
  if (delivery_ == Delivery::kAtOnce) {
    answer.data_json = SpliceData(call_.body_view, plan_.nodes, plan_.outcomes);
    answer.outcomes = std::move(plan_.outcomes);
  }
  const FanOutSummary summary = answer.summary;
  std::exchange(sink_, nullptr)->OnDone(std::move(answer));
  engine_.observer.OnCallEnded(summary);
  for (const Index i : suspects_) {
    engine_.suspicions.Suspect(
        plan_.snapshot->identity,
        plan_.snapshot->Find(plan_.nodes[i].server->server_id));
  }
  engine_.admission.GiveCall();
}

void RunningCall::Abandon(Index i, Ending ending, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  NodeOutcome& outcome = plan_.outcomes[i];
  const bool in_flight = node.state == NodeCall::State::kInFlight;
  if (in_flight) {
    node.AttemptEnded(lane_.transport.Cancel(node.request), false);
    node.silent |= now - node.attempt_start >= engine_.options.request_timeout;
  }
  // Between attempts at the deadline: the last one's failure stands.
  if (ending == Ending::kDeadline && node.attempts > 0 && !in_flight) {
    return Settle(i, now);
  }
  HttpError error{HttpError::Kind::kTimeout};
  error.message = in_flight ? "no answer before the call's deadline"
                            : "the call's deadline came before its turn";
  TakeError(std::move(error), outcome);
  if (ending == Ending::kCancelled) {
    SetFailure(outcome, FailureReason::kCancelled, "the caller gave up");
  } else if (ending == Ending::kPolicyMet) {
    outcome.kind = NodeOutcome::Kind::kSkipped;
    outcome.skip = SkipReason::kPolicyMet;
    outcome.message.clear();
  }
  Settle(i, now);
}

FanOutSummary RunningCall::Summarize(absl::Time now) const {
  FanOutSummary summary;
  summary.expected = static_cast<int>(plan_.nodes.size());
  summary.results = tracker_.results();
  summary.failures = tracker_.failures();
  summary.skipped = skipped_;
  summary.verdict = VerdictOf(summary.results, summary.expected);
  summary.policy_met = tracker_.PolicyMet();
  summary.cluster_id = plan_.snapshot->identity.id;
  summary.revision = plan_.snapshot->revision;
  summary.elapsed = now - start_;
  return summary;
}

}  // namespace coord
