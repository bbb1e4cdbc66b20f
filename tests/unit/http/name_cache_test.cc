#include "server/http/name_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace coord {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

Addresses Some(const std::string& address = "10.0.0.1") {
  return {boost::asio::ip::make_address(address)};
}

// What is known of `a` after so long.
NameCache::Known After(NameCache& cache, absl::Duration duration) {
  return cache.Find("a", kNow + duration);
}

TEST(NameCache, AskForWhatIsNotKnown) {
  NameCache cache;
  const NameCache::Known known = After(cache, absl::ZeroDuration());
  EXPECT_TRUE(known.ask);
  EXPECT_THAT(known.addresses, IsEmpty());
  EXPECT_EQ(cache.size(), 0u);
}

TEST(NameCache, AnAnswerHoldsForItsTtl) {
  NameCache cache;
  cache.Store("a", Some(), absl::Seconds(60), kNow);
  NameCache::Known known = After(cache, absl::Seconds(59));
  EXPECT_FALSE(known.ask);
  EXPECT_TRUE(known.status.ok());
  EXPECT_EQ(known.addresses, Some());
  known = After(cache, absl::Seconds(60));
  EXPECT_TRUE(known.ask);
  EXPECT_EQ(known.status,
            absl::UnavailableError("it is being looked up again"));
  EXPECT_EQ(known.addresses, Some());
}

TEST(NameCache, ATtlIsHeldWithinBounds) {
  NameCache cache;
  cache.Store("a", Some(), absl::ZeroDuration(), kNow);
  EXPECT_FALSE(After(cache, absl::Seconds(4.9)).ask);
  EXPECT_TRUE(After(cache, absl::Seconds(5)).ask);
  cache.Store("a", Some(), absl::Hours(24), kNow);
  EXPECT_FALSE(After(cache, absl::Seconds(299)).ask);
  EXPECT_TRUE(After(cache, absl::Minutes(5)).ask);
}

TEST(NameCache, AFailureKeepsWhatWasKnownForAnHour) {
  NameCache cache;
  cache.Store("a", Some(), absl::Seconds(60), kNow);
  cache.StoreFailure("a", absl::UnavailableError("no answer from the DNS"),
                     kNow + absl::Seconds(61));
  NameCache::Known known = After(cache, absl::Seconds(62.9));
  EXPECT_FALSE(known.ask);
  EXPECT_EQ(known.status, absl::UnavailableError("no answer from the DNS"));
  EXPECT_EQ(known.addresses, Some());
  known = After(cache, absl::Seconds(63));
  EXPECT_TRUE(known.ask);
  EXPECT_EQ(known.addresses, Some());
  EXPECT_EQ(After(cache, absl::Seconds(60 + 3599)).addresses, Some());
  EXPECT_THAT(After(cache, absl::Seconds(60 + 3600)).addresses, IsEmpty());
}

TEST(NameCache, ANameThatIsGoneIsForgotten) {
  NameCache cache;
  cache.Store("a", Some(), absl::Seconds(60), kNow);
  cache.StoreMissing("a", absl::NotFoundError("no such name"),
                     kNow + absl::Seconds(61));
  const NameCache::Known known = After(cache, absl::Seconds(62));
  EXPECT_FALSE(known.ask);
  EXPECT_EQ(known.status, absl::NotFoundError("no such name"));
  EXPECT_THAT(known.addresses, IsEmpty());
  EXPECT_TRUE(After(cache, absl::Seconds(63)).ask);
}

TEST(NameCache, ANewAnswerReplacesTheOlder) {
  NameCache cache;
  cache.Store("a", Some(), absl::Seconds(60), kNow);
  cache.StoreFailure("a", absl::UnavailableError("x"), kNow);
  cache.Store("a", Some("10.0.0.2"), absl::Seconds(60), kNow);
  const NameCache::Known known = After(cache, absl::ZeroDuration());
  EXPECT_TRUE(known.status.ok());
  EXPECT_EQ(known.addresses, Some("10.0.0.2"));
}

TEST(NameCache, TheNameGoesThatWasNotAskedForTheLongest) {
  NameCache cache({.max_names = 2});
  cache.Store("a", Some(), absl::Seconds(60), kNow);
  cache.Store("b", Some(), absl::Seconds(60), kNow);
  cache.Find("a", kNow);
  cache.StoreFailure("c", absl::UnavailableError("x"), kNow);
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_THAT(cache.Find("a", kNow).addresses, SizeIs(1));
  EXPECT_THAT(cache.Find("b", kNow).addresses, IsEmpty());
}

}  // namespace
}  // namespace coord
