#include "server/fanout/running_call.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "server/fanout/outcome_text.h"

namespace coord {

void EngineLane::Stop() {
  stopped = true;
  // A copy: each leaves the set.
  const std::vector<std::shared_ptr<LaneCall>> open(calls.begin(), calls.end());
  for (const auto& call : open) call->Stop();
}

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
      aggregate_(plan_.answer_bytes, plan_.reserved_bytes, engine.format),
      ledger_(delivery == Delivery::kStreamed
                  ? plan_.answer_bytes
                  : std::max(plan_.answer_bytes,
                             engine.options.default_answer_bytes)),
      unsettled_(plan_.sendable),
      permits_(plan_.concurrency) {}

void RunningCall::Begin() {
  lane_.calls.insert(shared_from_this());
  begun_ = true;
  const absl::Time now = lane_.loop.Now();
  const bool in_time = now < deadline_;
  // What is known already can wait until the requests are out.
  if (in_time && !cancelled_ && !lane_.stopped) Launch(now);
  for (Index i = 0; i < plan_.nodes.size(); ++i) {
    if (!plan_.nodes[i].sendable) Settle(i, now);
  }
  if (cancelled_) return End(Ending::kCancelled);
  if (lane_.stopped) return End(Ending::kStopped);
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
  if (call_.hedge) engine_.hedges.Earn(plan_.sendable);
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

void RunningCall::Stop() { End(Ending::kStopped); }

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

// --- Outcomes ---

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
  if (outcome.kind == NodeOutcome::Kind::kFailure) {
    outcome.message = FailureMessage(outcome);
  }
  CleanTexts(outcome);
  const bool unary = delivery_ == Delivery::kAtOnce;
  if (unary) {
    aggregate_.Add(call_.body_view, node.reserved, outcome, node.data);
  } else {
    FitIntoMessage(outcome);
  }
  switch (outcome.kind) {
    case NodeOutcome::Kind::kResult:
      tracker_.AddResult();
      if (LacksName(node)) nameless_.push_back(i);
      break;
    case NodeOutcome::Kind::kFailure:
      tracker_.AddFailure();
      if (LooksDead(node, outcome)) suspects_.push_back(i);
      break;
    case NodeOutcome::Kind::kSkipped:
      ++skipped_;
      break;
  }
  engine_.observer.OnNodeOutcome(outcome);
  if (!unary) ledger_.Deliver(sink_->OnOutcome(std::move(outcome)));
}

// Whether a result should have named its server if that serves the node API,
// which nobody knows.
bool RunningCall::LacksName(const NodeCall& node) const {
  return node.nameless && call_.identity_check == IdentityCheck::kByNodeApi &&
         node.server->node_api == NodeApi::kUnknown;
}

// A stream has no limit over all, but each of its messages has: a caller who
// asks for none takes in what one aggregate would be. While the reader has
// enough to read, failures are told in short.
void RunningCall::FitIntoMessage(NodeOutcome& outcome) const {
  if (outcome.kind == NodeOutcome::Kind::kResult &&
      !IsBodyTold(call_.body_view, /*spliced=*/false)) {
    outcome.body = {};
  }
  if (outcome.kind == NodeOutcome::Kind::kFailure && ledger_.full()) {
    DropAnswer(outcome);
    outcome.cluster_base_url.clear();
  }
  const std::size_t limit =
      std::max(plan_.answer_bytes, engine_.options.default_answer_bytes);
  if (engine_.format.SizeOf(outcome) <= limit) return;
  if (outcome.kind == NodeOutcome::Kind::kResult) {
    MakeTooLarge(limit, outcome);
  } else {
    DropAnswer(outcome);
  }
  const std::size_t size = engine_.format.SizeOf(outcome);
  if (size > limit) CutText(outcome.message, size - limit);
}

void RunningCall::GiveBackPermits() {
  if (unsettled_ >= permits_) return;
  engine_.admission.GiveNodeCalls(permits_ - unsettled_);
  permits_ = unsettled_;
}

// --- Time ---

bool RunningCall::Done() const { return unsettled_ == 0 || tracker_.Done(); }

void RunningCall::Advance() {
  if (!Done()) UseRoom();
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
    if (node.hedge_due == when) {
      Hedge(i);
      continue;
    }
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
  engine_.observer.OnCallEnded(summary);
  std::exchange(sink_, nullptr)->OnDone(std::move(answer));
  for (const Index i : suspects_) {
    engine_.suspicions.Suspect(plan_.snapshot->identity, ServerOf(i));
  }
  for (const Index i : nameless_) {
    engine_.suspicions.Nameless(ServerOf(i));
  }
  engine_.admission.GiveCall();
  engine_.governor.OnCallEnded(lane_.loop, lane_.load, plan_.concurrency,
                               summary.elapsed, deadline_ - start_);
}

void RunningCall::Abandon(Index i, Ending ending, absl::Time now) {
  NodeCall& node = plan_.nodes[i];
  NodeOutcome& outcome = plan_.outcomes[i];
  const bool in_flight = node.state == NodeCall::State::kInFlight;
  const bool held_up = node.held_up;
  std::optional<HttpError> obstacle;
  if (in_flight) {
    obstacle =
        lane_.transport.HeldUpBy(node.request, "before the call's deadline");
    node.silent |= node.request != kNoRequest && !held_up && !obstacle &&
                   now - node.attempt_start >= engine_.options.request_timeout;
    node.RequestEnded(CancelRequests(i), /*got_answer=*/false);
    EndAttempt(i);
  }
  // Between attempts at the deadline: the last one's failure stands.
  const bool in_vain =
      ending == Ending::kDeadline || ending == Ending::kStopped;
  if (in_vain && node.attempts > 0 && !in_flight) return Settle(i, now);
  HttpError error{HttpError::Kind::kTimeout};
  if (obstacle) {
    error = *std::move(obstacle);
  } else if (held_up) {
    error.message = "its answer found no room before the call's deadline";
  } else if (in_flight) {
    error.message = "no answer before the call's deadline";
  } else {
    error.message = "the call's deadline came before its turn";
  }
  TakeError(std::move(error), outcome);
  if (ending == Ending::kCancelled) {
    SetFailure(outcome, FailureReason::kCancelled, "the caller gave up");
  } else if (ending == Ending::kStopped) {
    SetFailure(outcome, FailureReason::kCancelled,
               "this clusterd is shutting down");
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
  summary.cluster_id = plan_.cluster_id;
  summary.revision = plan_.snapshot->revision;
  summary.elapsed = now - start_;
  summary.membership_age = plan_.knowledge.age;
  summary.warnings = WarningsOf(plan_);
  return summary;
}

}  // namespace coord
