#include <future>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "common/error.h"
#include "common/grpc_status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/http_node.h"
#include "tests/support/on_loop.h"
#include "tests/unit/registry/paused_writer.h"
#include "tests/unit/rpc/service_fixture.h"

namespace coord {
namespace {

using Stub = pb::RegistryService::Stub;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RegistryServiceTest : public ServiceTest {
 protected:
  template <typename Request, typename Response>
  absl::Status Do(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                               const Request&, Response*),
                  const Request& request, Response* response) {
    return FromGrpcStatus(Call(*registry_stub_, method, request, response));
  }
};

TEST_F(RegistryServiceTest, RegistersAndShowsARegistration) {
  const pb::Registration registered = Register("node-1");
  EXPECT_EQ(registered.state(), pb::REGISTRATION_STATE_REGISTERED);
  EXPECT_FALSE(registered.session_id().empty());
  EXPECT_FALSE(registered.cluster_id().empty());
  EXPECT_EQ(registered.ttl().seconds(), 3600);
  EXPECT_FALSE(registered.server().etag().empty());
  EXPECT_EQ(registered.status().registration_status(), "registered");

  pb::GetRegistrationRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  pb::GetRegistrationResponse response;
  ASSERT_TRUE(Do(&Stub::GetRegistration, request, &response).ok());
  EXPECT_EQ(response.registration().server().server_id(), "node-1");

  request.set_server_id("node-2");
  EXPECT_TRUE(HasReason(Do(&Stub::GetRegistration, request, &response),
                        Reason::kServerNotFound));
}

TEST_F(RegistryServiceTest, ABadRegistrationNamesItsFields) {
  pb::RegisterServerRequest request;
  request.mutable_ttl()->set_seconds(-1);
  pb::RegisterServerResponse response;
  const absl::Status refused = Do(&Stub::RegisterServer, request, &response);
  EXPECT_TRUE(HasReason(refused, Reason::kInvalidField));
  std::vector<std::string> fields;
  for (const auto& violation : DetailOf(refused).violations) {
    fields.push_back(violation.field);
  }
  EXPECT_THAT(fields,
              ElementsAre("server.type", "server.cluster_base_url", "ttl"));
}

TEST_F(RegistryServiceTest, ATtlOutOfRangeIsRefused) {
  pb::RegisterServerRequest request;
  request.mutable_server()->set_type("mTest");
  request.mutable_server()->set_cluster_base_url("http://127.0.0.1:1");
  pb::RegisterServerResponse response;
  for (const std::int64_t seconds : {0, 86'401}) {
    request.mutable_ttl()->set_seconds(seconds);
    const absl::Status refused = Do(&Stub::RegisterServer, request, &response);
    EXPECT_TRUE(HasReason(refused, Reason::kInvalidField)) << seconds;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("ttl")) << seconds;
  }
}

TEST_F(RegistryServiceTest, CorrelationIdAndTraceContextComeBack) {
  grpc::ClientContext context;
  context.AddMetadata("x-correlation-id", "abc@4/D");
  context.AddMetadata("traceparent", "00-1-2-01");
  pb::ListClustersResponse response;
  ASSERT_TRUE(registry_stub_->ListClusters(&context, {}, &response).ok());
  const auto& metadata = context.GetServerInitialMetadata();
  ASSERT_EQ(metadata.count("x-correlation-id"), 1u);
  EXPECT_EQ(metadata.find("x-correlation-id")->second, "abc@4/D");
  ASSERT_EQ(metadata.count("traceparent"), 1u);
  EXPECT_EQ(metadata.find("traceparent")->second, "00-1-2-01");
}

TEST_F(RegistryServiceTest, ACallWithoutACorrelationIdGetsOne) {
  grpc::ClientContext context;
  pb::ListClustersResponse response;
  ASSERT_TRUE(registry_stub_->ListClusters(&context, {}, &response).ok());
  const auto& metadata = context.GetServerInitialMetadata();
  ASSERT_EQ(metadata.count("x-correlation-id"), 1u);
  const grpc::string_ref id = metadata.find("x-correlation-id")->second;
  EXPECT_THAT(std::string(id.data(), id.size()), HasSubstr("@0/"));
  EXPECT_EQ(metadata.count("traceparent"), 0u);
}

TEST_F(RegistryServiceTest, DrainsAndUndrains) {
  Register("node-1");
  pb::DrainServerRequest drain;
  drain.set_type("mTest");
  drain.set_server_id("node-1");
  pb::DrainServerResponse drained;
  ASSERT_TRUE(Do(&Stub::DrainServer, drain, &drained).ok());
  EXPECT_EQ(drained.registration().server().state(), pb::SERVER_STATE_DRAINING);

  pb::UndrainServerRequest undrain;
  undrain.set_type("mTest");
  undrain.set_server_id("node-1");
  pb::UndrainServerResponse undrained;
  ASSERT_TRUE(Do(&Stub::UndrainServer, undrain, &undrained).ok());
  EXPECT_EQ(undrained.registration().server().state(), pb::SERVER_STATE_ACTIVE);

  drain.set_session_id("another");
  EXPECT_TRUE(HasReason(Do(&Stub::DrainServer, drain, &drained),
                        Reason::kSessionSuperseded));
}

TEST_F(RegistryServiceTest, UnregisterTellsTheCount) {
  Register("node-1");
  Register("node-2");
  pb::UnregisterServerRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  pb::UnregisterServerResponse response;
  ASSERT_TRUE(Do(&Stub::UnregisterServer, request, &response).ok());
  EXPECT_EQ(response.server_id(), "node-1");
  EXPECT_EQ(response.server_count(), 2);
  EXPECT_EQ(response.errors_size(), 0);
  EXPECT_TRUE(HasReason(Do(&Stub::UnregisterServer, request, &response),
                        Reason::kServerNotFound));
}

TEST_F(RegistryServiceTest, EvictionNeedsTheEtagThatStands) {
  const pb::Registration registered = Register("node-1");
  pb::EvictServerRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  pb::EvictServerResponse response;
  absl::Status status = Do(&Stub::EvictServer, request, &response);
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField));
  EXPECT_EQ(status.message(), "etag: must be set");

  request.set_etag("another");
  status = Do(&Stub::EvictServer, request, &response);
  EXPECT_TRUE(HasReason(status, Reason::kEtagMismatch)) << status;

  request.set_etag(registered.server().etag());
  status = Do(&Stub::EvictServer, request, &response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.server().server_id(), "node-1");
  // Nobody listens there.
  EXPECT_EQ(response.outcome(), pb::EVICTION_OUTCOME_GONE);
  EXPECT_TRUE(response.registered_here());
  EXPECT_THAT(
      response.message(),
      testing::AllOf(HasSubstr("it does not answer a probe ("),
                     HasSubstr("; it is registered here and comes back if it "
                               "answers again")));
  EXPECT_FALSE(response.has_returned());
}

TEST_F(RegistryServiceTest, AnEvictionThatDoesNotLastSaysSo) {
  HttpNode node(loop_, "node-1");
  pb::RegisterServerRequest registration;
  registration.mutable_server()->set_type("mTest");
  registration.mutable_server()->set_server_id("node-1");
  registration.mutable_server()->set_cluster_base_url(node.base_url());
  registration.mutable_ttl()->set_seconds(3600);
  registration.set_wait(true);
  pb::RegisterServerResponse registered;
  ASSERT_TRUE(Do(&Stub::RegisterServer, registration, &registered).ok());

  pb::EvictServerRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  request.set_etag(registered.registration().server().etag());
  pb::EvictServerResponse response;
  const absl::Status status = Do(&Stub::EvictServer, request, &response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.outcome(), pb::EVICTION_OUTCOME_RETURNED);
  EXPECT_TRUE(response.registered_here());
  EXPECT_THAT(response.message(), HasSubstr("and came back; to keep it out, "
                                            "drain it, unregister it"));
  EXPECT_EQ(response.returned().server_id(), "node-1");
  EXPECT_NE(response.returned().etag(), request.etag());
}

class CallerLogTest : public RegistryServiceTest {
 protected:
  // The lines that begin so, after a call by somebody with a correlation id.
  template <typename Request, typename Response>
  std::vector<std::string> LinesAfter(
      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                   Response*),
      const Request& request, const std::string& beginning) {
    grpc::ClientContext context;
    context.AddMetadata("x-correlation-id", "abc");
    Response response;
    const auto status = (*registry_stub_.*method)(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return log_.Lines(beginning);
  }
  // `fields`, then who asked.
  static auto Line(const std::string& fields) {
    return ElementsAre(
        testing::MatchesRegex("info: " + fields +
                              " peer=ipv4:127.0.0.1:[0-9]+ correlation_id=abc "
                              "user_agent=\"?grpc-c\\+\\+/[^=]*"));
  }
  template <typename Request>
  static Request Naming(const std::string& server_id) {
    Request request;
    request.set_type("mTest");
    request.set_server_id(server_id);
    return request;
  }
};

TEST_F(CallerLogTest, NamesWhoDrainsUndrainsUnregistersAndEvicts) {
  const std::string node = "server=mTest/node-1 cluster_id=[0-9a-f-]+ ";
  Register("node-1");
  EXPECT_THAT(
      LinesAfter(&Stub::DrainServer, Naming<pb::DrainServerRequest>("node-1"),
                 "drain asked for"),
      Line("drain asked for " + node + "changed=yes"));
  EXPECT_THAT(LinesAfter(&Stub::UndrainServer,
                         Naming<pb::UndrainServerRequest>("node-1"),
                         "undrain asked for"),
              Line("undrain asked for " + node + "changed=yes"));
  EXPECT_THAT(LinesAfter(&Stub::UnregisterServer,
                         Naming<pb::UnregisterServerRequest>("node-1"),
                         "unregister asked for"),
              Line("unregister asked for " + node + "by=hand"));
  auto evict = Naming<pb::EvictServerRequest>("node-2");
  evict.set_etag(Register("node-2").server().etag());
  EXPECT_THAT(LinesAfter(&Stub::EvictServer, evict, "evicted by hand"),
              Line("evicted by hand type=mTest server_id=node-2 "
                   "cluster_id=[0-9a-f-]+ etag=[0-9TZ:.-]+"));
}

TEST_F(RegistryServiceTest, ASessionIdThatCanBeNoneIsRefused) {
  const pb::Registration registered = Register("node-1");
  pb::UnregisterServerRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  request.set_session_id(std::string(129, 'x'));
  pb::UnregisterServerResponse response;
  absl::Status status = Do(&Stub::UnregisterServer, request, &response);
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField));
  EXPECT_EQ(status.message(), "session_id: must be at most 128 bytes");

  pb::RegisterServerRequest again;
  *again.mutable_server() = registered.server();
  again.mutable_ttl()->set_seconds(3600);
  again.set_session_id(request.session_id());
  pb::RegisterServerResponse answer;
  status = Do(&Stub::RegisterServer, again, &answer);
  EXPECT_EQ(status.message(), "session_id: must be at most 128 bytes");
  again.set_session_id("never opened");
  status = Do(&Stub::RegisterServer, again, &answer);
  EXPECT_TRUE(HasReason(status, Reason::kLeaseExpired));
  EXPECT_EQ(status.message(),
            "use session: it is over, or was never opened here; register "
            "again");
}

TEST_F(RegistryServiceTest, ClustersAreFoundByTypeOrId) {
  const std::string id = Register("node-1").cluster_id();
  pb::GetClusterRequest request;
  request.set_type("mTest");
  pb::GetClusterResponse response;
  ASSERT_TRUE(Do(&Stub::GetCluster, request, &response).ok());
  EXPECT_EQ(response.cluster().id(), id);
  EXPECT_EQ(response.cluster().type(), "mTest");
  EXPECT_EQ(response.cluster().server_count(), 1);

  request.clear_type();
  request.set_cluster_id(id);
  ASSERT_TRUE(Do(&Stub::GetCluster, request, &response).ok());
  EXPECT_EQ(response.cluster().type(), "mTest");

  request.set_type("mOther");
  EXPECT_TRUE(HasReason(Do(&Stub::GetCluster, request, &response),
                        Reason::kClusterNotFound));
  request.Clear();
  EXPECT_TRUE(HasReason(Do(&Stub::GetCluster, request, &response),
                        Reason::kInvalidField));
}

TEST_F(RegistryServiceTest, PagesOfServersCoverTheCluster) {
  Join(5);
  pb::ListServersRequest request;
  request.set_type("mTest");
  request.set_page_size(2);
  std::vector<std::string> ids;
  int pages = 0;
  do {
    pb::ListServersResponse response;
    ASSERT_TRUE(Do(&Stub::ListServers, request, &response).ok());
    for (const pb::Server& server : response.servers()) {
      ids.push_back(server.server_id());
    }
    EXPECT_GT(response.revision(), 0);
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(ids, ElementsAre("s0000", "s0001", "s0002", "s0003", "s0004"));
}

TEST_F(RegistryServiceTest, PagesOfRegistrationsAndClusters) {
  Register("node-1");
  Register("node-2");
  pb::ListRegistrationsRequest registrations;
  registrations.set_page_size(1);
  pb::ListRegistrationsResponse page;
  ASSERT_TRUE(Do(&Stub::ListRegistrations, registrations, &page).ok());
  ASSERT_EQ(page.registrations_size(), 1);
  EXPECT_EQ(page.registrations(0).server().server_id(), "node-1");
  EXPECT_THAT(page.registrations(0).session_id(), IsEmpty());
  registrations.set_page_token(page.next_page_token());
  ASSERT_TRUE(Do(&Stub::ListRegistrations, registrations, &page).ok());
  ASSERT_EQ(page.registrations_size(), 1);
  EXPECT_EQ(page.registrations(0).server().server_id(), "node-2");
  EXPECT_THAT(page.next_page_token(), IsEmpty());

  pb::ListClustersResponse clusters;
  ASSERT_TRUE(
      Do(&Stub::ListClusters, pb::ListClustersRequest(), &clusters).ok());
  ASSERT_EQ(clusters.clusters_size(), 1);
  EXPECT_EQ(clusters.clusters(0).server_count(), 2);
}

TEST_F(RegistryServiceTest, ALongPageOfRegistrationsIsWhole) {
  for (int i = 0; i < 250; ++i) Register(absl::StrFormat("node-%03d", i));
  pb::ListRegistrationsRequest request;
  request.set_type("mTest");
  request.set_page_size(230);
  std::vector<std::string> ids;
  std::vector<int> pages;
  do {
    pb::ListRegistrationsResponse page;
    ASSERT_TRUE(Do(&Stub::ListRegistrations, request, &page).ok());
    pages.push_back(page.registrations_size());
    for (const pb::Registration& registration : page.registrations()) {
      ids.push_back(registration.server().server_id());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(pages, ElementsAre(230, 20));
  for (int i = 0; i < 250; ++i) {
    EXPECT_EQ(ids.at(static_cast<std::size_t>(i)),
              absl::StrFormat("node-%03d", i));
  }
}

TEST_F(RegistryServiceTest, ATokenOfAnotherListIsRefused) {
  Join(2);
  pb::ListServersRequest servers;
  servers.set_type("mTest");
  servers.set_page_size(1);
  pb::ListServersResponse page;
  ASSERT_TRUE(Do(&Stub::ListServers, servers, &page).ok());
  pb::ListClustersRequest clusters;
  clusters.set_page_token(page.next_page_token());
  pb::ListClustersResponse response;
  const absl::Status refused = Do(&Stub::ListClusters, clusters, &response);
  EXPECT_TRUE(HasReason(refused, Reason::kInvalidField));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("page_token"));
}

TEST_F(RegistryServiceTest, ListsTellHowOldTheyAre) {
  Register("node-1");
  pb::GetClusterRequest get;
  get.set_type("mTest");
  pb::GetClusterResponse cluster;
  ASSERT_TRUE(Do(&Stub::GetCluster, get, &cluster).ok());
  ASSERT_TRUE(cluster.cluster().has_membership_age());
  EXPECT_EQ(cluster.cluster().membership_age().seconds(), 0);

  pb::ListClustersResponse clusters;
  ASSERT_TRUE(
      Do(&Stub::ListClusters, pb::ListClustersRequest(), &clusters).ok());
  EXPECT_TRUE(clusters.clusters(0).has_membership_age());

  pb::ListServersRequest list;
  list.set_type("mTest");
  pb::ListServersResponse servers;
  ASSERT_TRUE(Do(&Stub::ListServers, list, &servers).ok());
  EXPECT_TRUE(servers.has_membership_age());

  pb::ListRegistrationsResponse registrations;
  ASSERT_TRUE(Do(&Stub::ListRegistrations, pb::ListRegistrationsRequest(),
                 &registrations)
                  .ok());
  EXPECT_TRUE(registrations.registrations(0).status().has_membership_age());
}

TEST_F(RegistryServiceTest, TraceStateComesBackToo) {
  grpc::ClientContext context;
  context.AddMetadata("tracestate", "rojo=1");
  pb::ListClustersResponse response;
  ASSERT_TRUE(registry_stub_->ListClusters(&context, {}, &response).ok());
  const auto& metadata = context.GetServerInitialMetadata();
  ASSERT_EQ(metadata.count("tracestate"), 1u);
  EXPECT_EQ(metadata.find("tracestate")->second, "rojo=1");
}

// --- the end -----------------------------------------------------------------

constexpr char kNotKnown[] =
    "serve call: this clusterd stopped before it knew the answer";

TEST_F(RegistryServiceTest, TheEndAnswersACallThatSomebodyKeeps) {
  PausedWriter paused(*database_);
  auto answer = std::async(std::launch::async, [this] {
    pb::RegisterServerRequest request;
    request.mutable_server()->set_type("mTest");
    request.mutable_server()->set_server_id("a");
    request.mutable_server()->set_cluster_base_url("http://127.0.0.1:1");
    request.mutable_ttl()->set_seconds(3600);
    pb::RegisterServerResponse response;
    return Do(&Stub::RegisterServer, request, &response);
  });
  while (OnLoop(loop_, [this] { return registrar_->Count(); }) == 0) {
  }
  end_.Drain();
  const absl::Status status = answer.get();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(HasReason(status, Reason::kDraining));
  EXPECT_EQ(status.message(), kNotKnown);
  EXPECT_TRUE(DetailOf(status).retry_after.has_value());
  // The store's answer comes late and finds nobody.
}

TEST_F(RegistryServiceTest, AfterTheEndACallIsAnsweredAtOnce) {
  Register("a");
  end_.Drain();
  pb::GetClusterRequest request;
  request.set_type("mTest");
  pb::GetClusterResponse response;
  const absl::Status status = Do(&Stub::GetCluster, request, &response);
  EXPECT_TRUE(HasReason(status, Reason::kDraining));
  EXPECT_EQ(status.message(), kNotKnown);
}

}  // namespace
}  // namespace coord
