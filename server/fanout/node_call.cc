#include "server/fanout/node_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/text_view.h"

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
      break;
  }
  return FailureReason::kUnreachable;
}

NodeBody ReadBody(const FanOutCall& call, const NodeOutcome& outcome,
                  NodeBodyReader& reader) {
  // There is a content type, but no body that could be of it.
  const bool headers_only = call.method == "HEAD" ||
                            outcome.http_status == 204 ||
                            outcome.http_status == 205;
  if (headers_only && outcome.body.empty()) return {};
  const std::string_view encoding =
      FindHeader(outcome.headers, "content-encoding");
  if (!encoding.empty() &&
      !absl::EqualsIgnoreCase(AbslView(encoding), "identity")) {
    return {};
  }
  return reader.Read(FindHeader(outcome.headers, "content-type"), outcome.body);
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

// Turns a 2xx answer into a failure if its body says that it is none.
void CheckBody(IdentityCheck check, const Server& server, const NodeBody& body,
               NodeOutcome& outcome) {
  if (body.kind == NodeBody::Kind::kBad) {
    SetFailure(outcome, FailureReason::kBadBody,
               "its answer is not the JSON that it announces");
  } else if (check != IdentityCheck::kOff && body.has_server &&
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

void NodeCall::RequestEnded(bool sent, bool got_answer) {
  unreachable = false;
  if (got_answer) {
    answered = true;
    silent = false;
  } else if (sent) {
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
                NodeBodyReader& reader, NodeCall& node, NodeOutcome& outcome) {
  node.data = {};
  node.nameless = false;
  outcome.http_status = response.status;
  outcome.headers = std::move(response.headers);
  outcome.body = std::move(response.body);
  if (response.status < 200 || response.status > 299) {
    SetFailure(outcome, FailureReason::kHttpStatus,
               absl::StrCat("answered ", response.status));
    return;
  }
  outcome.kind = NodeOutcome::Kind::kResult;
  outcome.message.clear();
  const NodeBody body = ReadBody(call, outcome, reader);
  CheckBody(call.identity_check, *node.server, body, outcome);
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
    case HttpError::Kind::kBadResponse:
    case HttpError::Kind::kTooLarge:
      break;
  }
  return false;
}

absl::Duration RetryAfter(const HttpResponse& response) {
  if (response.status != 429 && response.status != 503) return {};
  int seconds = 0;
  const std::string_view wish = FindHeader(response.headers, "retry-after");
  if (!absl::SimpleAtoi(AbslView(wish), &seconds) || seconds < 0) return {};
  return absl::Seconds(seconds);
}

}  // namespace coord
