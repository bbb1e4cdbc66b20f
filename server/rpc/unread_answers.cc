#include "server/rpc/unread_answers.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "spdlog/spdlog.h"

namespace coord {
namespace {

constexpr std::size_t kBytesPerPatience = 4 << 20;
constexpr absl::Duration kHurriedPatience = absl::Seconds(2);
constexpr absl::Duration kRetryAfter = absl::Seconds(1);
constexpr absl::Duration kLeastLookInterval = absl::Milliseconds(10);
constexpr absl::Duration kMostLookInterval = absl::Seconds(1);

absl::Status LimitMet(std::size_t limit) {
  return WithRetryAfter(
      MakeError(Reason::kTooManyUnreadBytes,
                absl::StrCat("call: answers that their callers have not read "
                             "are at their limit of ",
                             limit, " bytes (--max-unread-bytes)"),
                {{"limit", absl::StrCat(limit)}}),
      kRetryAfter);
}

absl::Duration LookInterval(absl::Duration patience) {
  return std::clamp(patience / 4, kLeastLookInterval, kMostLookInterval);
}

}  // namespace

UnreadAnswers::UnreadAnswers(EventLoop& loop, UnreadAnswersOptions options,
                             UnreadObserver& observer)
    : loop_(loop),
      options_(options),
      observer_(observer),
      refusal_(LimitMet(options.max_bytes)) {
  loop_.Post([this] { Look(); });
}

absl::Status UnreadAnswers::CheckRoom() const {
  if (bytes() < options_.max_bytes) return absl::OkStatus();
  observer_.OnRefusedForUnread();
  return refusal_;
}

absl::Duration UnreadAnswers::PatienceWith(std::size_t bytes) const {
  const absl::Duration patience =
      options_.patience * static_cast<double>(1 + bytes / kBytesPerPatience);
  return this->bytes() < options_.max_bytes
             ? patience
             : std::min(patience, kHurriedPatience);
}

void UnreadAnswers::Look() {
  const absl::Time now = loop_.Now();
  std::vector<std::pair<std::string, std::size_t>> given_up;
  {
    absl::MutexLock lock(&mutex_);
    for (Caller* caller : callers_) {
      const std::size_t bytes = caller->bytes_.load();
      const absl::Time since = absl::FromUnixNanos(caller->since_.load());
      if (bytes == 0 || caller->given_up_ ||
          now - since < PatienceWith(bytes)) {
        continue;
      }
      caller->given_up_ = true;
      given_up.emplace_back(caller->context_.peer(), bytes);
      // The mutex keeps the context. gRPC tells the reactor of it later, on a
      // thread of its own.
      caller->context_.TryCancel();
    }
  }
  for (const auto& [peer, bytes] : given_up) {
    observer_.OnUnreadGivenUp();
    spdlog::warn("cancel answer: its caller does not read{}",
                 Fields({{"peer", peer}, {"bytes", absl::StrCat(bytes)}}));
  }
  loop_.RunAfter(LookInterval(options_.patience), [this] { Look(); });
}

UnreadAnswers::Caller::Caller(UnreadAnswers& all,
                              grpc::CallbackServerContext& context)
    : all_(all), context_(context) {
  absl::MutexLock lock(&all_.mutex_);
  all_.callers_.insert(this);
}

std::int64_t UnreadAnswers::Caller::Now() const {
  return absl::ToUnixNanos(all_.loop_.Now());
}

void UnreadAnswers::Caller::Add(std::size_t bytes) {
  if (bytes_.load() == 0) since_ = Now();
  bytes_ += bytes;
  all_.bytes_ += bytes;
}

void UnreadAnswers::Caller::Take(std::size_t bytes) {
  since_ = Now();
  bytes_ -= bytes;
  all_.bytes_ -= bytes;
}

void UnreadAnswers::Caller::End() {
  if (std::exchange(ended_, true)) return;
  absl::MutexLock lock(&all_.mutex_);
  all_.callers_.erase(this);
  all_.bytes_ -= bytes_.exchange(0);
}

}  // namespace coord
