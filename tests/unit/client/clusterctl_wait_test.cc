// Every wait of a command has an end. tests/integration/tools tries the same on
// the program, with signals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "tests/unit/client/clusterctl_fixture.h"

namespace coord {
namespace {

using testing::HasSubstr;

using ClusterctlWaitTest = ClusterctlTest;

TEST_F(ClusterctlWaitTest, RegisterKeepAliveGivesUpWhereATimeoutIsGiven) {
  server_.on_register = [](const auto&, auto*) {
    return Refuse(Reason::kStoreUnavailable, "register: the disk is full");
  };
  EXPECT_EQ(Run({"register", "orders", "--url", "http://a:1", "--keepalive",
                 "--timeout", "300ms"}),
            ExitCode::kFailed);
  EXPECT_EQ(err(),
            "clusterctl: register: the disk is full (STORE_UNAVAILABLE); "
            "trying again\n"
            "clusterctl: register: it was not done within --timeout "
            "(NOT_REGISTERED)\n");
}

TEST_F(ClusterctlWaitTest, AListWithoutALastPageEndsInTime) {
  server_.on_list_servers = [](const auto&, auto* response) {
    response->set_next_page_token("more");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"servers", "orders", "--timeout", "200ms"}),
            ExitCode::kFailed);
  EXPECT_EQ(err(), "clusterctl: clusterd at " + server_.address() +
                       " did not answer in time\n");
  EXPECT_EQ(out(), "");
}

TEST_F(ClusterctlWaitTest, WatchFailsWithoutAnAnswerInTime) {
  absl::Notification end;
  server_.on_watch = [&end](const auto&, auto&, auto&) {
    end.WaitForNotification();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"watch", "orders", "--timeout", "200ms"}), ExitCode::kFailed);
  EXPECT_EQ(err(), "clusterctl: clusterd at " + server_.address() +
                       " did not answer in time\n");
  end.Notify();
  server_.Stop();  // its handler uses `end`
}

TEST_F(ClusterctlWaitTest, WatchEndsWellAfterItsTimeout) {
  absl::Notification end;
  server_.on_watch = [&end](const auto&, auto&, auto& writer) {
    pb::WatchClusterResponse snapshot;
    snapshot.mutable_snapshot()->set_last(true);
    writer.Write(snapshot);
    end.WaitForNotification();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"watch", "orders", "--timeout", "2s"}), ExitCode::kOk);
  EXPECT_THAT(out(), HasSubstr("SNAPSHOT"));
  EXPECT_EQ(err(), "");
  end.Notify();
  server_.Stop();  // its handler uses `end`
}

}  // namespace
}  // namespace coord
