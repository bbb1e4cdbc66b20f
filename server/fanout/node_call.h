// One node of a call: its attempts, what they prove, and what its outcome is.
#ifndef SERVER_FANOUT_NODE_CALL_H_
#define SERVER_FANOUT_NODE_CALL_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/url.h"
#include "server/core/server.h"
#include "server/fanout/call.h"
#include "server/fanout/splice.h"
#include "server/http/transport.h"

namespace coord {

// Where in the body the text lies that goes into the aggregate.
struct DataSlice {
  bool present = false;
  std::size_t offset = 0;
  std::size_t size = 0;
};

struct NodeCall {
  // kInFlight: an attempt, which is a request and perhaps its hedge.
  enum class State { kReady, kInFlight, kBackingOff, kSettled };

  const Server* server = nullptr;  // of the snapshot; nullptr: no member
  BaseUrl base;
  bool sendable = false;  // false: its outcome is known beforehand
  State state = State::kReady;

  RequestId request = kNoRequest;  // what is in flight of the attempt
  RequestId hedge = kNoRequest;
  absl::Time due;  // of kInFlight: give up; kBackingOff: go on
  absl::Time hedge_due = absl::InfiniteFuture();
  absl::Time attempt_start;
  absl::Time first_start;
  int attempts = 0;            // requests
  bool hedged = false;         // has had its one hedge
  int token = 0;               // which of the call's tokens was sent last
  bool token_renewed = false;  // has had its one attempt with another token

  bool lost = false;      // an attempt wrote and got no answer
  bool answered = false;  // an attempt was answered
  // Signs of death: the last attempt found no connection; one was left without
  // a word for a full request timeout.
  bool unreachable = false;
  bool silent = false;

  // Of its answer in flight: what it has grown by in the call's AnswerLedger,
  // and whether that holds it up.
  std::size_t grown = 0;
  bool held_up = false;

  DataSlice data;
  bool nameless = false;     // its result does not say who gave it
  std::size_t reserved = 0;  // bytes of the aggregate: see ReserveRoom

  void AttemptStarted(RequestId id, absl::Time now);
  void HedgeStarted(RequestId id);
  // What the end of one request proves.
  void RequestEnded(GivenUp known, bool got_answer);
  bool in_flight() const {
    return request != kNoRequest || hedge != kNoRequest;
  }
  // Attempts by the count of RetryPolicy: those with another token, and hedges,
  // are extra.
  int counted_attempts() const;
  Certainty certainty() const;
};

// --- What an attempt makes of an outcome ---

void SetFailure(NodeOutcome& outcome, FailureReason reason, std::string cause);

// Moves an answer into `outcome`: a result, or a failure HTTP_STATUS,
// WRONG_SERVER, BAD_BODY or TOO_LARGE (over `max_body_bytes` once unpacked).
// Notes in `node` what a result adds to the aggregate, and whether it is
// nameless.
void TakeAnswer(const FanOutCall& call, HttpResponse response,
                std::size_t max_body_bytes, NodeBodyReader& reader,
                NodeCall& node, NodeOutcome& outcome);

void TakeError(HttpError error, NodeOutcome& outcome);

// What a failure tells people.
std::string FailureMessage(const NodeOutcome& outcome);
// Whether what is known of a node is reason to suspect it.
bool LooksDead(const NodeCall& node, const NodeOutcome& outcome);

// --- Whether to try again ---

// What is not idempotent is repeated only after 429, or when no byte was sent.
// An attempt that was given up for want of an answer counts as a lost one.
bool MayRepeat(const HttpResponse& response, const RetryPolicy& retry,
               bool idempotent);
bool MayRepeat(const HttpError& error, bool idempotent);

// How long a 429 or 503 asks to be left alone, in seconds or until a date; by
// the server's clock where it tells its time, else by `now`, a time of day.
// Zero when it does not ask, or for nothing that makes sense.
absl::Duration RetryAfter(const HttpResponse& response, absl::Time now);

}  // namespace coord

#endif  // SERVER_FANOUT_NODE_CALL_H_
