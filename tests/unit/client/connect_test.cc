// Addresses at which nobody answers. Each attempt to connect is given up after
// 2 s; gRPC's own 20 s would outlast the deadline of these calls.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"

namespace coord {
namespace {

constexpr CallOptions kPatient = {.timeout = absl::Seconds(15),
                                  .correlation_id = ""};

// The system accepts its connections, as many as it was told to, and drops all
// further packets that ask for one.
class SilentListener {
 public:
  explicit SilentListener(int backlog) : fd_(Socket(0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(fd_, Address(), sizeof(address_));
    listen(fd_, backlog);
    socklen_t size = sizeof(address_);
    getsockname(fd_, Address(), &size);
  }
  ~SilentListener() {
    for (const int fd : fillers_) close(fd);
    close(fd_);
  }

  // From now on packets are dropped.
  void Fill() {
    for (int i = 0; i < 4; ++i) {
      fillers_.push_back(Socket(SOCK_NONBLOCK));
      connect(fillers_.back(), Address(), sizeof(address_));
    }
  }

  std::string address() const {
    return absl::StrCat("127.0.0.1:", ntohs(address_.sin_port));
  }

 private:
  static int Socket(int flags) {
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  }
  sockaddr* Address() { return reinterpret_cast<sockaddr*>(&address_); }

  int fd_;
  sockaddr_in address_{};
  std::vector<int> fillers_;
};

absl::Status Ask(const std::string& address) {
  ClientOptions options;
  options.address = address;
  return Client::Connect(options)
      ->GetCluster(pb::GetClusterRequest(), kPatient)
      .status();
}

TEST(ConnectTest, AnAddressThatSwallowsPacketsIsGivenUp) {
  SilentListener listener(/*backlog=*/0);
  listener.Fill();
  const absl::Status status = Ask(listener.address());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST(ConnectTest, AnAddressThatAcceptsAndSaysNothingIsGivenUp) {
  const SilentListener listener(/*backlog=*/8);
  const absl::Status status = Ask(listener.address());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST(ConnectTest, WhatIsNoAddressIsRefused) {
  EXPECT_EQ(
      Client::Connect({.address = "http://clusterd:7700",
                       .tls_ca_file = "",
                       .timeout = absl::Seconds(1)})
          .status(),
      absl::InvalidArgumentError("connect to \"http://clusterd:7700\": is "
                                 "not HOST[:PORT] or unix:PATH"));
}

}  // namespace
}  // namespace coord
