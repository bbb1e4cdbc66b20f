// clusterd is stopped while somebody waits for an answer of a server or of the
// store, which does not come. Everybody is answered, and Stop returns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/integration/stop_fixture.h"
#include "tests/support/watcher.h"

namespace coord {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kUnknown[] =
    "serve call: this clusterd stopped before it knew the answer";

constexpr char kHeld[] =
    "stop: the store does not end its writes; none of them was acknowledged";

class StopWithHeldStoreTest : public StopTest {
 protected:
  // Registers `id`. The store has then written all there is to be written of
  // it, since it writes in order: more follows the answer to a registration.
  void RegisterAndWrite(const std::string& id) {
    ASSERT_TRUE(Register(Registration(id, kNowhere, false)).ok());
    ASSERT_TRUE(Register(Registration("other", kNowhere, false)).ok());
    ASSERT_TRUE(Unregister("other").ok());
  }
};

INSTANTIATE_TEST_SUITE_P(, StopTest, testing::Bool(), ParamName);
INSTANTIATE_TEST_SUITE_P(, StopWithHeldStoreTest, testing::Bool(), ParamName);

// --- silent servers ----------------------------------------------------------

TEST_P(StopTest, AFanOut) {
  AddNode("lively");
  AddSilentNode("silent");
  auto answer = Later([&] { return FanOut(GetCall("/info")); });
  asked_.WaitForNotification();
  EXPECT_TRUE(server_->Stop().ok());
  const auto response = answer.get();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict(), pb::VERDICT_PARTIAL);
  EXPECT_EQ(response->expected_count(), 2);
  EXPECT_EQ(response->results_size(), 1);
  ASSERT_EQ(response->failures_size(), 1);
  EXPECT_THAT(response->failures(0), IsGivenUp(pb::CERTAINTY_MAYBE_EXECUTED));
}

TEST_P(StopTest, AStreamedFanOut) {
  AddSilentNode("silent");
  grpc::ClientContext context;
  pb::StreamFanOutRequest request;
  *request.mutable_request() = GetCall("/info");
  const auto stream = fan_out_->StreamFanOut(&context, request);
  asked_.WaitForNotification();
  EXPECT_TRUE(server_->Stop().ok());
  pb::StreamFanOutResponse event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_THAT(event.failure(), IsGivenUp(pb::CERTAINTY_MAYBE_EXECUTED));
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.summary().verdict(), pb::VERDICT_NONE);
  EXPECT_FALSE(stream->Read(&event));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_P(StopTest, AFanOutInTheQueue) {
  AddSilentNode("silent");
  auto first = Later([&] { return FanOut(GetCall("/info")); });
  asked_.WaitForNotification();
  auto second = Later([&] { return FanOut(GetCall("/info")).status(); });
  WaitForMetric("clusterd_fanout_calls_waiting 1");
  EXPECT_TRUE(server_->Stop().ok());
  EXPECT_TRUE(first.get().ok());
  EXPECT_THAT(second.get(),
              IsDraining("call cluster: this process is draining"));
}

// The record is gone; whether the server lives is not known.
TEST_P(StopTest, AnEvictionThatWaitsForAProbe) {
  AddSilentNode("silent");
  auto answer = Later([&] { return Evict("silent"); });
  asked_.WaitForNotification();
  EXPECT_TRUE(server_->Stop().ok());
  const auto evicted = answer.get();
  ASSERT_TRUE(evicted.ok()) << evicted.status();
  EXPECT_EQ(evicted->server().server_id(), "silent");
  EXPECT_EQ(evicted->outcome(), pb::EVICTION_OUTCOME_UNKNOWN);
  EXPECT_THAT(evicted->message(),
              StartsWith("whether it lives is not known yet"));
}

// Its connection is full, and nothing can be answered on it.
TEST_P(StopTest, AFanOutWhoseCallerDoesNotRead) {
  for (int i = 0; i < 4; ++i) {
    AddRawNode(absl::StrCat("large-", i), [](RawPeer& peer, int) {
      if (peer.ReadRequest().empty()) return;
      peer.Write(
          RawAnswer(200, absl::StrCat("\"", std::string(2 << 20, 'x'), "\"")));
      peer.WaitForClose();
    });
  }
  grpc::ClientContext context;
  pb::StreamFanOutRequest request;
  *request.mutable_request() = GetCall("/info");
  request.mutable_request()->set_body_view(pb::BODY_VIEW_ALL);
  const auto stream = fan_out_->StreamFanOut(&context, request);
  WaitUntilMetricIsNot("clusterd_fanout_node_results_total 0");
  EXPECT_TRUE(server_->Stop().ok());
  pb::StreamFanOutResponse event;
  while (stream->Read(&event)) {
  }
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_P(StopTest, AProxiedRequest) {
  RawServer service(SilentScript());
  pb::RegisterServerRequest request = Registration("plain", "", false);
  request.set_local_base_url(absl::StrCat("http://127.0.0.1:", service.port()));
  ASSERT_TRUE(Register(request).ok());
  auto answer = Later([&] { return Get("/mTest/plain/x"); });
  asked_.WaitForNotification();
  EXPECT_TRUE(server_->Stop().ok());
  EXPECT_THAT(answer.get(),
              AllOf(StartsWith("HTTP/1.1 503 Service Unavailable\r\n"),
                    HasSubstr("Connection: close\r\n"),
                    EndsWith(R"("message":"the server is shutting down"})")));
}

// --- streams -----------------------------------------------------------------

TEST_P(StopTest, AWatch) {
  Watcher watcher(*registry_, "mTest");
  ASSERT_TRUE(watcher.Next().has_snapshot());
  EXPECT_TRUE(server_->Stop().ok());
  EXPECT_THAT(watcher.End(),
              IsDraining("serve call: the server is shutting down"));
}

TEST_P(StopTest, AKeepAlive) {
  const auto registered = Register(Registration("a", kNowhere, false));
  ASSERT_TRUE(registered.ok()) << registered.status();
  grpc::ClientContext context;
  const auto stream = registry_->KeepAlive(&context);
  pb::KeepAliveRequest request;
  request.set_session_id(registered->session_id());
  ASSERT_TRUE(stream->Write(request));
  pb::KeepAliveResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(server_->Stop().ok());
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_THAT(FromGrpcStatus(stream->Finish()),
              IsDraining("serve call: the server is shutting down"));
}

// --- a store that does not end its writes ------------------------------------

TEST_P(StopWithHeldStoreTest, ARegistration) {
  HeldStore::Hold hold(store);
  auto answer = Later(
      [&] { return Register(Registration("a", kNowhere, false)).status(); });
  hold.WaitForCommit();
  EXPECT_EQ(server_->Stop().message(), kHeld);
  EXPECT_THAT(answer.get(),
              Lasting() ? IsDraining(std::string(kUnknown))
                        : IsDraining(std::string(
                              "register mTest/a: this clusterd is shutting "
                              "down")));
}

TEST_P(StopWithHeldStoreTest, ADrain) {
  ASSERT_NO_FATAL_FAILURE(RegisterAndWrite("a"));
  HeldStore::Hold hold(store);
  auto answer = Later([&] {
    pb::DrainServerRequest request;
    request.set_type("mTest");
    request.set_server_id("a");
    pb::DrainServerResponse response;
    return Do(&pb::RegistryService::Stub::DrainServer, request, &response);
  });
  hold.WaitForCommit();
  EXPECT_EQ(server_->Stop().message(), kHeld);
  EXPECT_THAT(answer.get(), IsDraining(std::string(kUnknown)));
}

TEST_P(StopWithHeldStoreTest, AnUnregistration) {
  ASSERT_NO_FATAL_FAILURE(RegisterAndWrite("a"));
  HeldStore::Hold hold(store);
  auto answer = Later([&] { return Unregister("a").status(); });
  hold.WaitForCommit();
  EXPECT_EQ(server_->Stop().message(), kHeld);
  EXPECT_THAT(answer.get(), IsDraining(std::string(kUnknown)));
}

TEST_P(StopWithHeldStoreTest, AnEviction) {
  ASSERT_NO_FATAL_FAILURE(RegisterAndWrite("a"));
  HeldStore::Hold hold(store);
  auto answer = Later([&] { return Evict("a").status(); });
  hold.WaitForCommit();
  EXPECT_EQ(server_->Stop().message(), kHeld);
  EXPECT_THAT(answer.get(), IsDraining(std::string(kUnknown)));
}

TEST_P(StopWithHeldStoreTest, ARegistrationByHttp) {
  HeldStore::Hold hold(store);
  auto answer = Later([&] {
    const std::string record = absl::StrCat(
        R"({"type":"mTest","serverId":"n","location":null,)",
        R"("publicBaseUrl":"","clusterBaseUrl":")", kNowhere, R"("})");
    return Talk(absl::StrCat(
        "POST /mIT/v1/itResources HTTP/1.1\r\nHost: x\r\nContent-Type: "
        "application/json\r\nContent-Length: ",
        record.size(), "\r\n\r\n", record));
  });
  hold.WaitForCommit();
  EXPECT_EQ(server_->Stop().message(), kHeld);
  EXPECT_THAT(answer.get(),
              AllOf(StartsWith("HTTP/1.1 503 Service Unavailable\r\n"),
                    EndsWith(R"("message":"the server is shutting down"})")));
}

}  // namespace
}  // namespace coord
