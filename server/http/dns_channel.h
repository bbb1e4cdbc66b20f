// Questions to the DNS, by c-ares on an event loop.
#ifndef SERVER_HTTP_DNS_CHANNEL_H_
#define SERVER_HTTP_DNS_CHANNEL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/http/asio_loop.h"
#include "server/http/name_cache.h"

struct ares_channeldata;
struct ares_addrinfo;

namespace coord {

struct DnsAnswer {
  // NOT_FOUND: there is no such name, or no address of this family.
  // UNAVAILABLE: the DNS has not answered, or not well.
  absl::Status status;
  Addresses addresses;  // the best one first, by RFC 6724
  absl::Duration ttl = absl::ZeroDuration();
};

// Any number of questions at one time. Lives on the loop.
class DnsChannel {
 public:
  enum class Family { kV4, kV6 };
  using Done = absl::AnyInvocable<void(DnsAnswer) &&>;

  // Asks `servers` (`ADDRESS[:PORT],…`), or those of /etc/resolv.conf as it is
  // now when it is empty. Errors: INVALID_ARGUMENT when they can't be read.
  static absl::StatusOr<std::unique_ptr<DnsChannel>> Create(
      AsioLoop& loop, const std::string& servers);
  // What was asked is not answered. On the loop, or after it stopped.
  ~DnsChannel();

  // What /etc/hosts says, or the file that $CARES_HOSTS names, as c-ares has
  // it; both families; empty where it does not know the name.
  Addresses FromHostsFile(const std::string& name);

  // The names that `name` may be short for, in the order in which to ask for
  // them: by the search list and the ndots of /etc/resolv.conf.
  std::vector<std::string> Candidates(const std::string& name) const;

  // Asks for this very name; `done` is called on the loop, never inside. It
  // takes 15 s for each server at the most: 4 questions, the first of which
  // waits 1 s for its answer.
  void Ask(const std::string& name, Family family, Done done);

 private:
  class Socket;
  struct Question;
  struct Closer {
    void operator()(ares_channeldata* channel) const;
  };

  explicit DnsChannel(AsioLoop& loop) : loop_(loop) {}
  static void OnSocket(void* self, int socket, int readable, int writable);
  static void OnAnswer(void* question, int status, int timeouts,
                       ares_addrinfo* answer);
  static DnsAnswer Read(int status, ares_addrinfo* answer);
  void Watch(int socket, bool read, bool write);
  void Process(int readable, int writable);
  void Tick();
  void ReadSearchList();

  AsioLoop& loop_;
  // Before the channels, which close their sockets when they end.
  absl::flat_hash_map<int, std::shared_ptr<Socket>> sockets_;
  std::unique_ptr<ares_channeldata, Closer> hosts_;  // reads /etc/hosts only
  std::unique_ptr<ares_channeldata, Closer> dns_;
  std::vector<std::string> search_;
  int ndots_ = 1;
  int unanswered_ = 0;
  TimerId tick_ = kNoTimer;
};

}  // namespace coord

#endif  // SERVER_HTTP_DNS_CHANNEL_H_
