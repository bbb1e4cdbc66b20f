#include "server/http/address_race.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace coord {
namespace asio = boost::asio;
namespace errc = boost::system::errc;
using asio::ip::tcp;

namespace {

constexpr absl::Duration kAttemptDelay = absl::Milliseconds(250);
// For files or memory, which nobody tells of when they are free again.
constexpr absl::Duration kStarvedPause = absl::Milliseconds(50);
constexpr std::size_t kMostTold = 3;

// What ends by itself, here and not at the other side.
bool IsStarved(const boost::system::error_code& error) {
  return error == errc::too_many_files_open ||
         error == errc::too_many_files_open_in_system ||
         error == errc::no_buffer_space || error == errc::not_enough_memory;
}

}  // namespace

void AddressRace::Offer(const Addresses& addresses, bool last) {
  last_ = last;
  for (const auto& address : addresses) {
    if (std::find(known_.begin(), known_.end(), address) != known_.end()) {
      continue;
    }
    known_.push_back(address);
    untried_.push_back(address);
  }
  if (done_) Next();
}

void AddressRace::Start(SocketBudget::Permit permit, Done done) {
  spare_ = std::move(permit);
  done_ = std::move(done);
  Next();
}

void AddressRace::Cancel() {
  done_ = nullptr;
  spare_ = {};
  loop_.Cancel(std::exchange(timer_, kNoTimer));
  ErrorCode ignored;
  for (const auto& attempt : attempts_) attempt->stream->socket.close(ignored);
  attempts_.clear();
}

// Never ends the race inside: who offers addresses is not prepared for it.
void AddressRace::Next() {
  loop_.Cancel(std::exchange(timer_, kNoTimer));
  absl::Duration wait = absl::ZeroDuration();
  if (untried_.empty()) {
    if (!attempts_.empty() || !last_) return;
  } else if (starved_) {
    wait = kStarvedPause;
  } else if (!attempts_.empty()) {
    wait = next_at_ - loop_.Now();
  } else {
    return Try(TakePermit());
  }
  timer_ = loop_.RunAfter(wait, [self = shared_from_this()] {
    self->timer_ = kNoTimer;
    if (!self->untried_.empty()) return self->Try(self->TakePermit());
    self->Fail();
  });
}

// Where sockets are short it is that of the attempt which waits for the
// longest. The first attempt has the one that came with Start.
SocketBudget::Permit AddressRace::TakePermit() {
  SocketBudget::Permit permit = std::move(spare_);
  if (!permit) permit = sockets_.TryTake();
  if (permit || attempts_.empty()) return permit;
  const std::shared_ptr<Attempt> oldest = attempts_.front();
  TakeOut(oldest, asio::error::timed_out);
  return std::move(spare_);
}

void AddressRace::Try(SocketBudget::Permit permit) {
  const Endpoint endpoint(untried_.front(), origin_.port);
  auto attempt = std::make_shared<Attempt>(
      Attempt{endpoint, std::make_unique<Stream>(loop_.io_context())});
  attempt->stream->permit = std::move(permit);
  ErrorCode error;
  attempt->stream->socket.open(endpoint.protocol(), error);
  starved_ = error && IsStarved(error);
  if (starved_) {
    spare_ = std::move(attempt->stream->permit);
    return Next();
  }
  untried_.pop_front();
  attempts_.push_back(attempt);
  next_at_ = loop_.Now() + kAttemptDelay;
  if (error) {
    TakeOut(attempt, error);
    return Next();
  }
  attempt->stream->socket.async_connect(
      endpoint, [self = shared_from_this(), attempt](ErrorCode result) {
        self->OnConnected(attempt, result);
      });
  Next();
}

void AddressRace::OnConnected(const std::shared_ptr<Attempt>& attempt,
                              ErrorCode error) {
  const auto it = std::find(attempts_.begin(), attempts_.end(), attempt);
  if (it == attempts_.end()) return;  // it was given up
  if (!error) error = Prepare(*attempt);
  if (error) {
    TakeOut(attempt, error);
    return Next();
  }
  attempts_.erase(it);
  Finish(std::move(attempt->stream));
}

// A reset that came with the connection shows here.
AddressRace::ErrorCode AddressRace::Prepare(Attempt& attempt) {
  tcp::socket& socket = attempt.stream->socket;
  ErrorCode error;
  socket.set_option(tcp::no_delay(true), error);
  if (!error) socket.non_blocking(true, error);
  // A socket may connect to itself when nobody listens on an ephemeral port of
  // this machine.
  if (!error && socket.local_endpoint(error) == attempt.endpoint) {
    error = asio::error::connection_refused;
  }
  return error;
}

void AddressRace::TakeOut(const std::shared_ptr<Attempt>& attempt,
                          ErrorCode error) {
  failed_.push_back({attempt->endpoint.address(), error});
  std::erase(attempts_, attempt);
  ErrorCode ignored;
  attempt->stream->socket.close(ignored);
  spare_ = std::move(attempt->stream->permit);
}

std::string AddressRace::Tried() const {
  std::vector<std::string> told;
  std::size_t more = 0;
  const auto tell = [&](const asio::ip::address& address,
                        const std::string& what) {
    if (told.size() == kMostTold) {
      ++more;
    } else if (address.to_string() == origin_.host) {
      told.push_back(what);
    } else {
      told.push_back(absl::StrCat(what, " (", address.to_string(), ")"));
    }
  };
  for (const Failed& each : failed_) {
    tell(each.address, each.error == asio::error::timed_out
                           ? "no answer"
                           : ErrorText(each.error));
  }
  for (const auto& each : attempts_) {
    tell(each->endpoint.address(), "no answer");
  }
  std::string text = absl::StrJoin(told, ", ");
  if (more > 0) absl::StrAppend(&text, " and ", more, " more");
  return text;
}

void AddressRace::Fail() {
  const std::string message =
      absl::StrCat("connect ", HostAndPort(origin_), ": ", Tried());
  std::size_t refused = 0;
  std::size_t no_way = 0;  // from here, which another address makes up for
  std::size_t no_ports = 0;
  bool exhausted = false;
  for (const Failed& each : failed_) {
    if (IsStarved(each.error)) exhausted = true;
    if (each.error == asio::error::connection_refused) ++refused;
    if (each.error == errc::network_unreachable) ++no_way;
    // Where IPv6 is off it has no local address, however many ports are free.
    if (each.error != errc::address_not_available) continue;
    ++(each.address.is_v6() ? no_way : no_ports);
    if (failed_.size() == 1) exhausted = true;
  }
  if (exhausted || no_ports > 0) {
    Finish(absl::ResourceExhaustedError(message));
  } else if (refused > 0 && refused + no_way == failed_.size()) {
    Finish(absl::FailedPreconditionError(message));
  } else {
    Finish(absl::UnavailableError(message));
  }
}

void AddressRace::Finish(absl::StatusOr<std::unique_ptr<Stream>> result) {
  Done done = std::move(done_);
  Cancel();
  std::move(done)(std::move(result));
}

}  // namespace coord
