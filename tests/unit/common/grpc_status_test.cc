#include "common/grpc_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

google::rpc::Status Details(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

template <typename T>
T Detail(const grpc::Status& status) {
  T found;
  const google::rpc::Status details = Details(status);
  for (const auto& any : details.details()) {
    if (any.UnpackTo(&found)) return found;
  }
  ADD_FAILURE() << "no " << T::descriptor()->full_name();
  return found;
}

TEST(ToGrpcStatusTest, OkIsOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(ToGrpcStatusTest, CarriesErrorInfo) {
  const grpc::Status status = ToGrpcStatus(MakeError(
      Reason::kEtagMismatch, "evict mTest/a: it is newer", {{"etag", "v2"}}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "evict mTest/a: it is newer");
  EXPECT_EQ(Details(status).code(), 10);
  EXPECT_EQ(Details(status).message(), status.error_message());
  EXPECT_THAT(Details(status).details(), SizeIs(1));
  const auto info = Detail<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info.reason(), "ETAG_MISMATCH");
  EXPECT_EQ(info.domain(), "cluster.mimik");
  EXPECT_EQ(info.metadata().at("etag"), "v2");
}

TEST(ToGrpcStatusTest, EveryReasonArrivesWithItsCode) {
  for (int i = 0; i <= static_cast<int>(Reason::kInternal); ++i) {
    const auto reason = static_cast<Reason>(i);
    const grpc::Status status = ToGrpcStatus(MakeError(reason, "x"));
    EXPECT_EQ(static_cast<int>(status.error_code()),
              static_cast<int>(CodeOf(reason)));
    EXPECT_TRUE(HasReason(FromGrpcStatus(status), reason));
  }
}

TEST(ToGrpcStatusTest, CarriesFieldViolations) {
  const grpc::Status status =
      ToGrpcStatus(InvalidFields({{"b", "one"}, {"a", "two"}}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Detail<google::rpc::ErrorInfo>(status).reason(), "INVALID_FIELD");
  const auto request = Detail<google::rpc::BadRequest>(status);
  ASSERT_EQ(request.field_violations_size(), 2);
  EXPECT_EQ(request.field_violations(0).field(), "b");
  EXPECT_EQ(request.field_violations(1).description(), "two");
}

TEST(ToGrpcStatusTest, CarriesRetryInfo) {
  const grpc::Status status = ToGrpcStatus(WithRetryAfter(
      MakeError(Reason::kDraining, "x"), absl::Milliseconds(1500)));
  const auto retry = Detail<google::rpc::RetryInfo>(status);
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

TEST(ToGrpcStatusTest, CodeWithoutReasonStaysIfACallerCanActOnIt) {
  const grpc::Status status = ToGrpcStatus(absl::NotFoundError("x"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Detail<google::rpc::ErrorInfo>(status).reason(), "NOT_FOUND");
}

TEST(ToGrpcStatusTest, AnythingElseIsInternal) {
  for (const absl::Status& odd :
       {absl::UnknownError("x"), absl::DataLossError("x"),
        absl::InternalError("x"),
        absl::Status(static_cast<absl::StatusCode>(99), "x")}) {
    const grpc::Status status = ToGrpcStatus(odd);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
    EXPECT_EQ(Detail<google::rpc::ErrorInfo>(status).reason(), "INTERNAL");
  }
}

TEST(ToGrpcStatusTest, InvalidUtf8DestroysNothing) {
  const grpc::Status status =
      ToGrpcStatus(MakeError(Reason::kInternal, "a\xFF", {{"k\xFE", "v\xC3"}}));
  EXPECT_EQ(status.error_message(), "a%FF");
  EXPECT_EQ(Detail<google::rpc::ErrorInfo>(status).metadata().at("k%FE"),
            "v%C3");
  const grpc::Status fields = ToGrpcStatus(InvalidField("f\xFF", "d\xFF"));
  EXPECT_EQ(
      Detail<google::rpc::BadRequest>(fields).field_violations(0).description(),
      "d%FF");
}

TEST(ToGrpcStatusTest, LongTextsAreCutBetweenCharacters) {
  std::string message = "a";
  while (message.size() < 5'000) message += "ü";
  const grpc::Status status =
      ToGrpcStatus(MakeError(Reason::kInternal, message, {{"k", message}}));
  EXPECT_LE(status.error_message().size(), 1024u);
  EXPECT_GE(status.error_message().size(), 1020u);
  EXPECT_THAT(status.error_message(), EndsWith("ü..."));
  EXPECT_TRUE(IsValidUtf8(status.error_message()));
  const auto info = Detail<google::rpc::ErrorInfo>(status);
  EXPECT_LE(info.metadata().at("k").size(), 512u);
}

// grpc-message as gRPC encodes it, and the details in base64.
std::size_t TrailerSize(const grpc::Status& status) {
  std::size_t size = status.error_details().size() * 4 / 3;
  for (const char c : status.error_message()) {
    size += c >= 0x20 && c < 0x7F && c != '%' ? 1 : 3;
  }
  return size;
}

TEST(ToGrpcStatusTest, TrailersStaySmallWhateverThereIsToTell) {
  std::vector<FieldViolation> violations;
  ErrorMetadata metadata;
  for (int i = 0; i < 1'000; ++i) {
    violations.push_back({absl::StrCat("f", i), std::string(i, '\xFF')});
    metadata.push_back({absl::StrCat("k", i), std::string(i, '\xFF')});
  }
  absl::Status status = InvalidFields(violations);
  ErrorDetail detail = DetailOf(status);
  EXPECT_LT(TrailerSize(ToGrpcStatus(status)), 8'000u);
  EXPECT_GT(Detail<google::rpc::BadRequest>(ToGrpcStatus(status))
                .field_violations_size(),
            10);
  detail.metadata = metadata;
  detail.retry_after = absl::Seconds(1);
  status = WithDetail(status, detail);
  EXPECT_LT(TrailerSize(ToGrpcStatus(status)), 8'000u);
  EXPECT_EQ(DetailOf(FromGrpcStatus(ToGrpcStatus(status))).retry_after,
            absl::Seconds(1));
}

TEST(FromGrpcStatusTest, EverythingComesBack) {
  absl::Status sent = InvalidFields({{"b", "one"}, {"a", "two"}});
  ErrorDetail detail = DetailOf(sent);
  detail.metadata = {{"a", "1"}, {"b", "2"}};
  detail.retry_after = absl::Milliseconds(2'250);
  sent = WithDetail(sent, detail);
  EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(sent)), sent);
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
}

TEST(FromGrpcStatusTest, MetadataComesBackByKey) {
  const absl::Status status = FromGrpcStatus(ToGrpcStatus(
      MakeError(Reason::kInternal, "x", {{"b", "2"}, {"a", "1"}})));
  EXPECT_THAT(DetailOf(status).metadata,
              ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST(FromGrpcStatusTest, StatusOfGrpcItselfKeepsCodeAndText) {
  const absl::Status status = FromGrpcStatus(
      {grpc::StatusCode::UNAVAILABLE, "connect failed", "\xFFno proto"});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "connect failed");
  EXPECT_EQ(DetailOf(status).reason, std::nullopt);
}

TEST(FromGrpcStatusTest, ErrorInfoOfAnotherDomainIsNotOurs) {
  google::rpc::ErrorInfo info;
  info.set_reason("LEASE_EXPIRED");
  info.set_domain("other.example");
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  const absl::Status status = FromGrpcStatus(
      {grpc::StatusCode::NOT_FOUND, "x", details.SerializeAsString()});
  EXPECT_EQ(DetailOf(status).reason, std::nullopt);
  EXPECT_THAT(DetailOf(status).metadata, IsEmpty());
}

}  // namespace
}  // namespace coord
