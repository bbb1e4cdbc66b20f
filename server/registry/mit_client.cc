#include "server/registry/mit_client.h"

#include <sys/utsname.h>

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/correlation_id.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/utf8.h"
#include "server/http/content_coding.h"

namespace coord {
namespace {

// A list of many thousand servers.
constexpr std::size_t kMaxAnswerBytes = 32 << 20;

std::string DescribeSystem() {
  utsname system{};
  if (uname(&system) != 0) return "unknown; unknown; clusterd";
  return absl::StrCat(system.sysname, "; ", system.machine, "; clusterd");
}

bool IsTransient(int status) { return status == 429 || status >= 500; }

// What the authority says of a request that it understood and finds wrong.
bool IsWrongRecord(int status) {
  return status == 400 || status == 409 || status == 413 || status == 422;
}

}  // namespace

MitClient::MitClient(EventLoop& loop, HttpTransport& transport,
                     TokenSource& tokens, MitRegistryOptions options)
    : loop_(loop),
      transport_(transport),
      tokens_(tokens),
      options_(std::move(options)),
      system_(DescribeSystem()) {}

void MitClient::Send(MitRequest request, Done done) {
  auto call = std::make_shared<Call>();
  call->request = std::move(request);
  call->request.correlation_id = NextCorrelationId(
      call->request.correlation_id, RandomUuid(random_), loop_.WallTime());
  call->done = std::move(done);
  call->deadline = loop_.Now() + options_.call_timeout;
  calls_.insert(call);
  if (stopped_) {
    loop_.Post([self = shared_from_this(), call] { self->Interrupt(call); });
  } else {
    GetToken(call);
  }
}

void MitClient::Stop() {
  stopped_ = true;
  // A copy: whoever is answered may send another.
  const std::vector<CallPtr> calls(calls_.begin(), calls_.end());
  for (const CallPtr& call : calls) Interrupt(call);
}

void MitClient::Interrupt(const CallPtr& call) {
  if (!IsOpen(call)) return;
  call->sent |= transport_.Cancel(call->in_flight).sent;
  const std::string known =
      call->sent ? absl::StrCat("the ", call->request.method, " was sent")
                 : "nothing was sent";
  Fail(call, Reason::kDraining,
       "this clusterd stopped before the authority had answered; " + known);
}

void MitClient::GetToken(const CallPtr& call) {
  TokenRequest request;
  request.type = call->request.type;
  request.audience = options_.audience;
  request.cluster = false;
  tokens_.Get(std::move(request),
              PostedTo(loop_, [weak = weak_from_this(),
                               call](absl::StatusOr<std::string> token) {
                auto self = weak.lock();
                if (self == nullptr || !self->IsOpen(call)) return;
                if (token.ok()) {
                  call->token = *std::move(token);
                  self->Attempt(call);
                } else {
                  self->Finish(call,
                               Annotate(token.status(), call->request.action));
                }
              }));
}

void MitClient::Attempt(const CallPtr& call) {
  if (loop_.Now() >= call->deadline) {
    Fail(call, Reason::kAuthorityUnavailable,
         "no time is left to ask the authority");
    return;
  }
  call->in_flight = transport_.Send(
      RequestFor(*call), [weak = weak_from_this(), call](HttpOutcome outcome) {
        if (auto self = weak.lock()) self->OnOutcome(call, std::move(outcome));
      });
}

HttpRequest MitClient::RequestFor(const Call& call) {
  const MitRequest& request = call.request;
  HttpHeaders headers = {
      {"accept", "application/json"},
      {"accept-encoding", "identity"},
      {"user-agent", EscapeHeaderValue(absl::StrCat(
                         "mimik-", request.type, "/", options_.version, "/",
                         request.server_id, " (", system_, ")"))},
      {"x-correlation-id", request.correlation_id}};
  if (!request.body.empty()) {
    headers.push_back({"content-type", "application/json"});
  }
  if (!call.token.empty()) {
    headers.push_back({"authorization", "Bearer " + call.token});
  }
  HttpRequest http;
  http.origin = options_.url.origin;
  http.method = request.method;
  http.target = options_.url.path + request.target;
  http.tail = SerializeTail(request.method, headers, request.body);
  http.repeatable = true;
  http.max_body_bytes = kMaxAnswerBytes;
  http.timeout =
      std::min(options_.attempt_timeout, call.deadline - loop_.Now());
  return http;
}

void MitClient::OnOutcome(const CallPtr& call, HttpOutcome outcome) {
  call->in_flight = kNoRequest;
  if (auto* response = std::get_if<HttpResponse>(&outcome)) {
    call->sent = true;
    OnResponse(call, std::move(*response));
    return;
  }
  const HttpError& error = std::get<HttpError>(outcome);
  call->sent |= error.sent;
  if (error.kind == HttpError::Kind::kTooLarge) {
    Fail(call, Reason::kAuthorityBadAnswer, error.message);
  } else {
    TryAgain(call, "authority did not answer: " + error.message);
  }
}

void MitClient::OnResponse(const CallPtr& call, HttpResponse response) {
  // What can't be unpacked can't be parsed either, which is told below.
  UndoCodings(response.headers, response.body, kMaxAnswerBytes).IgnoreError();
  const int status = response.status;
  const std::string why = absl::StrCat("authority answered ", status);
  if (status >= 200 && status < 300) {
    Finish(call, Answer(std::move(response.body)));
  } else if (status == 404 && call->request.absent_is_success) {
    Finish(call, Answer());
  } else if (status == 401 || status == 403) {
    OnTokenRefused(call);
  } else if (IsTransient(status)) {
    TryAgain(call, why);
  } else if (IsWrongRecord(status)) {
    Fail(call, Reason::kInvalidField, why);
  } else {
    Fail(call, Reason::kAuthorityBadAnswer, why);
  }
}

void MitClient::OnTokenRefused(const CallPtr& call) {
  if (call->token_was_refused || call->token.empty()) {
    Fail(call, Reason::kAuthorityRejectedCredentials,
         "authority refuses our token");
    return;
  }
  call->token_was_refused = true;
  tokens_.Drop(call->token);
  GetToken(call);
}

void MitClient::TryAgain(const CallPtr& call, const std::string& why) {
  const bool in_time = loop_.Now() + options_.retry_pause < call->deadline;
  if (call->attempt > options_.retries || !in_time) {
    Fail(call, Reason::kAuthorityUnavailable,
         absl::StrCat(why, " after ", call->attempt, " attempts"));
    return;
  }
  ++call->attempt;
  loop_.RunAfter(options_.retry_pause, [weak = weak_from_this(), call] {
    auto self = weak.lock();
    if (self != nullptr && self->IsOpen(call)) self->Attempt(call);
  });
}

void MitClient::Fail(const CallPtr& call, Reason reason,
                     const std::string& why) {
  Finish(call,
         MakeError(reason, absl::StrCat(call->request.action, ": ", why)));
}

void MitClient::Finish(const CallPtr& call, absl::StatusOr<Answer> answer) {
  calls_.erase(call);
  std::move(call->done)(std::move(answer));
}

}  // namespace coord
