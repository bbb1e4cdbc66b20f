// Calls and streams that are open for long have a number that they can't
// exceed.
#include <grpcpp/client_context.h>

#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/grpc_status.h"
#include "common/text_view.h"
#include "gtest/gtest.h"
#include "tests/unit/registry/paused_writer.h"
#include "tests/unit/rpc/service_fixture.h"

namespace coord {
namespace {

class CallLimitsTest : public ServiceTest {
 protected:
  CallLimitsTest()
      : ServiceTest({.max_waiting_calls = 1, .max_keep_alive_streams = 1}) {}

  // A registration that is on its way.
  struct Registering {
    explicit Registering(pb::RegistryService::Stub& stub,
                         const std::string& id) {
      request.mutable_server()->set_type("mTest");
      request.mutable_server()->set_server_id(id);
      request.mutable_server()->set_cluster_base_url("http://127.0.0.1:1");
      request.mutable_ttl()->set_seconds(3600);
      stub.async()->RegisterServer(&context, &request, &response,
                                   [this](const grpc::Status& s) {
                                     status = FromGrpcStatus(s);
                                     ended.Notify();
                                   });
    }
    absl::Status Await() {
      ended.WaitForNotification();
      return status;
    }

    grpc::ClientContext context;
    pb::RegisterServerRequest request;
    pb::RegisterServerResponse response;
    absl::Status status;
    absl::Notification ended;
  };
};

TEST_F(CallLimitsTest, OfCallsThatWaitOneMoreIsRefused) {
  PausedWriter paused(*database_);
  // Whichever comes first waits for the store.
  Registering one(*registry_stub_, "one");
  Registering two(*registry_stub_, "two");
  while (!one.ended.HasBeenNotified() &&
         !two.ended.WaitForNotificationWithTimeout(absl::Milliseconds(1))) {
  }
  Registering& refused = one.ended.HasBeenNotified() ? one : two;
  Registering& waits = one.ended.HasBeenNotified() ? two : one;
  const absl::Status status = refused.Await();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(HasReason(status, Reason::kTooManyCalls)) << status;
  EXPECT_EQ(StdView(status.message()),
            "serve call: 1 calls are waiting, which is the limit "
            "(--max-waiting-calls)");
  EXPECT_FALSE(waits.ended.HasBeenNotified());
  paused.Resume();
  EXPECT_TRUE(waits.Await().ok()) << waits.status;
  Register("three");
}

TEST_F(CallLimitsTest, ARequestThatIsHeldMayNotBeHuge) {
  pb::UnregisterServerRequest request;
  request.set_type("mTest");
  request.set_server_id("a");
  request.set_session_id(std::string(64 << 10, 'x'));
  pb::UnregisterServerResponse response;
  const absl::Status status = FromGrpcStatus(
      Call(*registry_stub_, &pb::RegistryService::Stub::UnregisterServer,
           request, &response));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(StdView(status.message()), "request: must be at most 65536 bytes");
}

TEST_F(CallLimitsTest, OfKeepAliveStreamsOneMoreIsRefused) {
  const std::string session = Register("a").session_id();
  pb::KeepAliveRequest request;
  request.set_session_id(session);
  pb::KeepAliveResponse response;
  {
    grpc::ClientContext first_context;
    auto first = registry_stub_->KeepAlive(&first_context);
    ASSERT_TRUE(first->Write(request));
    ASSERT_TRUE(first->Read(&response));

    grpc::ClientContext second_context;
    auto second = registry_stub_->KeepAlive(&second_context);
    EXPECT_FALSE(second->Read(&response));
    const absl::Status status = FromGrpcStatus(second->Finish());
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(HasReason(status, Reason::kTooManyStreams)) << status;
    EXPECT_EQ(StdView(status.message()),
              "keep sessions alive: 1 streams are open, which is the limit "
              "(--max-keep-alive-streams)");

    first->WritesDone();
    EXPECT_FALSE(first->Read(&response));
    EXPECT_TRUE(first->Finish().ok());
  }
}

}  // namespace
}  // namespace coord
