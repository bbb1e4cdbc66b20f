#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/registry/it_resource.h"
#include "tests/unit/node/peers_fixture.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What PeersOptions::learned hears, one line each.
class LearningTest : public PeersTest {
 protected:
  Peers& MakeLearning(TokenSource* tokens = nullptr) {
    PeersOptions options;
    options.learned = [this](const std::string& type,
                             const std::string& server_id,
                             const std::string& base_url, NodeApi node_api) {
      learned_.push_back(absl::StrCat(
          type, "/", server_id, " at ", base_url,
          node_api == NodeApi::kYes ? " serves it" : " does not serve it"));
    };
    return Make(std::move(options), tokens);
  }
  static Server UnknownAt(const std::string& id, const std::string& host) {
    Server server = NodeAt(id, host);
    server.node_api = NodeApi::kUnknown;
    return server;
  }

  std::vector<std::string> learned_;
};

TEST_F(LearningTest, ProbeOfOneThatMayServeTheNodeApiAsksThere) {
  Probe(MakeLearning(), UnknownAt("a", "10.0.0.1"));
  EXPECT_EQ(Sent(), "DELETE http://10.0.0.1/x/itResources/-/servers/-");
  transport_.Answer(200, NodeAnswer("null", "a"));
  EXPECT_EQ(alive_, true);
  EXPECT_THAT(learned_, ElementsAre("mTest/a at http://10.0.0.1/x serves it"));
}

TEST_F(LearningTest, OneThatHasNoSuchRouteDoesNotServeIt) {
  for (const int status : {404, 405, 501}) {
    learned_.clear();
    Probe(MakeLearning(), UnknownAt("a", "10.0.0.1"));
    transport_.Answer(status, "{}");
    EXPECT_EQ(alive_, true);
    EXPECT_THAT(learned_,
                ElementsAre("mTest/a at http://10.0.0.1/x does not serve it"))
        << status;
  }
  learned_.clear();
  Probe(MakeLearning(), UnknownAt("a", "10.0.0.1"));
  transport_.Answer(200, "hello");
  EXPECT_THAT(learned_, testing::SizeIs(1));
}

TEST_F(LearningTest, TokensTroublesAndOtherServersTellNothing) {
  for (const auto& [status, body] : std::vector<std::pair<int, std::string>>{
           {400, "{}"},
           {401, "{}"},
           {403, "{}"},
           {429, ""},
           {500, ""},
           {200, NodeAnswer("null", "somebody")}}) {
    Probe(MakeLearning(), UnknownAt("a", "10.0.0.1"));
    transport_.Answer(status, body);
  }
  Probe(MakeLearning(), UnknownAt("a", "10.0.0.1"));
  transport_.Fail(HttpError::Kind::kUnreachable, false);
  EXPECT_THAT(learned_, IsEmpty());
}

TEST_F(LearningTest, TheBaseUrlOfAPlainServiceTellsNothing) {
  Server plain = NodeAt("a", "10.0.0.1");
  plain.node_api = NodeApi::kNo;
  Probe(MakeLearning(), plain);
  transport_.Answer(404, "{}");
  EXPECT_THAT(learned_, IsEmpty());
}

TEST_F(LearningTest, AnnouncementsGoToThoseThatMayServeItAndTellToo) {
  const ClusterSnapshot cluster =
      ClusterOf({NodeAt("self", "10.0.0.9"), UnknownAt("a", "10.0.0.1"),
                 UnknownAt("b", "10.0.0.2")});
  Join(MakeLearning(), cluster, result_);
  ASSERT_EQ(transport_.requests.size(), 2u);
  transport_.Answer(200, NodeAnswer("{}", "a"));
  transport_.Answer(404, "{}");
  EXPECT_THAT(learned_,
              ElementsAre("mTest/a at http://10.0.0.1/x serves it",
                          "mTest/b at http://10.0.0.2/x does not serve it"));
}

TEST_F(LearningTest, OneServerIsAskedOnceInAMinute) {
  Peers& peers = MakeLearning();
  const Server server = UnknownAt("a", "10.0.0.1");
  peers.AskNodeApi(server);
  peers.AskNodeApi(server);
  peers.AskNodeApi(UnknownAt("a", "10.0.0.2"));
  loop_.RunPosted();
  ASSERT_EQ(transport_.requests.size(), 2u);
  EXPECT_EQ(Sent(0), "DELETE http://10.0.0.1/x/itResources/-/servers/-");
  transport_.Answer(403, "{}");
  transport_.Answer(403, "{}");
  loop_.Advance(absl::Seconds(59));
  peers.AskNodeApi(server);
  loop_.RunPosted();
  EXPECT_THAT(transport_.requests, IsEmpty());
  loop_.Advance(absl::Seconds(1));
  peers.AskNodeApi(server);
  loop_.RunPosted();
  EXPECT_EQ(transport_.requests.size(), 1u);
}

}  // namespace
}  // namespace coord
