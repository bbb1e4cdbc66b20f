#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/notification.h"
#include "server/http/client.h"
#include "server/http/stream.h"
#include "server/http/tls.h"
#include "tests/support/tls_peer.h"
#include "tests/unit/http/client_fixture.h"

namespace coord {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpClientTlsTest : public HttpClientTest {
 protected:
  ~HttpClientTlsTest() override {
    if (!options_.ca_file.empty()) std::remove(options_.ca_file.c_str());
  }

  void Trust(const TlsIdentity& identity) {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    options_.ca_file =
        absl::StrCat(::testing::TempDir(), "/",
                     absl::StrReplaceAll(test->name(), {{"/", "-"}}), ".pem");
    std::ofstream(options_.ca_file) << identity.Pem();
  }

  static HttpRequest GetTls(const RawServer& server,
                            std::string host = "localhost") {
    return {.origin = {true, std::move(host), server.port()},
            .repeatable = true};
  }
};

TEST_F(HttpClientTlsTest, VerifiedServerIsAskedByNameAndReused) {
  const TlsIdentity identity("DNS:localhost");
  Trust(identity);
  std::string name;
  std::string request;
  RawServer server([&](RawPeer& raw, int) {
    TlsPeer peer(identity, raw);
    name = peer.server_name();
    request = peer.ReadSome();
    peer.Write(RawAnswer(200, "one"));
    peer.ReadSome();
    peer.Write(RawAnswer(200, "two"));
    peer.ReadSome();
  });
  EXPECT_EQ(Answer(GetTls(server)).body, "one");
  EXPECT_EQ(Answer(GetTls(server)).body, "two");
  OnLoop(loop_, [&] { client_.reset(); });
  server.WaitForEnded(1);
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(name, "localhost");
  EXPECT_THAT(request, StartsWith(absl::StrCat("GET / HTTP/1.1\r\nHost: "
                                               "localhost:",
                                               server.port(), "\r\n")));
}

TEST_F(HttpClientTlsTest, AddressIsVerifiedToo) {
  const TlsIdentity identity("IP:127.0.0.1");
  Trust(identity);
  RawServer server([&](RawPeer& raw, int) {
    TlsPeer peer(identity, raw);
    peer.ReadSome();
    peer.Write(RawAnswer(200, "{}"));
  });
  EXPECT_EQ(Answer(GetTls(server, "127.0.0.1")).status, 200);
}

TEST_F(HttpClientTlsTest, LargeBodiesPassBothWays) {
  const TlsIdentity identity("DNS:localhost");
  Trust(identity);
  const std::string body(1 << 20, 'x');
  RawServer server([&](RawPeer& raw, int) {
    TlsPeer peer(identity, raw);
    std::size_t size = 0;
    while (size < body.size()) size += peer.ReadSome().size();
    peer.Write(RawAnswer(200, body));
    peer.ReadSome();
  });
  HttpRequest request = GetTls(server);
  request.method = "POST";
  request.tail = SerializeTail("POST", {}, body);
  EXPECT_EQ(Answer(std::move(request)).body, body);
}

TEST_F(HttpClientTlsTest, OtherNameIsUnreachable) {
  const TlsIdentity identity("DNS:example.com");
  Trust(identity);
  RawServer server([&](RawPeer& raw, int) { TlsPeer peer(identity, raw); });
  const HttpError error = Error(GetTls(server));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnreachable);
  EXPECT_FALSE(error.sent);
  EXPECT_THAT(error.message,
              StartsWith(absl::StrCat(
                  "tls handshake with localhost:", server.port(), ": ")));
  EXPECT_THAT(error.message, HasSubstr("certificate verify failed"));
}

TEST_F(HttpClientTlsTest, UnknownAuthorityIsUnreachable) {
  const TlsIdentity identity("DNS:localhost");
  RawServer server([&](RawPeer& raw, int) { TlsPeer peer(identity, raw); });
  const HttpError error = Error(GetTls(server));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnreachable);
  EXPECT_FALSE(error.sent);
  EXPECT_THAT(error.message, HasSubstr("certificate verify failed"));
}

// A certificate that is refused, and what is said of it.
struct Refused {
  std::string name;
  std::string alternative_name;
  TlsIdentityOptions options;
  std::string cause;  // behind `certificate verify failed: `
};

class RefusedCertificateTest : public HttpClientTlsTest,
                               public ::testing::WithParamInterface<Refused> {};

TEST_P(RefusedCertificateTest, TheCauseIsTold) {
  const TlsIdentity identity(GetParam().alternative_name, GetParam().options);
  Trust(identity);
  RawServer server([&](RawPeer& raw, int) { TlsPeer peer(identity, raw); });
  const HttpError error = Error(GetTls(server));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnreachable);
  EXPECT_FALSE(error.sent);
  EXPECT_THAT(error.message,
              ::testing::MatchesRegex(absl::StrCat(
                  "tls handshake with localhost:", server.port(),
                  ": certificate verify failed: ", GetParam().cause)));
}

const char kTimeText[] = "[A-Z][a-z]+ +[0-9]+ [0-9:]+ 20[0-9]+ GMT";

INSTANTIATE_TEST_SUITE_P(
    Certificates, RefusedCertificateTest,
    ::testing::Values(
        Refused{"Expired",
                "DNS:localhost",
                {.valid_from = -7200, .valid_until = -3600},
                absl::StrCat("it expired at ", kTimeText)},
        Refused{"NotYetValid",
                "DNS:localhost",
                {.valid_from = 3600, .valid_until = 7200},
                absl::StrCat("it is not valid before ", kTimeText)},
        Refused{"OtherName",
                "DNS:example.com,DNS:*.example.com",
                {},
                "it is for DNS:example.com, DNS:[*].example.com, not for "
                "localhost"},
        Refused{"ManyNames",
                "DNS:a,DNS:b,DNS:c,DNS:d,IP:127.0.0.1",
                {},
                "it is for DNS:a, DNS:b, DNS:c, 2 more, not for localhost"}),
    [](const auto& info) { return info.param.name; });

TEST_F(HttpClientTlsTest, AnUntrustedIssuerIsNamed) {
  const TlsIdentity other("DNS:other");
  Trust(other);
  const TlsIdentity issuer("DNS:issuer", {.common_name = "Issuer\n of Tests"});
  const TlsIdentity issued("DNS:localhost", {.issuer = &issuer});
  const TlsIdentity alone("DNS:localhost", {.common_name = "alone"});
  for (const auto& [identity, cause] :
       {std::pair(&issued,
                  "it has an issuer that is unknown here: "
                  "CN=Issuer\\0A of Tests"),
        {&alone, "it is self-signed and not trusted here"}}) {
    RawServer server([&](RawPeer& raw, int) { TlsPeer peer(*identity, raw); });
    const HttpError error = Error(GetTls(server));
    EXPECT_EQ(error.kind, HttpError::Kind::kUnreachable);
    EXPECT_TRUE(error.heard);
    EXPECT_THAT(error.message,
                EndsWith(absl::StrCat("certificate verify failed: ", cause)));
  }
}

TEST_F(HttpClientTlsTest, AnAddressThatIsNotInTheCertificateIsNamed) {
  const TlsIdentity identity("DNS:localhost,IP:127.0.0.2");
  Trust(identity);
  RawServer server([&](RawPeer& raw, int) { TlsPeer peer(identity, raw); });
  EXPECT_THAT(Error(GetTls(server, "127.0.0.1")).message,
              EndsWith("it is for DNS:localhost, IP Address:127.0.0.2, not for "
                       "127.0.0.1"));
}

// RFC 6066, 3. No name with such a dot resolves without DNS, so the connection
// is made here.
TEST_F(HttpClientTlsTest, ADotBehindTheNameIsForDnsAlone) {
  const TlsIdentity identity("DNS:tls.test");
  Trust(identity);
  std::string name;
  RawServer server([&](RawPeer& raw, int) {
    TlsPeer peer(identity, raw);
    name = peer.server_name();
  });
  const auto context = ClientTls(options_.ca_file);
  ASSERT_TRUE(context.ok()) << context.status();
  boost::asio::io_context io;
  Stream stream(io);
  stream.socket.connect(
      {boost::asio::ip::address_v4::loopback(), server.port()});
  stream.tls = std::make_unique<Stream::Tls>(stream.socket, **context);
  const auto fault = std::make_shared<std::string>();
  const absl::Status expected = ExpectServer(*stream.tls, "tls.test.", fault);
  ASSERT_TRUE(expected.ok()) << expected;
  boost::system::error_code error;
  stream.tls->handshake(boost::asio::ssl::stream_base::client, error);
  EXPECT_FALSE(error) << error.message() << ": " << *fault;
  server.WaitForEnded(1);
  EXPECT_EQ(name, "tls.test");
}

TEST_F(HttpClientTlsTest, ANameOfNothingButADotIsNone) {
  boost::asio::io_context io;
  Stream stream(io);
  const auto context = ClientTls("");
  ASSERT_TRUE(context.ok()) << context.status();
  stream.tls = std::make_unique<Stream::Tls>(stream.socket, **context);
  const absl::Status status =
      ExpectServer(*stream.tls, ".", std::make_shared<std::string>());
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(std::string(status.message()), "`` can't be asked for by TLS");
}

TEST_F(HttpClientTlsTest, PlainServerIsUnreachable) {
  RawServer plain([](RawPeer& peer, int) {
    peer.ReadSome();
    peer.Write(RawAnswer(400, "{}"));
    peer.WaitForClose();
  });
  const HttpError error = Error(GetTls(plain));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnreachable);
  EXPECT_FALSE(error.sent);
  EXPECT_TRUE(error.heard);
  EXPECT_THAT(error.message, EndsWith("; the server seems not to speak TLS"));
}

TEST_F(HttpClientTlsTest, WhoClosesWithoutAByteWasNotHeard) {
  RawServer silent([](RawPeer& peer, int) { peer.ReadSome(); });
  const HttpError error = Error(GetTls(silent));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnreachable);
  EXPECT_FALSE(error.heard);
}

TEST_F(HttpClientTlsTest, ConnectTimeoutCoversTheHandshake) {
  RawServer silent([](RawPeer& peer, int) { peer.WaitForClose(); });
  HttpRequest request = GetTls(silent);
  request.connect_timeout = absl::Milliseconds(20);
  const HttpError error = Error(std::move(request));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnreachable);
  EXPECT_FALSE(error.sent);
  EXPECT_EQ(error.message, absl::StrCat("connect localhost:", silent.port(),
                                        ": no connection within 20ms"));
  silent.WaitForEnded(1);
}

// Anybody on the way can cut a connection; only TLS can end it.
TEST_F(HttpClientTlsTest, BodyWithoutLengthMustEndAsTlsEnds) {
  const TlsIdentity identity("DNS:localhost");
  Trust(identity);
  RawServer server([&](RawPeer& raw, int index) {
    TlsPeer peer(identity, raw);
    peer.ReadSome();
    peer.Write("HTTP/1.1 200 OK\r\n\r\nbody");
    if (index == 0) peer.CloseNotify();
  });
  EXPECT_EQ(Answer(GetTls(server)).body, "body");
  const HttpError error = Error(GetTls(server));
  EXPECT_EQ(error.kind, HttpError::Kind::kConnectionLost);
  EXPECT_TRUE(error.answered);
}

TEST_F(HttpClientTlsTest, CancelDuringTheHandshakeSendsNothing) {
  absl::Notification hello;
  RawServer silent([&](RawPeer& peer, int) {
    peer.ReadSome();
    hello.Notify();
    peer.WaitForClose();
  });
  const RequestId id = OnLoop(loop_, [&] {
    return client().Send(GetTls(silent), [](HttpOutcome) { ADD_FAILURE(); });
  });
  hello.WaitForNotification();
  EXPECT_FALSE(Cancel(id));
  silent.WaitForEnded(1);
  EXPECT_EQ(Stats().connections, 0u);
}

TEST_F(HttpClientTlsTest, UnreadableCertificatesAreAnInvalidArgument) {
  options_.ca_file = "/no/such/file.pem";
  const auto client = HttpClient::Create(loop_, resources_->get(), options_);
  EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(client.status().message()),
              StartsWith("read certificates from /no/such/file.pem: "));
}

}  // namespace
}  // namespace coord
