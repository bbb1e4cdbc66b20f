// Requests that pass through clusterd to a service without any cluster code
// while they arrive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/text_view.h"
#include "tests/support/proxied_service.h"

namespace coord {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t kLong = 1 << 20;
// More than any socket takes without a reader.
constexpr std::size_t kEndless = 64 << 20;

// All that comes up to and with `end`, or to the end of the connection.
std::string ReadUntil(RawPeer& peer, std::string_view end) {
  std::string text;
  while (!absl::EndsWith(text, AbslView(end))) {
    const std::string more = peer.ReadSome();
    if (more.empty()) break;
    text += more;
  }
  return text;
}

std::string Post(std::string_view headers) {
  return absl::StrCat("POST /mTest/plain/x HTTP/1.1\r\nHost: x\r\n",
                      AbslView(headers), "\r\n");
}

std::string PostLong(std::size_t size = kLong) {
  return Post(absl::StrCat("Content-Length: ", size, "\r\n"));
}

const std::string kPostChunked = Post("Transfer-Encoding: chunked\r\n");

class ProxiedUploadTest : public ProxiedServiceTest {
 protected:
  // A client whose first chunk the service has; what that gets of the rest is
  // seen_, once its connection has ended.
  RawClient ConnectInTheMiddle() {
    StartService([this](RawPeer& peer, int) {
      ReadUntil(peer, "\r\nab\r\n");
      started_.Notify();
      seen_ = ReadUntil(peer, "never");
    });
    RawClient client = Connect();
    client.Write(kPostChunked + "2\r\nab\r\n");
    started_.WaitForNotification();
    return client;
  }

  std::string seen_ = "nothing yet";

 private:
  absl::Notification started_;
};

Config WithCallerTimeout() {
  Config config = TestConfig();
  config.listener.slow_client_timeout = absl::Milliseconds(50);
  return config;
}

class SlowCallerTest : public ProxiedServiceTest {
 protected:
  SlowCallerTest() : ProxiedServiceTest(WithCallerTimeout()) {}
};

Config WithServiceTimeout() {
  Config config = TestConfig();
  config.fanout.request_timeout = absl::Milliseconds(100);
  return config;
}

class SlowServiceTest : public ProxiedServiceTest {
 protected:
  SlowServiceTest() : ProxiedServiceTest(WithServiceTimeout()) {}
};

TEST_F(ProxiedUploadTest, PiecesArriveOneByOne) {
  absl::Notification first;
  StartService([&](RawPeer& peer, int) {
    const std::string head = ReadUntil(peer, "2\r\nab\r\n");
    EXPECT_THAT(head, HasSubstr("Transfer-Encoding: chunked\r\n\r\n"));
    first.Notify();
    EXPECT_EQ(ReadUntil(peer, "0\r\n\r\n"), "3\r\ncde\r\n0\r\n\r\n");
    peer.Write(RawAnswer(200, "[1]"));
    EXPECT_THAT(peer.ReadRequest(), StartsWith("GET /y HTTP/1.1\r\n"));
    peer.Write(RawAnswer(200, "[2]"));
    peer.WaitForClose();
  });
  RawClient client = Connect();
  client.Write(kPostChunked + "2\r\nab\r\n");
  first.WaitForNotification();
  // The next request comes with the end of the body, and both connections go
  // on.
  client.Write(
      "3\r\ncde\r\n0\r\n\r\nGET /mTest/plain/y HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("}}"), HasSubstr("{\"data\":[1],"));
  EXPECT_THAT(client.ReadUntil("}}"), HasSubstr("{\"data\":[2],"));
  EXPECT_EQ(service_->connections(), 1);
}

TEST_F(ProxiedUploadTest, ALengthIsPassedOnAndHasNoLimit) {
  const std::string body = std::string(8 << 20, 'x') + "end";
  StartService([&](RawPeer& peer, int) {
    const std::string request = peer.ReadRequest();
    EXPECT_THAT(request.substr(0, request.find("\r\n\r\n") + 2),
                HasSubstr("Content-Length: 8388611\r\n"));
    EXPECT_TRUE(absl::EndsWith(request, body));
    peer.Write(RawAnswer(201, "[1]"));
    peer.WaitForClose();
  });
  RawClient client = Connect();
  client.Write(PostLong(body.size()) + body);
  EXPECT_THAT(client.ReadUntil("}}"), StartsWith("HTTP/1.1 201 Created\r\n"));
}

TEST_F(ProxiedUploadTest, TheBodyIsAskedForOnceTheServiceHasTheHead) {
  StartService([&](RawPeer& peer, int) {
    EXPECT_THAT(peer.ReadRequest(), EndsWith("xend"));
    peer.Write(RawAnswer(200, "[1]"));
    peer.WaitForClose();
  });
  RawClient client = Connect();
  client.Write(Post(
      absl::StrCat("Expect: 100-continue\r\nContent-Length: ", kLong, "\r\n")));
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Write(std::string(kLong - 3, 'x') + "end");
  EXPECT_THAT(client.ReadUntil("}}"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ProxiedUploadTest, NobodyIsAskedForABodyThatNobodyTakes) {
  StartService([](RawPeer&, int) {});
  const std::string wanting = absl::StrCat(
      " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
      "Content-Length: ",
      kLong, "\r\n\r\n");
  RawClient unknown = Connect();
  unknown.Write("PUT /mTest/other/x" + wanting);
  EXPECT_THAT(unknown.ReadAll(), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  const std::uint16_t port = service_->port();
  service_.reset();
  RawClient refused = Connect();
  refused.Write("PUT /mTest/plain/x" + wanting);
  const std::string answer = refused.ReadAll();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 502 Bad Gateway\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, HasSubstr(absl::StrCat("connect 127.0.0.1:", port,
                                             ": connection refused")));
}

TEST_F(ProxiedUploadTest, AnAnswerBeforeTheEndIsPassedOnAndEndsTheConnection) {
  StartService([&](RawPeer& peer, int) {
    ReadUntil(peer, "\r\nab\r\n");
    peer.Write(RawAnswer(413, "[\"too much\"]"));
    peer.WaitForClose();
  });
  RawClient client = Connect();
  client.Write(kPostChunked + "2\r\nab\r\n");
  const std::string answer = client.ReadAll();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 Payload Too Large\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n[\"too much\"]"));
  service_->WaitForEnded(1);
}

TEST_F(ProxiedUploadTest, BothDirectionsMayStreamAtOnce) {
  StartService([&](RawPeer& peer, int) {
    ReadUntil(peer, "\r\nab\r\n");
    peer.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    ReadUntil(peer, "\r\ncd\r\n");
    peer.Write("2\r\nCD\r\n");
    ReadUntil(peer, "0\r\n\r\n");
    peer.Write("0\r\n\r\n");
    peer.WaitForClose();
  });
  RawClient client = Connect();
  client.Write(Post("Accept: text/plain\r\nTransfer-Encoding: chunked\r\n") +
               "2\r\nab\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  client.Write("2\r\ncd\r\n");
  EXPECT_EQ(client.ReadUntil("CD\r\n"), "2\r\nCD\r\n");
  client.Write("0\r\n\r\n");
  EXPECT_EQ(client.ReadAll(), "0\r\n\r\n");
}

TEST_F(ProxiedUploadTest, AServiceThatDiesInTheMiddleIs502) {
  StartService([&](RawPeer& peer, int) { ReadUntil(peer, "\r\nab\r\n"); });
  RawClient client = Connect();
  client.Write(kPostChunked + "2\r\nab\r\n");
  const std::string answer = client.ReadAll();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 502 Bad Gateway\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(service_->connections(), 1);
}

TEST_F(ProxiedUploadTest, ACallerThatBreaksOffCutsTheRequest) {
  std::string seen;
  StartService([&](RawPeer& peer, int) { seen = ReadUntil(peer, "never"); });
  RawClient client = Connect();
  client.Write(kPostChunked + "2\r\nab\r\n");
  client.CloseWrite();
  service_->WaitForEnded(1);
  EXPECT_THAT(seen, EndsWith("2\r\nab\r\n"));
  EXPECT_EQ(client.ReadAll(), "");
}

TEST_F(ProxiedUploadTest, ABodyThatBreaksTheRulesCutsTheRequest) {
  RawClient client = ConnectInTheMiddle();
  client.Write("no size\r\n");
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  service_->WaitForEnded(1);
  EXPECT_EQ(seen_, "");
}

TEST_F(SlowCallerTest, OneThatStallsIs408) {
  StartService([&](RawPeer& peer, int) { ReadUntil(peer, "never"); });
  RawClient client = Connect();
  client.Write(PostLong() + "ab");
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
  service_->WaitForEnded(1);
}

TEST_F(SlowServiceTest, OneThatDoesNotReadIs504) {
  absl::Notification over;
  StartService([&](RawPeer&, int) { over.WaitForNotification(); });
  RawClient client = Connect();
  client.Write(PostLong(kEndless));
  // Fails once clusterd has given up, since nothing is read before.
  client.Write(std::string(kEndless, 'x'));
  client.WaitForHangUp();
  over.Notify();
  EXPECT_THAT(client.ReadAll(), HasSubstr("504 Gateway Timeout"));
  service_->WaitForEnded(1);
}

TEST_F(ProxiedUploadTest, AStopCutsWhatIsLeftAndSaysSo) {
  RawClient client = ConnectInTheMiddle();
  EXPECT_TRUE(server_->Stop().ok());
  service_->WaitForEnded(1);
  EXPECT_EQ(seen_, "");
  EXPECT_THAT(client.ReadAll(),
              AllOf(StartsWith("HTTP/1.1 503 Service Unavailable\r\n"),
                    HasSubstr("the server is shutting down")));
}

}  // namespace
}  // namespace coord
