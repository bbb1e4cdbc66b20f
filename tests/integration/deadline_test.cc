// Deadlines as clients in other languages write them.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/raw_client.h"

namespace coord {
namespace {

using testing::StartsWith;

std::string BigEndian(std::uint32_t number, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) {
    text += static_cast<char>(number >> (8 * i) & 0xFF);
  }
  return text;
}

// RFC 9113, 4.1.
std::string Frame(int type, int flags, int stream, const std::string& payload) {
  return absl::StrCat(BigEndian(static_cast<std::uint32_t>(payload.size()), 3),
                      BigEndian(static_cast<std::uint32_t>(type), 1),
                      BigEndian(static_cast<std::uint32_t>(flags), 1),
                      BigEndian(static_cast<std::uint32_t>(stream), 4),
                      payload);
}

// RFC 7541, 6.2.2: names and values of fewer than 127 bytes as they are.
std::string Field(const std::string& name, const std::string& value) {
  return absl::StrCat(
      BigEndian(0, 1), BigEndian(static_cast<std::uint32_t>(name.size()), 1),
      name, BigEndian(static_cast<std::uint32_t>(value.size()), 1), value);
}

std::string RawCall(const std::string& timeout, const std::string& message) {
  return absl::StrCat(
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Frame(4, 0, 0, ""),
      Frame(
          1, 4, 1,
          absl::StrCat(Field(":method", "POST"), Field(":scheme", "http"),
                       Field(":path", "/mimik.cluster.v1.FanOutService/FanOut"),
                       Field(":authority", "x"), Field("te", "trailers"),
                       Field("content-type", "application/grpc"),
                       Field("grpc-timeout", timeout))),
      Frame(
          0, 1, 1,
          absl::StrCat(BigEndian(0, 1),
                       BigEndian(static_cast<std::uint32_t>(message.size()), 4),
                       message)));
}

class DeadlineTest : public ClusterTest,
                     public testing::WithParamInterface<const char*> {};

TEST_P(DeadlineTest, AFarOneIsNone) {
  AddNode("node-1");
  int port = 0;
  const std::string address = server_->grpc_address();
  ASSERT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  RawClient client(static_cast<std::uint16_t>(port));
  client.Write(RawCall(GetParam(), GetCall("/info").SerializeAsString()));
  client.ReadUntil("grpc-status\x01");
  client.CloseWrite();
  EXPECT_THAT(client.ReadAll(), StartsWith("0"));
}

// Go's largest duration, the wire format's, and an ordinary one.
INSTANTIATE_TEST_SUITE_P(Timeouts, DeadlineTest,
                         testing::Values("2562047H", "99999999H", "10S"));

}  // namespace
}  // namespace coord
