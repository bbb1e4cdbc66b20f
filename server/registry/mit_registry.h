// The authority mIT, over HTTP.
#ifndef SERVER_REGISTRY_MIT_REGISTRY_H_
#define SERVER_REGISTRY_MIT_REGISTRY_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/event_loop.h"
#include "common/url.h"
#include "server/core/token_source.h"
#include "server/http/transport.h"
#include "server/registry/registry.h"

namespace coord {

struct MitRegistryOptions {
  BaseUrl url;                    // MIT_URL
  std::string audience;           // MIT_AUDIENCE
  std::string version = "0.0.0";  // SERVER_VERSION, for the user-agent
  // REQUEST_TIMEOUT, and what all attempts may take together.
  absl::Duration attempt_timeout = absl::Seconds(10);
  absl::Duration call_timeout = absl::Seconds(50);
  int retries = 2;  // on 5xx, 429 and no answer
  absl::Duration retry_pause = absl::Seconds(1);
};

// mIT keeps neither `node_api` nor `state`: a record of it is ACTIVE and
// whether it serves the node API is unknown, but those that this object
// registered are as they were given, until Forget. Of evidence it knows only
// the version. A removal that makes no sense of its answer leaves the server
// where it is (AUTHORITY_BAD_ANSWER).
class MitRegistry final : public Registry {
 public:
  // All must outlive this object; `transport` lives on `loop`.
  MitRegistry(EventLoop& loop, HttpTransport& transport, TokenSource& tokens,
              MitRegistryOptions options);
  // On the loop, or after it stopped. What is in flight is not answered.
  ~MitRegistry() override;

  void Register(RegisterRequest request, Done<RegisterAnswer> done) override;
  void Unregister(const ServerKey& key, const std::string& type,
                  Done<Removed> done) override;
  void Remove(const ServerKey& key, const std::string& type,
              const Evidence& evidence, Done<Removal> done) override;
  void Forget(const ServerKey& key, const std::string& type) override;
  void Stop() override;
  bool PushesChanges() const override { return false; }

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_REGISTRY_MIT_REGISTRY_H_
