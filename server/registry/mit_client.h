// Requests to the authority (mIT): token, retries, deadline. Lives on one loop.
#ifndef SERVER_REGISTRY_MIT_CLIENT_H_
#define SERVER_REGISTRY_MIT_CLIENT_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "server/registry/mit_registry.h"

namespace coord {

struct MitRequest {
  std::string action;  // for errors: `register mTest/node-1`
  std::string method;
  std::string target;  // below MIT_URL
  std::string body;
  std::string type;       // whose credentials are used
  std::string server_id;  // who asks, for the user-agent
  std::string correlation_id;
  bool absent_is_success = false;  // 404
};

class MitClient : public std::enable_shared_from_this<MitClient> {
 public:
  // The body of a 2xx; nullopt for a 404 that is a success.
  using Answer = std::optional<std::string>;
  using Done = absl::AnyInvocable<void(absl::StatusOr<Answer>) &&>;

  MitClient(EventLoop& loop, HttpTransport& transport, TokenSource& tokens,
            MitRegistryOptions options);

  // On the loop; `done` is called there, not inside. Errors: see Registry.
  void Send(MitRequest request, Done done);

  // On the loop. Answers whatever waits, and from now on each new request,
  // with DRAINING, which says whether anything was sent.
  void Stop();

 private:
  struct Call {
    MitRequest request;
    Done done;
    absl::Time deadline;
    int attempt = 1;
    bool token_was_refused = false;
    std::string token;
    RequestId in_flight = kNoRequest;
    bool sent = false;  // a byte of an attempt may have left
  };
  using CallPtr = std::shared_ptr<Call>;

  void GetToken(const CallPtr& call);
  void Attempt(const CallPtr& call);
  HttpRequest RequestFor(const Call& call);
  void OnOutcome(const CallPtr& call, HttpOutcome outcome);
  void OnResponse(const CallPtr& call, HttpResponse response);
  void OnTokenRefused(const CallPtr& call);
  void TryAgain(const CallPtr& call, const std::string& why);
  void Fail(const CallPtr& call, Reason reason, const std::string& why);
  void Interrupt(const CallPtr& call);
  void Finish(const CallPtr& call, absl::StatusOr<Answer> answer);
  bool IsOpen(const CallPtr& call) const { return calls_.contains(call); }

  EventLoop& loop_;
  HttpTransport& transport_;
  TokenSource& tokens_;
  const MitRegistryOptions options_;
  const std::string system_;  // `Linux; x86_64; clusterd`
  absl::BitGen random_;
  absl::flat_hash_set<CallPtr> calls_;  // that are not answered
  bool stopped_ = false;
};

}  // namespace coord

#endif  // SERVER_REGISTRY_MIT_CLIENT_H_
