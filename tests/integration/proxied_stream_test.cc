// Answers that pass through clusterd, from a service without any cluster code,
// while they arrive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/support/proxied_service.h"

namespace coord {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kChunkedHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

class ProxiedStreamTest : public ProxiedServiceTest {
 protected:
  // What a client says that wants the bytes themselves.
  static std::string GetBytes(std::string_view version = "1.1") {
    return absl::StrCat("GET /mTest/plain/x HTTP/", std::string(version),
                        "\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
  }
};

TEST_F(ProxiedStreamTest, EventsArriveOneByOne) {
  absl::Notification first;
  StartService([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(kChunkedHead);
    peer.Write("8\r\ndata: 1\n\r\n");
    first.WaitForNotification();
    peer.Write("8\r\ndata: 2\n\r\n0\r\n\r\n");
    peer.WaitForClose();
  });
  RawClient client = Connect();
  client.Write(GetBytes());
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_THAT(head, HasSubstr("x-correlation-id: "));
  EXPECT_EQ(client.ReadUntil("1\n\r\n"), "8\r\ndata: 1\n\r\n");
  first.Notify();
  EXPECT_EQ(client.ReadUntil("0\r\n\r\n"), "8\r\ndata: 2\n\r\n0\r\n\r\n");
}

TEST_F(ProxiedStreamTest, AnyStatusButSuccessIsPassedOnWhateverItsSize) {
  const std::string body(8 << 20, 'x');
  StartService([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(absl::StrCat("HTTP/1.1 404 X\r\nContent-Length: ", body.size(),
                            "\r\n\r\n", body));
    peer.WaitForClose();
  });
  RawClient client = Connect();
  client.Write(
      "GET /mTest/plain/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Length: 8388608\r\n"));
  EXPECT_TRUE(client.ReadAll() == body);
}

TEST_F(ProxiedStreamTest, AServiceThatBreaksOffCutsTheAnswer) {
  absl::Notification seen;
  StartService([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(kChunkedHead);
    peer.Write("2\r\nab\r\n");
    seen.WaitForNotification();
  });
  RawClient client = Connect();
  client.Write(GetBytes());
  client.ReadUntil("ab\r\n");
  seen.Notify();
  EXPECT_EQ(client.ReadAll(), "");
}

TEST_F(ProxiedStreamTest, AClientThatLeavesEndsTheRequestToTheService) {
  StartService([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(kChunkedHead);
    peer.WaitForClose();
  });
  RawClient client = Connect();
  client.Write(GetBytes());
  client.ReadUntil("\r\n\r\n");
  client.Close();
  service_->WaitForEnded(1);
}

TEST_F(ProxiedStreamTest, AServiceMayEndItsAnswerByClosing) {
  absl::Notification seen;
  StartService([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write("HTTP/1.0 200 OK\r\n\r\n");
    peer.Write("ab");
    seen.WaitForNotification();
    peer.Write("cd");
  });
  RawClient client = Connect();
  client.Write(GetBytes("1.0"));
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(client.ReadUntil("ab"), "ab");
  seen.Notify();
  EXPECT_EQ(client.ReadAll(), "cd");
}

}  // namespace
}  // namespace coord
