// Connects to whichever of several addresses answers first (RFC 8305).
#ifndef SERVER_HTTP_ADDRESS_RACE_H_
#define SERVER_HTTP_ADDRESS_RACE_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/url.h"
#include "server/http/asio_loop.h"
#include "server/http/name_cache.h"
#include "server/http/socket_budget.h"
#include "server/http/stream.h"

namespace coord {

// Addresses are tried in order: the next one as soon as one has failed, or
// 250 ms after the one before. Lives on the loop; held by its operations.
class AddressRace : public std::enable_shared_from_this<AddressRace> {
 public:
  // Errors, once every address has failed: UNAVAILABLE, FAILED_PRECONDITION
  // when all refused, RESOURCE_EXHAUSTED when this machine had nothing left to
  // connect with.
  using Done =
      absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Stream>>) &&>;

  // To `origin`, whose host is a name or the one address.
  AddressRace(AsioLoop& loop, SocketBudget& sockets, Origin origin)
      : loop_(loop), sockets_(sockets), origin_(std::move(origin)) {}

  // Takes those in that are new; `last`: no more follow, at present.
  void Offer(const Addresses& addresses, bool last);

  // From now on they are tried. `done` is called once, never inside, unless
  // cancelled before.
  void Start(SocketBudget::Permit permit, Done done);
  void Cancel();

  // Whether this machine's want of files or memory holds it up.
  bool starved() const { return starved_; }
  // What has become of the addresses, the first three of them: `no answer
  // (10.0.0.1), connection refused (::1) and 2 more`; empty before any was
  // tried.
  std::string Tried() const;

 private:
  using ErrorCode = boost::system::error_code;
  using Endpoint = boost::asio::ip::tcp::endpoint;
  struct Attempt {
    Endpoint endpoint;
    std::unique_ptr<Stream> stream;
  };
  struct Failed {
    boost::asio::ip::address address;
    ErrorCode error;
  };

  void Next();
  void Try(SocketBudget::Permit permit);
  SocketBudget::Permit TakePermit();
  void OnConnected(const std::shared_ptr<Attempt>& attempt, ErrorCode error);
  static ErrorCode Prepare(Attempt& attempt);
  void TakeOut(const std::shared_ptr<Attempt>& attempt, ErrorCode error);
  void Fail();
  void Finish(absl::StatusOr<std::unique_ptr<Stream>> result);

  AsioLoop& loop_;
  SocketBudget& sockets_;
  const Origin origin_;
  Done done_;  // empty before Start, and once finished
  Addresses known_;
  std::deque<boost::asio::ip::address> untried_;
  bool last_ = false;
  SocketBudget::Permit spare_;                     // of an attempt that failed
  std::deque<std::shared_ptr<Attempt>> attempts_;  // in flight
  std::vector<Failed> failed_;
  absl::Time next_at_ = absl::InfinitePast();
  bool starved_ = false;
  TimerId timer_ = kNoTimer;
};

}  // namespace coord

#endif  // SERVER_HTTP_ADDRESS_RACE_H_
