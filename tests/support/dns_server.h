// A DNS server with a few names, over UDP.
#ifndef TESTS_SUPPORT_DNS_SERVER_H_
#define TESTS_SUPPORT_DNS_SERVER_H_

#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace coord {

// Listens on 127.0.0.1, a free port. Names that it was not told of do not
// exist. Thread-safe.
class DnsServer {
 public:
  struct Record {
    std::vector<std::string> addresses;  // of both families
    int ttl = 60;                        // s
    std::string alias_of;                // the addresses are those of this name
    int rcode = 0;                       // 2: SERVFAIL
    bool silent_for_v6 = false;          // AAAA questions are not answered
  };

  DnsServer();
  ~DnsServer();

  // `127.0.0.1:40123`.
  std::string address() const;

  void Set(const std::string& name, Record record);
  // Does not answer for `zone` and what is below it any more; or again.
  void Silence(const std::string& zone, bool silent = true);

  // Questions for addresses of `name`, IPv4 only, so far.
  int asked(const std::string& name) const;
  void WaitForAsked(const std::string& name, int times) const;
  // Questions at all, whatever the name.
  int asked() const;

 private:
  bool stopping() const;
  void Serve();
  // Empty: no answer.
  std::string AnswerTo(const std::string& question);

  int socket_ = -1;
  std::uint16_t port_ = 0;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Record> records_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, bool> silent_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> asked_ ABSL_GUARDED_BY(mutex_);
  int all_asked_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_DNS_SERVER_H_
