// Open files and sockets: what the settings may use, and what the system
// allows.
#ifndef SERVER_FILE_LIMIT_H_
#define SERVER_FILE_LIMIT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "server/config.h"

namespace coord {

// Raises the limit of this process as far as it may (RLIMIT_NOFILE, soft to
// hard) and returns it. Once, at start.
std::uint64_t RaiseFileLimit();

// How many sockets clients may have open to servers and authorities: those of
// the control thread, and those of the others together. FilesNeeded counts
// both.
std::size_t ControlSockets(const Config& config);
std::size_t FanOutSockets(const Config& config);

// What may be open at the same time when every limit of `config` is reached:
// connections of the HTTP listener, for each of them one to a service that its
// requests are passed on to, one for each node call in flight, as many that
// rest until the next call, those that rest on the control thread, and an
// allowance for gRPC clients and the store: 1,024, or a quarter of `allowed`
// where that is less.
std::uint64_t FilesNeeded(const Config& config, std::uint64_t allowed);

// `config` with those limits lowered that nobody has set, all by the same
// factor, so that it needs no more than `allowed` files; as it is where it does
// not need more, or where what somebody has set leaves no room.
Config FitToFileLimit(Config config, std::uint64_t allowed);

// What to tell an operator when `allowed` is less than `needed`, and what to do
// about it; empty when it is not.
std::string FileLimitWarning(std::uint64_t allowed, std::uint64_t needed);

}  // namespace coord

#endif  // SERVER_FILE_LIMIT_H_
