#include "common/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ErrorTest, EveryReasonHasAnUpperSnakeNameOfItsOwn) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Reason::kInternal); ++i) {
    const auto reason = static_cast<Reason>(i);
    const std::string_view name = ReasonName(reason);
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), name.npos)
        << name;
    EXPECT_EQ(ReasonFromName(name), reason);
    EXPECT_NE(CodeOf(reason), absl::StatusCode::kOk);
    EXPECT_NE(CodeOf(reason), absl::StatusCode::kUnknown);
  }
}

TEST(ErrorTest, ForeignNameIsNoReason) {
  EXPECT_EQ(ReasonFromName("NO_SUCH_REASON"), std::nullopt);
  EXPECT_EQ(ReasonFromName(""), std::nullopt);
}

TEST(ErrorTest, ReasonDecidesTheCode) {
  const absl::Status status =
      MakeError(Reason::kLeaseExpired, "keep alive: the lease ran out");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "keep alive: the lease ran out");
  EXPECT_TRUE(HasReason(status, Reason::kLeaseExpired));
  EXPECT_FALSE(HasReason(status, Reason::kClusterNotFound));
}

TEST(ErrorTest, MetadataComesBackInOrderWhateverItHolds) {
  const ErrorMetadata metadata = {{"z", "last first"},
                                  {"", ""},
                                  {"a", "3:x\n12:"},
                                  {"z", std::string("\0again", 6)}};
  EXPECT_EQ(DetailOf(MakeError(Reason::kInternal, "x", metadata)).metadata,
            metadata);
}

TEST(ErrorTest, StatusesMadeElsewhereHaveNoDetail) {
  for (const absl::Status& status :
       {absl::OkStatus(), absl::NotFoundError("x")}) {
    const ErrorDetail detail = DetailOf(status);
    EXPECT_EQ(detail.reason, std::nullopt);
    EXPECT_THAT(detail.metadata, IsEmpty());
    EXPECT_THAT(detail.violations, IsEmpty());
    EXPECT_EQ(detail.retry_after, std::nullopt);
    EXPECT_FALSE(HasReason(status, Reason::kClusterNotFound));
  }
}

TEST(ErrorTest, InvalidFieldNamesTheField) {
  const absl::Status status = InvalidField("server.type", "must not be empty");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "server.type: must not be empty");
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField));
  const ErrorDetail detail = DetailOf(status);
  ASSERT_EQ(detail.violations.size(), 1u);
  EXPECT_EQ(detail.violations[0].field, "server.type");
  EXPECT_EQ(detail.violations[0].description, "must not be empty");
}

TEST(ErrorTest, InvalidFieldsKeepTheirOrder) {
  const absl::Status status = InvalidFields({{"b", "one"}, {"a", "two"}});
  EXPECT_EQ(status.message(), "b: one; a: two");
  const ErrorDetail detail = DetailOf(status);
  ASSERT_EQ(detail.violations.size(), 2u);
  EXPECT_EQ(detail.violations[0].field, "b");
  EXPECT_EQ(detail.violations[1].field, "a");
}

TEST(ErrorTest, NoInvalidFieldsIsOk) { EXPECT_TRUE(InvalidFields({}).ok()); }

TEST(ErrorTest, RetryAfterIsAddedToWhatIsThere) {
  const absl::Status status =
      WithRetryAfter(MakeError(Reason::kStoreUnavailable, "x", {{"k", "v"}}),
                     absl::Milliseconds(1500));
  EXPECT_TRUE(HasReason(status, Reason::kStoreUnavailable));
  EXPECT_EQ(DetailOf(status).retry_after, absl::Milliseconds(1500));
  EXPECT_THAT(DetailOf(status).metadata, ElementsAre(Pair("k", "v")));
}

TEST(ErrorTest, RetryAfterOfOkIsOk) {
  EXPECT_EQ(WithRetryAfter(absl::OkStatus(), absl::Seconds(1)),
            absl::OkStatus());
}

TEST(ErrorTest, AnnotateKeepsCodeAndDetails) {
  const absl::Status status = WithRetryAfter(
      MakeError(Reason::kAuthorityUnavailable, "answered 503", {{"k", "v"}}),
      absl::Seconds(3));
  const absl::Status annotated = Annotate(status, "register mTest/node-1");
  EXPECT_EQ(annotated.message(), "register mTest/node-1: answered 503");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(HasReason(annotated, Reason::kAuthorityUnavailable));
  EXPECT_EQ(DetailOf(annotated).retry_after, absl::Seconds(3));
  EXPECT_THAT(DetailOf(annotated).metadata, ElementsAre(Pair("k", "v")));
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
}

TEST(ErrorTest, WithDetailReplacesWhatWasThere) {
  absl::Status status = WithRetryAfter(
      MakeError(Reason::kDraining, "x", {{"k", "v"}}), absl::Seconds(1));
  status = WithDetail(status, {.reason = Reason::kStoreUnavailable});
  EXPECT_TRUE(HasReason(status, Reason::kStoreUnavailable));
  EXPECT_THAT(DetailOf(status).metadata, IsEmpty());
  EXPECT_EQ(DetailOf(status).retry_after, std::nullopt);
}

}  // namespace
}  // namespace coord
