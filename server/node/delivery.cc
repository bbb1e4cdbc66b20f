#include "server/node/delivery.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/registry/it_resource.h"

namespace coord {
namespace {

// Enough for the itResource that comes back from a join of a large cluster.
constexpr std::size_t kMaxAnswerBytes = 3 << 20;

}  // namespace

HttpHeaders NodeHeaders(std::string_view token, std::string_view correlation_id,
                        bool has_body) {
  HttpHeaders headers = {{"accept", "application/json"},
                         {"accept-encoding", "identity"},
                         {"x-correlation-id", std::string(correlation_id)}};
  if (has_body) headers.push_back({"content-type", "application/json"});
  if (!token.empty()) {
    headers.push_back({"authorization", "Bearer " + std::string(token)});
  }
  return headers;
}

std::shared_ptr<AnnouncementMessage> AnnouncementMessage::Join(
    const ClusterSnapshot& cluster, std::string_view about,
    std::string correlation_id) {
  std::shared_ptr<AnnouncementMessage> message(new AnnouncementMessage(
      cluster.identity, "POST", "/itResources", std::move(correlation_id)));
  message->list_.emplace(cluster, about);
  return message;
}

std::shared_ptr<AnnouncementMessage> AnnouncementMessage::Leave(
    const ClusterSnapshot& cluster, std::string_view about,
    std::string correlation_id) {
  return std::shared_ptr<AnnouncementMessage>(new AnnouncementMessage(
      cluster.identity, "DELETE",
      "/itResources/" + PercentEncode(cluster.identity.id) + "/servers/" +
          PercentEncode(about),
      std::move(correlation_id)));
}

AnnouncementMessage::~AnnouncementMessage() {
  if (counted_ != nullptr) *counted_ -= Bytes();
}

void AnnouncementMessage::CountIn(std::shared_ptr<std::size_t> bytes) {
  counted_ = std::move(bytes);
  *counted_ += Bytes();
}

std::string_view AnnouncementMessage::Body() const {
  return list_ ? std::string_view(list_->json()) : std::string_view();
}

// The tail repeats the body.
std::size_t AnnouncementMessage::Bytes() const { return 2 * Body().size(); }

HttpRequest AnnouncementMessage::RequestFor(const BaseUrl& url,
                                            const std::string& token,
                                            absl::Duration timeout) {
  if (tail_ == nullptr || token != tail_token_) {
    tail_ = SerializeTail(
        method_, NodeHeaders(token, correlation_id_, list_.has_value()),
        Body());
    tail_token_ = token;
  }
  HttpRequest request;
  request.origin = url.origin;
  request.method = method_;
  request.target = url.path + suffix_;
  request.tail = tail_;
  request.repeatable = true;
  request.max_body_bytes = kMaxAnswerBytes;
  request.connect_timeout = timeout;
  request.timeout = timeout;
  return request;
}

bool Delivery::IsReplacedBy(const AnnouncementMessage& newer) const {
  return message->cluster().id == newer.cluster().id &&
         std::all_of(tallies.begin(), tallies.end(), [&](const auto& tally) {
           return message->TellsOf(tally->about) && newer.TellsOf(tally->about);
         });
}

void AnnouncementTally::Expect() {
  ++outstanding;
  ++result.expected;
}

void AnnouncementTally::Add(const std::string& server_id,
                            const std::string& failure) {
  if (failure.empty()) {
    ++result.answered;
  } else {
    result.failed.push_back({server_id, failure});
  }
  Settle();
}

void AnnouncementTally::Settle() {
  if (--outstanding == 0) std::move(done)(std::move(result));
}

NodeApi ServedBy(const HttpResponse& response, std::string_view server_id) {
  const int status = response.status;
  if (status == 404 || status == 405 || status == 501) return NodeApi::kNo;
  if (status < 200 || status > 299) return NodeApi::kUnknown;
  const std::string named = AnsweringServerId(response.body);
  if (named.empty()) return NodeApi::kNo;
  return named == server_id ? NodeApi::kYes : NodeApi::kUnknown;
}

DeliveryVerdict JudgeDelivery(const HttpOutcome& outcome,
                              std::string_view server_id) {
  if (const auto* error = std::get_if<HttpError>(&outcome)) {
    // It was told, and would answer the same again.
    const bool again = error->kind != HttpError::Kind::kTooLarge;
    return {again ? DeliveryEnd::kAgain : DeliveryEnd::kFailed, error->message};
  }
  const auto& response = std::get<HttpResponse>(outcome);
  const int status = response.status;
  if (status == 403) return {DeliveryEnd::kTokenRefused, "answered 403"};
  if (status == 429 || status >= 500) {
    return {DeliveryEnd::kAgain, absl::StrCat("answered ", status)};
  }
  if (status < 200 || status > 299) {
    return {DeliveryEnd::kFailed, absl::StrCat("answered ", status)};
  }
  const std::string named = AnsweringServerId(response.body);
  if (named == server_id) return {DeliveryEnd::kAnswered, ""};
  return {DeliveryEnd::kFailed, named.empty()
                                    ? "the answer names no server"
                                    : "another server lives at this address"};
}

}  // namespace coord
