#include "server/near_limits.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "server/registry/file_descriptor.h"

namespace coord {
namespace {

TEST(NearLimitsTest, NamesThoseOfWhichFourFifthsAreUsed) {
  EXPECT_EQ(NearLimits({}), "");
  EXPECT_EQ(NearLimits({{"open files", 204, 256}}), "");
  EXPECT_EQ(NearLimits({{"open files", 205, 256}}), "open files 205 of 256");
  EXPECT_EQ(NearLimits({{"open files", 256, 256},
                        {"calls", 1, 10},
                        {"writes in the queue", 9, 10}}),
            "open files 256 of 256, writes in the queue 9 of 10");
}

TEST(NearLimitsTest, CountsOpenFiles) {
  const std::uint64_t before = CountOpenFiles();
  EXPECT_GE(before, 3u);
  const FileDescriptor file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(CountOpenFiles(), before + 1);
}

}  // namespace
}  // namespace coord
