#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "tests/support/scoped_environment.h"

namespace coord {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

std::variant<Config, EarlyExit> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "clusterd");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

Config ParseOk(std::vector<const char*> arguments) {
  auto parsed = Parse(std::move(arguments));
  if (const auto* exit = std::get_if<EarlyExit>(&parsed)) {
    ADD_FAILURE() << exit->text;
    return {};
  }
  return std::get<Config>(parsed);
}

EarlyExit ParseExit(std::vector<const char*> arguments) {
  auto parsed = Parse(std::move(arguments));
  if (const auto* exit = std::get_if<EarlyExit>(&parsed)) return *exit;
  ADD_FAILURE() << "was accepted";
  return {-1, ""};
}

TEST(CommandLine, NothingGivenIsALoopbackServerInMemory) {
  const Config config = ParseOk({});
  EXPECT_EQ(config.grpc_address, "127.0.0.1:7700");
  EXPECT_EQ(config.http_address, "127.0.0.1:7780");
  EXPECT_EQ(config.listener.host, "127.0.0.1");
  EXPECT_EQ(config.listener.port, 7780);
  EXPECT_EQ(config.on_shutdown, OnShutdown::kUnregister);
  EXPECT_TRUE(config.fanout.management);
  EXPECT_FALSE(config.own_server.has_value());
}

TEST(CommandLine, ListsGrowOldAfterAMinuteUnlessSaidOtherwise) {
  EXPECT_EQ(ParseOk({}).max_list_age, absl::Seconds(60));
  EXPECT_EQ(ParseOk({"--max_list_age=5s"}).max_list_age, absl::Seconds(5));
  const ScopedEnvironment age("CLUSTERD_MAX_LIST_AGE", "90000");
  EXPECT_EQ(ParseOk({}).max_list_age, absl::Seconds(90));
  EXPECT_THAT(ParseExit({"--max_list_age=10ms"}).text,
              HasSubstr("is not a duration from 1s to 24h"));
}

TEST(CommandLine, AdvertiseTakesAnAddressThatOthersReach) {
  EXPECT_EQ(ParseOk({}).advertise, "");
  EXPECT_EQ(ParseOk({"--advertise=10.0.0.7"}).advertise, "10.0.0.7");
  const EarlyExit exit = ParseExit({"--advertise=0.0.0.0:7780"});
  EXPECT_EQ(exit.exit_code, 2);
  EXPECT_THAT(exit.text,
              HasSubstr("is not HOST or HOST:PORT by which others reach this "
                        "machine"));
}

TEST(CommandLine, WhoIsAskedForNamesIsAnAddress) {
  EXPECT_EQ(ParseOk({}).names.servers, "");
  EXPECT_EQ(ParseOk({"--dns-servers="}).names.servers, "");
  EXPECT_EQ(ParseOk({"--dns-servers=10.0.0.2:53,fd00::2"}).names.servers,
            "10.0.0.2:53,fd00::2");
  const EarlyExit exit = ParseExit({"--dns-servers=dns.test"});
  EXPECT_EQ(exit.exit_code, 2);
  EXPECT_THAT(exit.text,
              HasSubstr("is not ADDRESS[:PORT],... of IP addresses"));
}

TEST(CommandLine, ConnectionsHaveAnAge) {
  EXPECT_EQ(ParseOk({}).http_client.max_connection_age, absl::Minutes(5));
  EXPECT_EQ(
      ParseOk({"--max-connection-age=30s"}).http_client.max_connection_age,
      absl::Seconds(30));
}

TEST(CommandLine, SessionsGetTimeAfterARestart) {
  EXPECT_EQ(ParseOk({}).registrar.resume_grace, absl::Seconds(45));
  EXPECT_EQ(ParseOk({"--resume_grace=0"}).registrar.resume_grace,
            absl::ZeroDuration());
  const ScopedEnvironment grace("CLUSTERD_RESUME_GRACE", "2m");
  EXPECT_EQ(ParseOk({}).registrar.resume_grace, absl::Minutes(2));
}

TEST(CommandLine, BodiesOfRequestsHaveALimitOfTheirOwn) {
  EXPECT_EQ(ParseOk({}).listener.max_body_bytes, 1u << 20);
  EXPECT_EQ(ParseOk({"--max_http_body_bytes=4194304"}).listener.max_body_bytes,
            4u << 20);
}

TEST(CommandLine, LimitsAreTheSameForAllWhomTheyConcern) {
  const Config config = ParseOk({"--max_clusters=7", "--max_registrations=9",
                                 "--forget_empty_clusters_after=2h",
                                 "--max_change_bytes=2097152"});
  EXPECT_EQ(config.embedded.max_clusters, 7u);
  EXPECT_EQ(config.membership.max_clusters, 7u);
  EXPECT_EQ(config.registrar.max_registrations, 9u);
  EXPECT_EQ(config.embedded.max_servers, 9u);
  EXPECT_EQ(config.embedded.forget_empty_clusters_after, absl::Hours(2));
  EXPECT_EQ(config.membership.limits.change_bytes, 2u << 20);
}

TEST(CommandLine, ADataDirectoryKeepsRegistrationsOverAStop) {
  EXPECT_EQ(ParseOk({"--data_dir=/var/lib/clusterd"}).on_shutdown,
            OnShutdown::kKeep);
  EXPECT_EQ(ParseOk({"--data_dir=/x", "--on_shutdown=unregister"}).on_shutdown,
            OnShutdown::kUnregister);
}

TEST(CommandLine, AFlagBeatsTheEnvironment) {
  const ScopedEnvironment environment("REQUEST_TIMEOUT", "2500");
  EXPECT_EQ(ParseOk({}).fanout.request_timeout, absl::Milliseconds(2500));
  EXPECT_EQ(ParseOk({}).peers.request_timeout, absl::Milliseconds(2500));
  EXPECT_EQ(ParseOk({"--request_timeout=4s"}).fanout.request_timeout,
            absl::Seconds(4));
}

TEST(CommandLine, ABareNumberIsMilliseconds) {
  EXPECT_EQ(ParseOk({"--registration_retry=1500"}).registrar.registration_retry,
            absl::Milliseconds(1500));
}

TEST(CommandLine, ManagementOffAlsoRefusesFanOuts) {
  const ScopedEnvironment environment("CLUSTER_MANAGEMENT", "off");
  const Config config = ParseOk({});
  EXPECT_FALSE(config.registrar.management);
  EXPECT_FALSE(config.fanout.management);
}

TEST(CommandLine, ServerTypeAndPortDescribeAServiceOfItsOwn) {
  const ScopedEnvironment type("SERVER_TYPE", "mTest");
  const ScopedEnvironment port("SERVER_PORT", "8080");
  const ScopedEnvironment address("SERVER_LOCAL_IPV4", "10.1.2.3");
  const ScopedEnvironment path("SERVER_BASE_PATH", "/mTest/v1");
  const Config config = ParseOk({});
  ASSERT_TRUE(config.own_server.has_value());
  EXPECT_EQ(config.own_server->type, "mTest");
  EXPECT_EQ(config.own_server->cluster_base_url,
            "http://10.1.2.3:8080/mTest/v1");
  EXPECT_EQ(config.own_server->public_base_url, "");
  EXPECT_FALSE(ParseOk({"--registration_set=off"}).own_server.has_value());
  EXPECT_EQ(ParseOk({"--server_public_domain_name=x.example",
                     "--server_public_protocol=https"})
                .own_server->public_base_url,
            "https://x.example/mTest/v1");
}

TEST(CommandLine, AMitUrlChoosesMitAndEmbeddedCanStillBeAskedFor) {
  const ScopedEnvironment url("MIT_URL", "http://mit.example/mIT/v1");
  const ScopedEnvironment tokens("MST_SET", "off");
  const Config config = ParseOk({});
  ASSERT_TRUE(config.mit.has_value());
  EXPECT_EQ(config.mit->registry.url.ToString(), "http://mit.example/mIT/v1");
  EXPECT_FALSE(config.mit->use_tokens());
  EXPECT_TRUE(config.fanout.forward_authorization);
  EXPECT_FALSE(ParseOk({"--registry=embedded"}).mit.has_value());
}

TEST(CommandLine, TheReferencesNamesGiveTheCredentialsOfTheOwnType) {
  const ScopedEnvironment url("MIT_URL", "http://mit.example");
  const ScopedEnvironment issuer("OAUTH_ISSUER", "http://mst.example/token");
  const ScopedEnvironment id("OAUTH_CLIENT_ID", "client");
  const ScopedEnvironment secret("OAUTH_CLIENT_SECRET", "s3cret");
  const ScopedEnvironment key("OAUTH_GENERIC_KEY", "generic");
  const ScopedEnvironment type("SERVER_TYPE", "mTest");
  const ScopedEnvironment audience("MTEST_AUDIENCE", "of-mTest");
  const Config config = ParseOk({});
  ASSERT_TRUE(config.mit.has_value());
  EXPECT_EQ(config.mit->tokens.path, "/token");
  EXPECT_EQ(config.mit->verifier.issuer, "http://mst.example/token");
  EXPECT_FALSE(config.fanout.forward_authorization);
  const TypeCredentials* own = config.mit->tokens.credentials.Find("mTest");
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->client_secret, "s3cret");
  EXPECT_EQ(own->generic_key, "generic");
  EXPECT_EQ(own->CallAudience(), "of-mTest");
  EXPECT_EQ(config.mit->tokens.credentials.Find("other"), nullptr);
}

TEST(CommandLine, WhatMitLacksIsNamed) {
  EXPECT_THAT(ParseExit({"--registry=mit"}).text,
              HasSubstr("MIT_URL is not set; --registry=mit needs it"));
  EXPECT_THAT(ParseExit({"--mit_url=nowhere"}).text,
              HasSubstr("MIT_URL: `nowhere`: must be an absolute"));
  EXPECT_THAT(ParseExit({"--mit_url=http://mit.example"}).text,
              HasSubstr("OAUTH_ISSUER is not set"));
  EXPECT_THAT(ParseExit({"--mit_url=http://mit.example",
                         "--oauth_issuer=http://mst.example"})
                  .text,
              HasSubstr("OAUTH_CLIENT_ID is not set"));
  EXPECT_THAT(
      ParseExit({"--mit_url=http://mit.example",
                 "--oauth_issuer=http://mst.example", "--oauth_client_id=x",
                 "--oauth_client_secret_file=/no/such/file"})
          .text,
      HasSubstr("OAUTH_CLIENT_SECRET_FILE"));
}

TEST(CommandLine, MitIsServedWhenAskedFor) {
  EXPECT_FALSE(ParseOk({}).serve_mit.has_value());
  const Config config = ParseOk({"--serve_mit=on"});
  ASSERT_TRUE(config.serve_mit.has_value());
  EXPECT_FALSE(config.serve_mit->tokens.has_value());
  EXPECT_FALSE(config.use_tokens());
  EXPECT_TRUE(config.fanout.forward_authorization);
}

TEST(CommandLine, MitServedWithCredentialsIssuesTokens) {
  const ScopedEnvironment secret("OAUTH_CLIENT_SECRET", "s3cret");
  const std::vector<const char*> arguments = {
      "--serve_mit=on",      "--server_type=mTest",
      "--oauth_client_id=x", "--oauth_issuer=http://mst.example/token",
      "--mit_audience=mIT",  "--token_life=10m"};
  const Config config = ParseOk(arguments);
  ASSERT_TRUE(config.serve_mit.has_value() && config.serve_mit->tokens);
  const TokenIssuerOptions& tokens = *config.serve_mit->tokens;
  EXPECT_EQ(tokens.issuer, "http://mst.example/token");
  EXPECT_EQ(tokens.mit_audience, "mIT");
  EXPECT_EQ(tokens.token_life, absl::Minutes(10));
  EXPECT_EQ(tokens.clients.Find("mTest")->client_secret, "s3cret");
  EXPECT_FALSE(config.fanout.forward_authorization);

  std::vector<const char*> off = arguments;
  off.push_back("--mst_set=off");
  EXPECT_FALSE(ParseOk(off).serve_mit->tokens.has_value());
}

TEST(CommandLine, WhatServingMitLacksIsNamed) {
  const EarlyExit both =
      ParseExit({"--serve_mit=on", "--mit_url=http://mit.example"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.text, HasSubstr("--serve-mit needs --registry=embedded"));
  EXPECT_THAT(ParseExit({"--serve_mit=on", "--oauth_client_id=x"}).text,
              HasSubstr("OAUTH_ISSUER is not set"));
  EXPECT_THAT(ParseExit({"--serve_mit=on", "--oauth_client_id=x",
                         "--oauth_issuer=http://mst.example"})
                  .text,
              HasSubstr("MIT_AUDIENCE is not set"));
}

TEST(CommandLine, AnAddressThatIsNoneIsNamedWithItsSource) {
  const EarlyExit exit = ParseExit({"--server_type=mTest", "--server_port=80",
                                    "--server_local_ipv4=10.1.2.3 x"});
  EXPECT_EQ(exit.exit_code, 2);
  EXPECT_THAT(exit.text,
              HasSubstr("SERVER_* settings give `http://10.1.2.3 x:80`"));
}

struct WrongValue {
  const char* argument;
  const char* setting;
  const char* allowed;
};

class WrongValueTest : public ::testing::TestWithParam<WrongValue> {};

TEST_P(WrongValueTest, IsNamedWithWhatIsAllowed) {
  const EarlyExit exit = ParseExit({GetParam().argument});
  EXPECT_EQ(exit.exit_code, 2);
  EXPECT_THAT(exit.text, AllOf(HasSubstr(GetParam().setting),
                               HasSubstr(GetParam().allowed)));
}

INSTANTIATE_TEST_SUITE_P(
    Flags, WrongValueTest,
    ::testing::Values(
        WrongValue{"--grpc_address=nowhere", "--grpc-address",
                   "is not HOST:PORT"},
        WrongValue{"--lease=never", "--lease", "a duration from 1s to"},
        WrongValue{"--lease=0", "--lease", "a duration from 1s to"},
        WrongValue{"--lease=100000h", "--lease", "596h31m23.647s"},
        WrongValue{"--max_calls=0", "--max-calls",
                   "not a whole number from 1 to 1000000"},
        WrongValue{"--max_calls=many", "--max-calls",
                   "not a whole number from 1 to 1000000"},
        WrongValue{"--log_level=loud", "--log-level",
                   "is none of trace, debug, info, warn, error, off"},
        WrongValue{"--cluster_management=maybe", "--cluster-management",
                   "is none of on, off"},
        WrongValue{"--server_type=9x", "--server-type", "must match"},
        WrongValue{"--no_such_flag", "--no_such_flag", "--help"}));

TEST(CommandLine, AWrongEnvironmentValueNamesItsSetting) {
  const ScopedEnvironment environment("REQUEST_TIMEOUT", "soon");
  const EarlyExit exit = ParseExit({});
  EXPECT_EQ(exit.exit_code, 2);
  EXPECT_THAT(exit.text,
              AllOf(HasSubstr("--request-timeout (REQUEST_TIMEOUT): "),
                    HasSubstr("`soon` is not a duration")));
}

struct Setting {
  std::string flag;
  std::string environment;
};

// As the help lists them.
std::vector<Setting> AllSettings() {
  static const std::regex line("\n  (--[^ ,]+) .*\\(Env:([A-Z0-9_]+)\\)");
  const std::string help = ParseExit({"--help"}).text;
  std::vector<Setting> settings;
  for (std::sregex_iterator it(help.begin(), help.end(), line), end; it != end;
       ++it) {
    settings.push_back({(*it)[1], (*it)[2]});
  }
  return settings;
}

// Why `arguments` are refused; empty if they are not.
std::string RefusalOf(std::vector<const char*> arguments) {
  const auto parsed = Parse(std::move(arguments));
  const auto* exit = std::get_if<EarlyExit>(&parsed);
  return exit == nullptr ? "" : exit->text;
}

TEST(CommandLine, EverySettingIsInTheHelpWithItsVariable) {
  const std::string help = ParseExit({"--help"}).text;
  const std::vector<Setting> settings = AllSettings();
  EXPECT_GE(settings.size(), 60u);
  std::size_t options = 0;
  for (std::size_t at = 0; (at = help.find("\n  --", at)) != help.npos; ++at) {
    ++options;
  }
  EXPECT_EQ(options, settings.size() + 1) << "and --version";
}

TEST(CommandLine, EverySettingIsTakenWithDashesAndWithUnderscores) {
  for (const Setting& setting : AllSettings()) {
    EXPECT_THAT(setting.flag, MatchesRegex("--[a-z0-9]+(-[a-z0-9]+)*"));
    std::string older = setting.flag;
    std::replace(older.begin() + 2, older.end(), '-', '_');
    const std::string now = setting.flag + "=\x01";
    const std::string then = older + "=\x01";
    const std::string refusal = RefusalOf({now.c_str()});
    EXPECT_THAT(refusal, Not(HasSubstr("not expected")));
    // The same but for the name.
    EXPECT_EQ(std::regex_replace(RefusalOf({then.c_str()}), std::regex(older),
                                 setting.flag),
              refusal);
  }
}

TEST(CommandLine, EveryVariableIsOursOrTheReferences) {
  for (const Setting& setting : AllSettings()) {
    std::string name = setting.flag.substr(2);
    std::replace(name.begin(), name.end(), '-', '_');
    std::transform(name.begin(), name.end(), name.begin(), ::toupper);
    EXPECT_THAT(setting.environment, AnyOf("CLUSTERD_" + name, name));
    // Names that Kubernetes makes of those of services; SERVER_PORT is known
    // by its value.
    if (setting.environment == "SERVER_PORT") continue;
    EXPECT_THAT(setting.environment,
                Not(ContainsRegex("_PORT(_[0-9].*)?$|_SERVICE_(HOST|PORT)")));
  }
}

TEST(CommandLine, NoSettingTakesWhatFollowsAnEmptyValue) {
  for (const Setting& setting : AllSettings()) {
    const std::string equals = setting.flag + "=";
    const std::string refusal = RefusalOf({equals.c_str(), "--no-such-flag"});
    EXPECT_THAT(refusal, AnyOf(HasSubstr("not expected: --no-such-flag"),
                               HasSubstr(setting.flag + " (")));
    EXPECT_EQ(RefusalOf({setting.flag.c_str(), "", "--no-such-flag"}), refusal);
    EXPECT_THAT(
        RefusalOf({setting.flag.c_str(), "--no-such-flag"}),
        AllOf(HasSubstr("clusterd: " + setting.flag + ": needs a value: "),
              HasSubstr("`--no-such-flag` looks like a flag")));
    const ScopedEnvironment unset(setting.environment, "");
    EXPECT_EQ(RefusalOf({}), "") << setting.environment;
  }
}

TEST(CommandLine, AValueIsThereAndLooksLikeAFlagOnlyAfterEquals) {
  EXPECT_THAT(ParseExit({"--data-dir"}).text,
              HasSubstr("clusterd: --data-dir: needs a value: PATH\n"));
  EXPECT_THAT(ParseExit({"--data_dir", "-h"}).text,
              HasSubstr("clusterd: --data_dir: needs a value: PATH; `-h` looks "
                        "like a flag, and is taken as a value after = only"));
  EXPECT_EQ(ParseOk({"--data-dir=--odd"}).data_dir, "--odd");
  EXPECT_THAT(ParseExit({"--max-calls", "-1"}).text,
              HasSubstr("`-1` is not a whole number from 1"));
}

TEST(CommandLine, AnEmptyDataDirIsNone) {
  const ScopedEnvironment environment("CLUSTERD_DATA_DIR", "/var/lib/clusterd");
  EXPECT_EQ(ParseOk({}).data_dir, "/var/lib/clusterd");
  const Config config = ParseOk({"--data-dir=", "--http-address=127.0.0.1:0"});
  EXPECT_EQ(config.data_dir, "");
  EXPECT_EQ(config.http_address, "127.0.0.1:0");
}

TEST(CommandLine, KubernetesServicesOfAnyNameDoNoHarm) {
  const ScopedEnvironment type("SERVER_TYPE", "mTest");
  for (const char* service : {"SERVER", "CLUSTERD", "MIT", "MST", "OAUTH"}) {
    const std::string name = service;
    const ScopedEnvironment links[] = {
        {name + "_SERVICE_HOST", "10.43.0.17"},
        {name + "_SERVICE_PORT", "8080"},
        {name + "_SERVICE_PORT_HTTP", "8080"},
        {name + "_PORT", "tcp://10.43.0.17:8080"},
        {name + "_PORT_8080_TCP", "tcp://10.43.0.17:8080"},
        {name + "_PORT_8080_TCP_PROTO", "tcp"},
        {name + "_PORT_8080_TCP_PORT", "8080"},
        {name + "_PORT_8080_TCP_ADDR", "10.43.0.17"}};
    const Config config = ParseOk({});
    EXPECT_FALSE(config.own_server.has_value());
    EXPECT_EQ(config.service_links.size(), name == "SERVER" ? 1u : 0u);
  }
}

TEST(CommandLine, AServiceLinkIsKnownByItsProtocolAndTold) {
  for (const char* value :
       {"tcp://10.43.0.17:8080", "udp://[fd00::1]:53", "sctp://10.0.0.1:9"}) {
    const ScopedEnvironment port("SERVER_PORT", value);
    const std::vector<ServiceLink> links = ParseOk({}).service_links;
    ASSERT_EQ(links.size(), 1u) << value;
    EXPECT_EQ(links[0].variable, "SERVER_PORT");
    EXPECT_EQ(links[0].value, value);
    EXPECT_EQ(links[0].flag, "--server-port");
  }
  const ScopedEnvironment port("SERVER_PORT", "http://10.0.0.1:9");
  EXPECT_THAT(ParseExit({}).text,
              HasSubstr("--server-port (SERVER_PORT): `http://10.0.0.1:9` is "
                        "not a whole number from 1 to 65535"));
}

TEST(CommandLine, HelpIsGroupedAndShowsDefaultsAndEnvironment) {
  const EarlyExit exit = ParseExit({"--help"});
  EXPECT_EQ(exit.exit_code, 0);
  EXPECT_THAT(exit.text,
              AllOf(HasSubstr("Listeners:"), HasSubstr("Fan-out:"),
                    HasSubstr("127.0.0.1:7700"), HasSubstr("REQUEST_TIMEOUT")));
}

TEST(CommandLine, VersionIsPrinted) {
  const EarlyExit exit = ParseExit({"--version"});
  EXPECT_EQ(exit.exit_code, 0);
  EXPECT_THAT(exit.text, HasSubstr("clusterd 0."));
}

}  // namespace
}  // namespace coord
