// Whatever becomes of the nodes, an answer fits its limit as it is encoded, and
// tells of each.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "mimik/cluster/v1/fan_out_service.pb.h"
#include "server/rpc/encode_fan_out.h"
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

namespace pb = mimik::cluster::v1;

class AnswerLimitTest : public FanOutTest,
                        public testing::WithParamInterface<unsigned> {
 protected:
  AnswerLimitTest() { format_ = &WireFormat(); }

  int Below(int n) { return std::uniform_int_distribution(0, n - 1)(random_); }
  bool Chance(int percent) { return Below(100) < percent; }
  // Mostly short, sometimes long.
  int Length(int most) { return Below(1 + Below(1 + Below(most))); }

  std::string Bytes(int size) {
    std::string bytes(static_cast<std::size_t>(size), '\0');
    for (char& c : bytes) c = static_cast<char>(Below(256));
    return bytes;
  }

  void RandomMembers() {
    std::vector<Server> servers;
    for (int i = Below(120); i > 0; --i) {
      Server server =
          MakeServer(absl::StrCat("n", i, std::string(Length(120), 'x')));
      server.cluster_base_url =
          absl::StrCat("http://n", i, ":80/", std::string(Length(1500), 'y'));
      if (Chance(5)) server.cluster_base_url = "nonsense";
      if (Chance(5)) server.state = ServerState::kDraining;
      servers.push_back(std::move(server));
    }
    SetMembers(std::move(servers));
  }

  FanOutCall RandomCall() {
    FanOutCall call = Call();
    call.method = Chance(50) ? "GET" : "POST";
    call.body_view = static_cast<BodyView>(Below(3));
    call.retry.max_attempts = 1 + Below(3);
    call.max_answer_bytes = 100 + static_cast<std::size_t>(Length(60'000));
    if (Chance(30)) {
      call.policy = {CompletionPolicy::Kind::kFirst, 1 + Below(3)};
    }
    if (Chance(30)) call.server_ids = {"n1", "n2", "stranger"};
    return call;
  }

  HttpResponse RandomAnswer() {
    HttpResponse response{Chance(70) ? 200 : 100 + Below(900), {}, ""};
    if (Chance(70)) {
      response.headers.push_back({"content-type", "application/json"});
    }
    for (int i = Below(4); i > 0; --i) {
      response.headers.push_back({"x-any", Bytes(Length(300))});
    }
    const std::string padding(Length(2000), 'z');
    response.body =
        Chance(60) ? absl::StrCat("{\"data\":[1,\"", padding, "\"],\"x\":\"",
                                  std::string(Length(2000), 'x'), "\"}")
                   : Bytes(Length(3000));
    return response;
  }

  void RandomEvent() {
    if (transport_.requests.empty() || Chance(10)) {
      loop_.Advance(absl::Milliseconds(Below(3000)));
    } else if (Chance(60)) {
      transport_.Finish(RandomAnswer());
    } else {
      HttpError error{static_cast<HttpError::Kind>(Below(6)), Chance(50)};
      error.message = Bytes(Length(2000));
      transport_.Finish(std::move(error));
    }
  }

  static std::string Encode(FanOutAnswer answer) {
    std::vector<grpc::Slice> slices;
    EXPECT_TRUE(EncodeAnswer(std::move(answer)).Dump(&slices).ok());
    std::string bytes;
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    return bytes;
  }

  // server_id -> how often it is told of.
  static std::map<std::string, int> Told(const pb::FanOutResponse& response) {
    std::map<std::string, int> told;
    for (const auto& each : response.results()) ++told[each.server_id()];
    for (const auto& each : response.failures()) ++told[each.server_id()];
    for (const auto& each : response.skipped()) ++told[each.server_id()];
    return told;
  }

  std::mt19937 random_{GetParam()};
};

TEST_P(AnswerLimitTest, EncodedAnswerFitsAndTellsOfEach) {
  int answered = 0;
  for (int round = 0; round < 150; ++round) {
    RandomMembers();
    const FanOutCall call = RandomCall();
    auto sink = Start(call);
    while (!sink->ended()) RandomEvent();
    if (sink->refusal) {
      EXPECT_TRUE(HasReason(*sink->refusal, Reason::kAnswerTooLarge) ||
                  HasReason(*sink->refusal, Reason::kPolicyImpossible))
          << *sink->refusal;
      EXPECT_TRUE(transport_.requests.empty());
      continue;
    }
    ++answered;
    const std::string bytes = Encode(*sink->answer);
    EXPECT_LE(bytes.size(), call.max_answer_bytes);
    pb::FanOutResponse response;
    ASSERT_TRUE(response.ParseFromString(bytes));
    EXPECT_EQ(response.SerializeAsString(), bytes);
    std::map<std::string, int> expected;
    for (const NodeOutcome& outcome : sink->answer->outcomes) {
      expected[outcome.server_id] = 1;
    }
    EXPECT_EQ(static_cast<int>(expected.size()), response.expected_count());
    EXPECT_EQ(Told(response), expected);
    for (const auto& failure : response.failures()) {
      EXPECT_NE(failure.reason(), pb::FAILURE_REASON_UNSPECIFIED);
      EXPECT_NE(failure.certainty(), pb::CERTAINTY_UNSPECIFIED);
      EXPECT_NE(failure.message(), "");
    }
    if (HasFailure()) FAIL() << "seed " << GetParam() << " round " << round;
  }
  EXPECT_GT(answered, 30);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnswerLimitTest, testing::Range(1u, 9u));

}  // namespace
}  // namespace coord
