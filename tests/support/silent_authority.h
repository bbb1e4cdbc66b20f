// An authority and token service that answer until they are told to be silent.
#ifndef TESTS_SUPPORT_SILENT_AUTHORITY_H_
#define TESTS_SUPPORT_SILENT_AUTHORITY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/authority_settings.h"
#include "server/http/asio_loop.h"
#include "server/http/listener.h"

namespace coord {

// mIT and mST for one cluster of type mTest. While they are silent, requests
// are taken and never answered.
class SilentAuthority {
 public:
  SilentAuthority();
  ~SilentAuthority();

  // For a clusterd that uses this authority, with tokens or without.
  MitSettings Settings(bool with_tokens) const;

  void FallSilent();
  // From now on lists this server as well, with the node API.
  void List(const std::string& server_id, const std::string& base_url);
  // Blocks until it has taken so many requests that it does not answer.
  void WaitForUnanswered(int requests);

 private:
  void Handle(const HttpServerRequest& request, HttpReply reply);
  std::string Register(const std::string& record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  bool silent_ ABSL_GUARDED_BY(mutex_) = false;
  std::string others_ ABSL_GUARDED_BY(mutex_);
  int registrations_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<HttpReply> unanswered_ ABSL_GUARDED_BY(mutex_);

  AsioLoop loop_{"authority"};
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_SILENT_AUTHORITY_H_
