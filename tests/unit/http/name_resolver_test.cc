// Lookups, by a real server of the DNS.
#include "server/http/name_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/dns_server.h"
#include "tests/support/scoped_environment.h"
#include "tests/support/temp_dir.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const NameAnswer& answer) {
  std::vector<std::string> texts;
  for (const auto& address : answer.addresses) {
    texts.push_back(address.to_string());
  }
  return texts;
}

// What one caller is told, answer by answer.
class Told {
 public:
  NameResolver::OnAnswer Listener() {
    return [this](const NameAnswer& answer) {
      absl::MutexLock lock(&mutex_);
      answers_.push_back(answer);
    };
  }
  NameAnswer WaitForLast() {
    std::size_t number = 0;
    while (!Wait(number).last) ++number;
    return Wait(number);
  }
  // Waits for the answer with this number.
  NameAnswer Wait(std::size_t number) {
    absl::MutexLock lock(&mutex_);
    auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return answers_.size() > number;
    };
    mutex_.Await(absl::Condition(&there));
    return answers_[number];
  }
  std::size_t size() {
    absl::MutexLock lock(&mutex_);
    return answers_.size();
  }

 private:
  absl::Mutex mutex_;
  std::vector<NameAnswer> answers_ ABSL_GUARDED_BY(mutex_);
};

class NameResolverTest : public ::testing::Test {
 protected:
  ~NameResolverTest() override {
    if (resolver_) resolver_->Stop();
  }

  // Made with `options_` by the first call.
  NameResolver& resolver() {
    if (!resolver_) {
      options_.servers = dns_.address();
      resolver_ = *NameResolver::Create(options_);
    }
    return *resolver_;
  }

  // The last answer.
  NameAnswer Resolve(const std::string& name) {
    Told told;
    resolver().Resolve(name, told.Listener());
    return told.WaitForLast();
  }

  // Answers are old as soon as they come.
  void ForgetAtOnce() {
    options_.cache.min_ttl = absl::ZeroDuration();
    options_.cache.max_ttl = absl::ZeroDuration();
    options_.cache.failure_ttl = absl::ZeroDuration();
  }

  DnsServer dns_;
  NameResolverOptions options_;
  std::unique_ptr<NameResolver> resolver_;
};

TEST_F(NameResolverTest, BothFamiliesTakeTurns) {
  dns_.Set("a.test", {.addresses = {"10.0.0.1", "10.0.0.2", "fd00::1"}});
  const NameAnswer answer = Resolve("a.test");
  EXPECT_TRUE(answer.status.ok());
  EXPECT_THAT(Texts(answer),
              testing::AnyOf(ElementsAre("fd00::1", "10.0.0.1", "10.0.0.2"),
                             ElementsAre("fd00::1", "10.0.0.2", "10.0.0.1")));
}

TEST_F(NameResolverTest, AnAnswerIsKept) {
  dns_.Set("a.test", {.addresses = {"10.0.0.1"}});
  Resolve("a.test");
  EXPECT_THAT(Texts(Resolve("a.test")), ElementsAre("10.0.0.1"));
  EXPECT_EQ(dns_.asked("a.test"), 1);
}

TEST_F(NameResolverTest, AnAliasIsFollowed) {
  dns_.Set("alias.test", {.alias_of = "a.test"});
  dns_.Set("a.test", {.addresses = {"10.0.0.1"}});
  EXPECT_THAT(Texts(Resolve("alias.test")), ElementsAre("10.0.0.1"));
}

TEST_F(NameResolverTest, BothFamiliesAreOfTheFirstNameInTheSearchList) {
  const ScopedEnvironment search("LOCALDOMAIN", "one.test two.test");
  dns_.Set("a.one.test", {.addresses = {"10.0.0.1"}});
  dns_.Set("a.two.test", {.addresses = {"10.0.0.2", "fd00::2"}});
  dns_.Set("b.two.test", {.addresses = {"10.0.0.2"}});
  EXPECT_THAT(Texts(Resolve("a")), ElementsAre("10.0.0.1"));
  EXPECT_THAT(Texts(Resolve("b")), ElementsAre("10.0.0.2"));
  EXPECT_EQ(Resolve("c").status, absl::NotFoundError("no such name"));
  EXPECT_EQ(dns_.asked("c"), 1);
  EXPECT_EQ(Resolve("a.").status, absl::NotFoundError("no such name"));
  // One with a dot is asked for as it is first.
  dns_.Set("a.b", {.addresses = {"10.0.0.3"}});
  EXPECT_THAT(Texts(Resolve("a.b")), ElementsAre("10.0.0.3"));
}

TEST_F(NameResolverTest, HostsFileIsReadAndNobodyIsAsked) {
  const TempDir dir;
  std::ofstream(dir / "hosts") << "10.0.0.7 near.test\n";
  const ScopedEnvironment hosts("CARES_HOSTS", dir / "hosts");
  EXPECT_THAT(Texts(Resolve("near.test")), ElementsAre("10.0.0.7"));
  EXPECT_EQ(dns_.asked(), 0);
}

// As curl has it, whatever the hosts file says.
TEST_F(NameResolverTest, LocalhostIsBothLoopbackAddresses) {
  for (const char* name : {"localhost", "LocalHost", "a.localhost"}) {
    EXPECT_THAT(Texts(Resolve(name)), ElementsAre("::1", "127.0.0.1"));
  }
  EXPECT_THAT(Texts(Resolve("notlocalhost")), IsEmpty());
  EXPECT_EQ(dns_.asked("localhost"), 0);
}

TEST_F(NameResolverTest, ANameThatDoesNotExistIsNotFound) {
  const NameAnswer answer = Resolve("nobody.test");
  EXPECT_EQ(answer.status, absl::NotFoundError("no such name"));
  EXPECT_THAT(answer.addresses, IsEmpty());
  Resolve("nobody.test");
  EXPECT_EQ(dns_.asked("nobody.test"), 1);
}

TEST_F(NameResolverTest, ANameWithoutAnAddressIsNotFound) {
  dns_.Set("empty.test", {});
  EXPECT_EQ(Resolve("empty.test").status,
            absl::NotFoundError("the name has no address"));
}

TEST_F(NameResolverTest, AServerThatFailsIsUnavailable) {
  dns_.Set("a.test", {.rcode = 2});
  const NameAnswer answer = Resolve("a.test");
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(answer.status.message()),
            "no good answer from the DNS");
}

TEST_F(NameResolverTest, OneLookupServesAllWhoAsk) {
  dns_.Set("a.test", {.addresses = {"10.0.0.1"}});
  constexpr int kCallers = 100;
  std::vector<Told> told(kCallers);
  for (Told& each : told) resolver().Resolve("a.test", each.Listener());
  for (Told& each : told) {
    EXPECT_THAT(Texts(each.Wait(0)), ElementsAre("10.0.0.1"));
  }
  EXPECT_EQ(dns_.asked("a.test"), 1);
}

TEST_F(NameResolverTest, SilenceForManyNamesHoldsUpNoOther) {
  dns_.Silence("slow.test");
  dns_.Set("ok.test", {.addresses = {"10.0.0.1"}});
  std::vector<Told> told(200);
  for (std::size_t i = 0; i < told.size(); ++i) {
    resolver().Resolve(absl::StrCat("n", i, ".slow.test"), told[i].Listener());
  }
  dns_.WaitForAsked("n199.slow.test", 1);
  EXPECT_THAT(Texts(Resolve("ok.test")), ElementsAre("10.0.0.1"));
  for (Told& each : told) EXPECT_EQ(each.size(), 0u);
}

TEST_F(NameResolverTest, MoreLookupsThanMayBeWaitTheirTurn) {
  options_.max_lookups = 1;
  for (const char* name : {"a.test", "b.test", "c.test"}) {
    dns_.Set(name, {.addresses = {"10.0.0.1"}});
  }
  Told a;
  Told b;
  Told c;
  resolver().Resolve("a.test", a.Listener());
  resolver().Resolve("b.test", b.Listener());
  resolver().Resolve("c.test", c.Listener());
  EXPECT_THAT(Texts(c.Wait(0)), ElementsAre("10.0.0.1"));
  EXPECT_EQ(a.size(), 1u);
  EXPECT_EQ(b.size(), 1u);
}

TEST_F(NameResolverTest, ANewAnswerComesBeforeTheOlderOne) {
  ForgetAtOnce();
  dns_.Set("a.test", {.addresses = {"10.0.0.1"}});
  Resolve("a.test");
  dns_.Set("a.test", {.addresses = {"10.0.0.2"}});
  const NameAnswer answer = Resolve("a.test");
  EXPECT_THAT(Texts(answer), ElementsAre("10.0.0.2"));
}

TEST_F(NameResolverTest, AnOlderAnswerServesWhileTheDnsIsSilent) {
  ForgetAtOnce();
  dns_.Set("a.test", {.addresses = {"10.0.0.1"}});
  Resolve("a.test");
  dns_.Silence("a.test");
  Told told;
  resolver().Resolve("a.test", told.Listener());
  const NameAnswer early = told.Wait(0);
  EXPECT_THAT(Texts(early), ElementsAre("10.0.0.1"));
  EXPECT_FALSE(early.last);
  EXPECT_EQ(early.status,
            absl::UnavailableError("no newer answer from the DNS yet"));
  // The one that is asked again hears of the new address.
  dns_.Set("a.test", {.addresses = {"10.0.0.2"}});
  dns_.Silence("a.test", false);
  const NameAnswer late = told.WaitForLast();
  EXPECT_TRUE(late.status.ok());
  EXPECT_THAT(Texts(late), ElementsAre("10.0.0.2"));
}

TEST_F(NameResolverTest, AnOlderAnswerServesWhenTheLookupFails) {
  ForgetAtOnce();
  options_.cache.failure_ttl = absl::Hours(1);
  dns_.Set("a.test", {.addresses = {"10.0.0.1"}});
  Resolve("a.test");
  dns_.Set("a.test", {.rcode = 2});
  for (int i = 0; i < 2; ++i) {
    const NameAnswer answer = Resolve("a.test");
    EXPECT_THAT(Texts(answer), ElementsAre("10.0.0.1"));
    EXPECT_EQ(std::string(answer.status.message()),
              "no good answer from the DNS");
  }
}

TEST_F(NameResolverTest, SilenceForOneFamilyHoldsTheOtherUpForAMoment) {
  dns_.Set("a.test", {.addresses = {"10.0.0.1"}, .silent_for_v6 = true});
  Told told;
  resolver().Resolve("a.test", told.Listener());
  const NameAnswer early = told.Wait(0);
  EXPECT_FALSE(early.last);
  EXPECT_TRUE(early.status.ok());
  EXPECT_THAT(Texts(early), ElementsAre("10.0.0.1"));
}

TEST_F(NameResolverTest, NothingIsToldOnceItIsStopped) {
  dns_.Silence("slow.test");
  Told told;
  resolver().Resolve("slow.test", told.Listener());
  dns_.WaitForAsked("slow.test", 1);
  resolver().Stop();
  resolver_.reset();
  EXPECT_EQ(told.size(), 0u);
}

TEST(NameResolver, ServersThatAreNoneAreAnInvalidArgument) {
  const auto resolver = NameResolver::Create({.servers = "not an address"});
  EXPECT_EQ(resolver.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(resolver.status().message()),
              testing::StartsWith("take `not an address` for DNS servers: "));
}

}  // namespace
}  // namespace coord
