// Peers over a transport of the test's, on the test's own time.
#ifndef TESTS_UNIT_NODE_PEERS_FIXTURE_H_
#define TESTS_UNIT_NODE_PEERS_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/node/peers.h"
#include "tests/support/fake_transport.h"
#include "tests/support/manual_loop.h"

namespace coord {

inline Server NodeAt(const std::string& id, const std::string& host) {
  Server server;
  server.type = "mTest";
  server.server_id = id;
  server.cluster_base_url = "http://" + host + "/x";
  server.node_api = NodeApi::kYes;
  return server;
}

inline ClusterSnapshot ClusterOf(const std::vector<Server>& servers) {
  ClusterSnapshot cluster;
  cluster.identity = {"c1", "mTest", ""};
  for (const Server& server : servers) {
    cluster.servers.Put(std::make_shared<Server>(server));
  }
  return cluster;
}

class FakeTokens final : public TokenSource {
 public:
  void Get(TokenRequest request, Done done) override {
    types.push_back(request.type);
    std::move(done)(answer);
  }
  void Drop(const std::string& token) override {
    dropped.push_back(token);
    answer = "second";
  }
  absl::StatusOr<std::string> answer = "first";
  std::vector<std::string> types;
  std::vector<std::string> dropped;
};

class PeersTest : public ::testing::Test {
 protected:
  Peers& Make(PeersOptions options = {}, TokenSource* tokens = nullptr) {
    peers_ = std::make_unique<Peers>(
        loop_, transport_, tokens,
        [](const Server& server) { return server.server_id == "local"; },
        options);
    return *peers_;
  }

  void Probe(Peers& peers, const Server& server) {
    peers.Probe(server, [this](ProbeResult result) {
      alive_ = result.alive;
      why_ = std::move(result.why);
    });
    loop_.RunPosted();
  }
  void Join(Peers& peers, const ClusterSnapshot& cluster,
            std::optional<AnnouncementResult>& result) {
    peers.AnnounceJoin(cluster, "self", [&result](AnnouncementResult r) {
      result = std::move(r);
    });
    loop_.RunPosted();
  }
  void Leave(Peers& peers, const ClusterSnapshot& cluster,
             std::optional<AnnouncementResult>& result) {
    peers.AnnounceLeave(cluster, "self", [&result](AnnouncementResult r) {
      result = std::move(r);
    });
    loop_.RunPosted();
  }
  std::string Sent(std::size_t i = 0) {
    return transport_.requests.at(i).ToString();
  }
  std::string Tail(std::size_t i = 0) {
    return *transport_.requests.at(i).request.tail;
  }

  std::string order_;
  ManualLoop loop_;
  FakeTransport transport_{loop_};
  std::unique_ptr<Peers> peers_;
  std::optional<bool> alive_;
  std::string why_;
  std::optional<AnnouncementResult> result_;
};

}  // namespace coord

#endif  // TESTS_UNIT_NODE_PEERS_FIXTURE_H_
