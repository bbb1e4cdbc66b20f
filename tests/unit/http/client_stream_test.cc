// Bodies that the client passes on while they arrive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/http/client.h"
#include "tests/unit/http/client_fixture.h"

namespace coord {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kChunkedHead =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

class StreamedAnswerTest : public HttpClientTest {
 protected:
  static HttpRequest GetStreamed(const RawServer& server) {
    HttpRequest request = Get(server);
    request.streamed_answers = StreamedAnswers::kAll;
    request.max_body_bytes = 0;
    return request;
  }

  // The next piece; the test waits for it.
  absl::StatusOr<std::string> Read(BodySource& source) {
    Promised<absl::StatusOr<std::string>> piece;
    OnLoop(loop_, [&] {
      source.Read(
          [&piece](absl::StatusOr<std::string> p) { piece.Set(std::move(p)); });
    });
    return piece.Take();
  }

  // All up to the end, or what the body broke off with.
  absl::StatusOr<std::string> ReadAll(BodySource& source) {
    std::string all;
    for (;;) {
      absl::StatusOr<std::string> piece = Read(source);
      if (!piece.ok()) return piece.status();
      if (piece->empty()) return all;
      all += *piece;
    }
  }

  void Destroy(std::unique_ptr<BodySource> source) {
    OnLoop(loop_, [&] { source.reset(); });
  }

  // What the body of an answer becomes that ends by `rest`, after the client
  // saw its head.
  absl::StatusOr<std::string> Play(std::string_view head,
                                   std::string_view rest) {
    absl::Notification seen;
    RawServer server([&](RawPeer& peer, int) {
      peer.ReadRequest();
      peer.Write(head);
      seen.WaitForNotification();
      peer.Write(rest);
    });
    HttpResponse answer = Answer(GetStreamed(server));
    seen.Notify();
    if (answer.stream == nullptr) return absl::InternalError("not streamed");
    absl::StatusOr<std::string> body = ReadAll(*answer.stream);
    Destroy(std::move(answer.stream));
    return body;
  }
};

TEST_F(StreamedAnswerTest, PiecesAreGivenAsTheyCome) {
  absl::Notification head;
  absl::Notification first;
  RawServer server([&](RawPeer& peer, int) {
    while (!peer.ReadRequest().empty()) {
      peer.Write("HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 10\r\n\r\n");
      head.WaitForNotification();
      peer.Write("first");
      first.WaitForNotification();
      peer.Write("later");
    }
  });
  HttpResponse answer = Answer(GetStreamed(server));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(FindHeader(answer.headers, "x-a"), "b");
  ASSERT_NE(answer.stream, nullptr);
  EXPECT_EQ(answer.stream->length(), 10u);
  head.Notify();
  EXPECT_EQ(*Read(*answer.stream), "first");
  first.Notify();
  EXPECT_EQ(*Read(*answer.stream), "later");
  // Its end was read with it: the connection is free.
  EXPECT_EQ(Stats().idle, 1u);
  EXPECT_EQ(*Read(*answer.stream), "");
  EXPECT_EQ(*Read(*answer.stream), "");
  HttpResponse second = Answer(GetStreamed(server));
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(*ReadAll(*second.stream), "firstlater");
  Destroy(std::move(answer.stream));
  Destroy(std::move(second.stream));
  EXPECT_EQ(Stats().idle, 1u);
}

TEST_F(StreamedAnswerTest, TheEndIsThatOfTheFraming) {
  EXPECT_EQ(*Play(kChunkedHead, "2\r\nab\r\n3\r\ncde\r\n0\r\nX-T: 1\r\n\r\n"),
            "abcde");
  EXPECT_EQ(*Play("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "cde"),
            "abcde");
  EXPECT_EQ(*Play("HTTP/1.0 200 OK\r\n\r\n", "to the end"), "to the end");
}

TEST_F(StreamedAnswerTest, ACutBodyIsAnError) {
  EXPECT_THAT(std::string(Play(kChunkedHead, "2\r\nab\r\n").status().message()),
              HasSubstr("connection closed by the server"));
  EXPECT_EQ(Play("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "abcd")
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Play(kChunkedHead, "x\r\n").status().message()),
              HasSubstr("malformed answer"));
  EXPECT_EQ(Stats().connections, 0u);
}

TEST_F(StreamedAnswerTest, WhatCameWithItsHeadIsWhole) {
  const auto server = RawServer::Always(RawAnswer(200, "all"));
  HttpRequest request = GetStreamed(*server);
  const HttpResponse answer = Answer(std::move(request));
  EXPECT_EQ(answer.stream, nullptr);
  EXPECT_EQ(answer.body, "all");
}

TEST_F(StreamedAnswerTest, ASuccessMayBeHeldWhole) {
  absl::Notification seen;
  RawServer server([&](RawPeer& peer, int index) {
    peer.ReadRequest();
    peer.Write(absl::StrCat(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 ", index == 0 ? 200 : 404,
        " X\r\nConnection: close\r\nContent-Length: 4\r\n\r\nab"));
    if (index == 1) seen.WaitForNotification();
    peer.Write("cd");
  });
  HttpRequest request = Get(server);
  request.streamed_answers = StreamedAnswers::kAllBut2xx;
  request.max_body_bytes = 4;
  EXPECT_EQ(Answer(std::move(request)).body, "abcd");
  request = Get(server);
  request.streamed_answers = StreamedAnswers::kAllBut2xx;
  request.max_body_bytes = 0;
  HttpResponse answer = Answer(std::move(request));
  seen.Notify();
  ASSERT_NE(answer.stream, nullptr);
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(*ReadAll(*answer.stream), "abcd");
  Destroy(std::move(answer.stream));
}

TEST_F(StreamedAnswerTest, TheDeadlineEndsWithTheHead) {
  absl::Notification seen;
  RawServer server([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(kChunkedHead);
    seen.WaitForNotification();
    peer.Write("2\r\nab\r\n0\r\n\r\n");
  });
  HttpRequest request = GetStreamed(server);
  request.timeout = absl::Seconds(60);
  HttpResponse answer = Answer(std::move(request));
  EXPECT_EQ(Stats().in_flight, 0u);
  seen.Notify();
  EXPECT_EQ(*ReadAll(*answer.stream), "ab");
  Destroy(std::move(answer.stream));
}

TEST_F(StreamedAnswerTest, DestroyingItClosesTheConnection) {
  RawServer server([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(kChunkedHead);
    peer.WaitForClose();
  });
  HttpResponse answer = Answer(GetStreamed(server));
  EXPECT_EQ(Stats().connections, 1u);
  Destroy(std::move(answer.stream));
  server.WaitForEnded(1);
  EXPECT_EQ(Stats().connections, 0u);
}

TEST_F(StreamedAnswerTest, ItCountsAsAConnection) {
  options_.max_connections = 1;
  RawServer server([&](RawPeer& peer, int index) {
    peer.ReadRequest();
    peer.Write(index == 0 ? std::string(kChunkedHead) : RawAnswer(200, "2"));
    peer.WaitForClose();
  });
  HttpResponse answer = Answer(GetStreamed(server));
  Outcome second;
  Send(Get(server), second);
  OnLoop(loop_, [] {});
  EXPECT_FALSE(second.ready());
  Destroy(std::move(answer.stream));
  EXPECT_EQ(AnswerOf(second.Take()).body, "2");
}

TEST_F(StreamedAnswerTest, ItOutlivesItsClient) {
  RawServer server([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(kChunkedHead);
    peer.WaitForClose();
  });
  HttpResponse answer = Answer(GetStreamed(server));
  OnLoop(loop_, [&] { client_.reset(); });
  server.WaitForEnded(1);
  EXPECT_EQ(Read(*answer.stream).status(),
            absl::UnavailableError("the client is gone"));
  Destroy(std::move(answer.stream));
}

}  // namespace
}  // namespace coord
