#include <string>
#include <thread>

#include "common/error.h"
#include "common/grpc_status.h"
#include "gtest/gtest.h"
#include "tests/unit/rpc/service_fixture.h"

namespace coord {
namespace {

class KeepAliveStreamTest : public ServiceTest {
 protected:
  pb::KeepAliveResponse Beat(const std::string& session_id) {
    pb::KeepAliveRequest request;
    request.set_session_id(session_id);
    EXPECT_TRUE(stream_->Write(request));
    pb::KeepAliveResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    EXPECT_EQ(response.session_id(), session_id);
    return response;
  }

  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<pb::KeepAliveRequest, pb::KeepAliveResponse>>
      stream_ = registry_stub_->KeepAlive(&context_);
};

TEST_F(KeepAliveStreamTest, ALiveSessionIsToldItsTime) {
  const pb::Registration registered = Register("node-1");
  const pb::KeepAliveResponse answer = Beat(registered.session_id());
  EXPECT_EQ(answer.success().time_left().seconds(), 3600);
  EXPECT_EQ(answer.success().etag(), registered.server().etag());
  EXPECT_EQ(answer.success().state(), pb::REGISTRATION_STATE_REGISTERED);
}

TEST_F(KeepAliveStreamTest, ErrorsOfItemsDoNotEndTheStream) {
  const std::string old_session = Register("node-1").session_id();
  const std::string session = Register("node-1").session_id();
  EXPECT_EQ(Beat("").error().reason(), "BAD_SESSION");
  EXPECT_EQ(Beat("").error().message(),
            "session_id must be from 1 to 128 bytes");
  EXPECT_EQ(Beat(std::string(129, 'x')).error().reason(), "BAD_SESSION");
  EXPECT_EQ(Beat(std::string(128, 'x')).error().reason(), "LEASE_EXPIRED");
  EXPECT_EQ(Beat(old_session).error().reason(), "SESSION_SUPERSEDED");
  EXPECT_TRUE(Beat(session).has_success());
}

TEST_F(KeepAliveStreamTest, ManyItemsAreAnsweredInOrder) {
  const std::string session = Register("node-1").session_id();
  constexpr int kItems = 1000;
  std::thread writer([&] {
    for (int i = 0; i < kItems; ++i) {
      pb::KeepAliveRequest request;
      request.set_session_id(i % 2 == 0 ? session
                                        : "other-" + std::to_string(i));
      stream_->Write(request);
    }
    stream_->WritesDone();
  });
  pb::KeepAliveResponse response;
  int answered = 0;
  for (; stream_->Read(&response); ++answered) {
    if (answered % 2 == 0) {
      EXPECT_EQ(response.session_id(), session);
      EXPECT_TRUE(response.has_success());
    } else {
      EXPECT_EQ(response.session_id(), "other-" + std::to_string(answered));
      EXPECT_TRUE(response.has_error());
    }
  }
  writer.join();
  EXPECT_EQ(answered, kItems);
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(KeepAliveStreamTest, EndsWhenTheCallerHasSaidAll) {
  stream_->WritesDone();
  pb::KeepAliveResponse response;
  EXPECT_FALSE(stream_->Read(&response));
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(KeepAliveStreamTest, EndsWhenTheServerDrains) {
  stream_->WaitForInitialMetadata();
  drain_.Drain();
  pb::KeepAliveResponse response;
  EXPECT_FALSE(stream_->Read(&response));
  const absl::Status status = FromGrpcStatus(stream_->Finish());
  EXPECT_TRUE(HasReason(status, Reason::kDraining)) << status;
  EXPECT_TRUE(DetailOf(status).retry_after.has_value());
}

TEST_F(KeepAliveStreamTest, ACancelledStreamDoesNotHoldTheServer) {
  Beat("x");
  context_.TryCancel();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  StopServing();
}

}  // namespace
}  // namespace coord
