#include "server/fanout/node_call.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/text_view.h"
#include "server/fanout/answer_body.h"
#include "server/http/content_coding.h"
#include "server/http/http_date.h"
#include "server/http/proxy_status.h"

namespace coord {
namespace {

FailureReason ReasonOf(HttpError::Kind kind) {
  switch (kind) {
    case HttpError::Kind::kTimeout:
      return FailureReason::kTimeout;
    case HttpError::Kind::kConnectionLost:
      return FailureReason::kConnectionLost;
    case HttpError::Kind::kBadResponse:
      return FailureReason::kBadBody;
    case HttpError::Kind::kTooLarge:
      return FailureReason::kTooLarge;
    case HttpError::Kind::kUnreachable:
    case HttpError::Kind::kOverloaded:
    case HttpError::Kind::kUnresolved:
      break;
  }
  return FailureReason::kUnreachable;
}

bool Names(const HttpHeaders& headers, std::string_view name) {
  return std::any_of(
      headers.begin(), headers.end(), [name](const auto& header) {
        return absl::EqualsIgnoreCase(header.name, AbslView(name));
      });
}

// What a result can't be made of fails here.
NodeBody ReadBody(const FanOutCall& call, std::size_t max_body_bytes,
                  NodeBodyReader& reader, NodeOutcome& outcome) {
  using Kind = AnswerBody::Kind;
  AnswerBody read = ReadAnswerBody(outcome.http_status, outcome.headers,
                                   outcome.body, max_body_bytes, reader);
  // A part of JSON is none, and who asks for a coding can undo it.
  const bool as_wanted =
      (read.kind == Kind::kBad && outcome.http_status == 206) ||
      (read.kind == Kind::kCoded && Names(call.headers, "accept-encoding"));
  if (read.problem.empty() || as_wanted) return std::move(read.json);
  SetFailure(outcome,
             read.kind == Kind::kTooLarge ? FailureReason::kTooLarge
                                          : FailureReason::kBadBody,
             std::move(read.problem));
  return {};
}

bool MustNameItself(IdentityCheck check, const Server& server) {
  return check == IdentityCheck::kRequired ||
         (check == IdentityCheck::kByNodeApi &&
          server.node_api == NodeApi::kYes);
}

// Who claims to have answered goes into a message only if it is a proper name.
std::string Named(const std::string& server_id) {
  return IsValidServerId(server_id) ? server_id : "another server";
}

// A status that is no success. A proxy of ours says by it what was wrong with
// the answer of the service behind it.
void TakeStatus(NodeOutcome& outcome) {
  std::string told = absl::StrCat("answered ", outcome.http_status);
  const std::optional<ProxyFault> fault = ProxyFaultOf(outcome.headers);
  if (!fault) {
    SetFailure(outcome, FailureReason::kHttpStatus, std::move(told));
  } else if (*fault == ProxyFault::kTooLarge) {
    SetFailure(outcome, FailureReason::kTooLarge,
               absl::StrCat(told, ": its service's answer is too large"));
  } else {
    SetFailure(outcome, FailureReason::kBadBody,
               absl::StrCat(told, ": its service's answer can't be read"));
  }
}

// Turns a 2xx answer into a failure if its body says that it is none.
void CheckBody(IdentityCheck check, const Server& server, const NodeBody& body,
               NodeOutcome& outcome) {
  if (check != IdentityCheck::kOff && body.has_server &&
      body.server_id != server.server_id) {
    SetFailure(outcome, FailureReason::kWrongServer,
               absl::StrCat(Named(body.server_id), " answered in its place"));
  } else if (body.has_status_code) {
    SetFailure(outcome, FailureReason::kHttpStatus,
               absl::StrCat("answered ", outcome.http_status,
                            " with an error: a statusCode of its own"));
  } else if (MustNameItself(check, server) && !body.has_server) {
    SetFailure(outcome, FailureReason::kWrongServer,
               "its answer does not name the server");
  }
}

}  // namespace

void NodeCall::AttemptStarted(RequestId id, absl::Time now) {
  state = State::kInFlight;
  request = id;
  attempt_start = now;
  if (attempts++ == 0) first_start = now;
}

void NodeCall::HedgeStarted(RequestId id) {
  hedge = id;
  hedged = true;
  ++attempts;
}

void NodeCall::RequestEnded(GivenUp known, bool got_answer) {
  unreachable = false;
  if (got_answer || known.heard) silent = false;
  if (got_answer) {
    answered = true;
  } else if (known.sent) {
    lost = true;
  }
}

int NodeCall::counted_attempts() const {
  return attempts - (token_renewed ? 1 : 0) - (hedged ? 1 : 0);
}

Certainty NodeCall::certainty() const {
  if (lost) return Certainty::kMaybeExecuted;
  return answered ? Certainty::kAnswered : Certainty::kNotSent;
}

void SetFailure(NodeOutcome& outcome, FailureReason reason, std::string cause) {
  outcome.kind = NodeOutcome::Kind::kFailure;
  outcome.failure = reason;
  outcome.message = std::move(cause);
}

void TakeAnswer(const FanOutCall& call, HttpResponse response,
                std::size_t max_body_bytes, NodeBodyReader& reader,
                NodeCall& node, NodeOutcome& outcome) {
  node.data = {};
  node.nameless = false;
  outcome.http_status = response.status;
  outcome.headers = std::move(response.headers);
  outcome.body = std::move(response.body);
  if (response.status < 200 || response.status > 299) {
    // What can't be unpacked is told as it came.
    UndoCodings(outcome.headers, outcome.body, max_body_bytes).IgnoreError();
    TakeStatus(outcome);
    return;
  }
  outcome.kind = NodeOutcome::Kind::kResult;
  outcome.message.clear();
  const NodeBody body = ReadBody(call, max_body_bytes, reader, outcome);
  if (outcome.kind == NodeOutcome::Kind::kResult) {
    CheckBody(call.identity_check, *node.server, body, outcome);
  }
  if (outcome.kind != NodeOutcome::Kind::kResult) return;
  node.nameless = !body.has_server;
  if (!body.has_data) return;
  node.data = {true,
               static_cast<std::size_t>(body.data.data() - outcome.body.data()),
               body.data.size()};
}

void TakeError(HttpError error, NodeOutcome& outcome) {
  outcome.http_status = 0;
  outcome.headers.clear();
  outcome.body.clear();
  SetFailure(outcome, ReasonOf(error.kind), std::move(error.message));
}

std::string FailureMessage(const NodeOutcome& outcome) {
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

bool MayRepeat(const HttpResponse& response, const RetryPolicy& retry,
               bool idempotent) {
  const int status = response.status;
  if (!idempotent && status != 429) return false;
  if (retry.statuses.empty()) return status == 429 || status / 100 == 5;
  return std::find(retry.statuses.begin(), retry.statuses.end(), status) !=
         retry.statuses.end();
}

bool MayRepeat(const HttpError& error, bool idempotent) {
  switch (error.kind) {
    case HttpError::Kind::kUnreachable:
    case HttpError::Kind::kTimeout:
    case HttpError::Kind::kConnectionLost:
    case HttpError::Kind::kOverloaded:
      return idempotent || !error.sent;
    // The lookup has made its own attempts.
    case HttpError::Kind::kUnresolved:
    case HttpError::Kind::kBadResponse:
    case HttpError::Kind::kTooLarge:
      break;
  }
  return false;
}

absl::Duration RetryAfter(const HttpResponse& response, absl::Time now) {
  if (response.status != 429 && response.status != 503) return {};
  const std::string_view wish = FindHeader(response.headers, "retry-after");
  std::int64_t seconds = 0;
  if (absl::SimpleAtoi(AbslView(wish), &seconds)) {
    return absl::Seconds(std::max<std::int64_t>(seconds, 0));
  }
  const bool beyond_any_number =
      !wish.empty() && std::all_of(wish.begin(), wish.end(), [](char c) {
        return absl::ascii_isdigit(static_cast<unsigned char>(c));
      });
  if (beyond_any_number) return absl::InfiniteDuration();
  const std::optional<absl::Time> until = ParseHttpDate(wish, now);
  if (!until) return {};
  const std::optional<absl::Time> sent =
      ParseHttpDate(FindHeader(response.headers, "date"), now);
  return std::max(*until - sent.value_or(now), absl::ZeroDuration());
}

}  // namespace coord
