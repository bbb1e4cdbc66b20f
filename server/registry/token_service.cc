#include "server/registry/token_service.h"

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "server/http/content_coding.h"
#include "server/registry/it_resource.h"
#include "server/registry/token_answer.h"

namespace coord {
namespace {

// The reference's tolerance.
constexpr absl::Duration kUnusedAtTheEnd = absl::Seconds(900);
// Customers are named by callers, so there could be any number of them.
constexpr std::size_t kMaxCached = 4096;
constexpr std::size_t kMaxAnswerBytes = 256 << 10;
// Calls may give up long before the token service does.
constexpr std::size_t kMaxWaiting = 16'384;

struct TokenKey {
  std::string client_id;
  std::string audience;
  bool cluster;
  std::string customer_name;

  friend bool operator==(const TokenKey&, const TokenKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const TokenKey& k) {
    return H::combine(std::move(h), k.client_id, k.audience, k.cluster,
                      k.customer_name);
  }
};

struct UsableToken {
  std::string text;
  absl::Time until = absl::InfinitePast();
};

UsableToken From(const IssuedToken& issued, absl::Time now) {
  return {issued.text, now + UsableLife(issued.expiry - now)};
}

bool IsSuccess(int status) { return status >= 200 && status < 300; }

bool IsRefusal(int status) {
  return status == 400 || status == 401 || status == 403;
}

bool IsTransient(int status) { return status == 429 || status >= 500; }

std::string CredentialsBody(const TokenKey& key,
                            const TypeCredentials& credentials) {
  std::string body = absl::StrCat(
      R"({"client_id":)", JsonString(key.client_id), R"(,"client_secret":)",
      JsonString(credentials.client_secret), R"(,"audience":)",
      JsonString(key.audience), R"(,"grant_type":"client_credentials")");
  if (key.cluster) body += R"(,"type":"cluster")";
  if (!key.customer_name.empty()) {
    absl::StrAppend(&body, R"(,"customer_name":)",
                    JsonString(key.customer_name));
  }
  return body + "}";
}

std::string RefreshBody(const std::string& refresh_token) {
  return absl::StrCat(R"({"refresh_token":)", JsonString(refresh_token),
                      R"(,"grant_type":"refresh_token"})");
}

}  // namespace

class TokenService::Impl
    : public std::enable_shared_from_this<TokenService::Impl> {
 public:
  Impl(EventLoop& loop, HttpTransport& transport, TokenServiceOptions options)
      : loop_(loop), transport_(transport), options_(std::move(options)) {}

  void Get(TokenRequest request, Done done);
  void Drop(const std::string& token);

 private:
  struct Tokens {
    UsableToken access;
    UsableToken refresh;
  };
  struct Fetch {
    std::string type;  // of whoever asked first
    const TypeCredentials* credentials = nullptr;
    std::string refresh_token;  // empty: by the client's credentials
    int attempt = 1;
    std::vector<Done> waiting;
  };

  std::optional<std::string> Cached(const TokenKey& key);
  std::string UsableRefreshToken(const TokenKey& key);
  void Store(const TokenKey& key, const TokenAnswer& answer);

  void Join(const TokenKey& key, const std::string& type,
            const TypeCredentials& credentials, Done done);
  void Send(const TokenKey& key);
  void OnOutcome(const TokenKey& key, HttpOutcome outcome);
  void OnAnswer(const TokenKey& key, Fetch& fetch,
                const HttpResponse& response);
  void TryAgain(const TokenKey& key, Fetch& fetch, const std::string& why);
  void Fail(const TokenKey& key, const Fetch& fetch, Reason reason,
            const std::string& why);
  void Finish(const TokenKey& key, const absl::StatusOr<std::string>& token);

  EventLoop& loop_;
  HttpTransport& transport_;
  const TokenServiceOptions options_;

  absl::Mutex mutex_;
  absl::flat_hash_map<TokenKey, Tokens> cache_ ABSL_GUARDED_BY(mutex_);

  // On the loop:
  absl::flat_hash_map<TokenKey, Fetch> fetches_;  // in flight
  std::size_t waiting_ = 0;                       // for all of them
};

void TokenService::Impl::Get(TokenRequest request, Done done) {
  if (!options_.on) {
    std::move(done)("");
    return;
  }
  const TypeCredentials* credentials = options_.credentials.Find(request.type);
  if (credentials == nullptr) {
    std::move(done)(MakeError(
        Reason::kAuthorityRejectedCredentials,
        absl::StrCat("get a token for ", request.type,
                     ": no credentials are configured for this type")));
    return;
  }
  TokenKey key{credentials->client_id,
               request.audience.empty() ? credentials->CallAudience()
                                        : std::move(request.audience),
               request.cluster, std::move(request.customer_name)};
  if (auto token = Cached(key)) {
    std::move(done)(*std::move(token));
    return;
  }
  loop_.Post([weak = weak_from_this(), key = std::move(key),
              type = std::move(request.type), credentials,
              done = std::move(done)]() mutable {
    auto self = weak.lock();
    if (self) self->Join(key, type, *credentials, std::move(done));
  });
}

void TokenService::Impl::Drop(const std::string& token) {
  absl::MutexLock lock(&mutex_);
  absl::erase_if(cache_, [&token](const auto& entry) {
    return entry.second.access.text == token;
  });
}

std::optional<std::string> TokenService::Impl::Cached(const TokenKey& key) {
  const absl::Time now = loop_.WallTime();
  absl::MutexLock lock(&mutex_);
  auto it = cache_.find(key);
  if (it == cache_.end() || it->second.access.until <= now) return std::nullopt;
  return it->second.access.text;
}

std::string TokenService::Impl::UsableRefreshToken(const TokenKey& key) {
  const absl::Time now = loop_.WallTime();
  absl::MutexLock lock(&mutex_);
  auto it = cache_.find(key);
  if (it == cache_.end() || it->second.refresh.until <= now) return "";
  return it->second.refresh.text;
}

void TokenService::Impl::Store(const TokenKey& key, const TokenAnswer& answer) {
  const absl::Time now = loop_.WallTime();
  Tokens tokens{From(answer.access, now), {}};
  if (answer.refresh) tokens.refresh = From(*answer.refresh, now);
  absl::MutexLock lock(&mutex_);
  if (cache_.size() >= kMaxCached && !cache_.contains(key)) {
    absl::erase_if(cache_, [now](const auto& entry) {
      return entry.second.access.until <= now;
    });
    if (cache_.size() >= kMaxCached) cache_.clear();
  }
  cache_.insert_or_assign(key, std::move(tokens));
}

void TokenService::Impl::Join(const TokenKey& key, const std::string& type,
                              const TypeCredentials& credentials, Done done) {
  // One that was being fetched may have come meanwhile.
  if (auto token = Cached(key)) {
    std::move(done)(*std::move(token));
    return;
  }
  if (waiting_ >= kMaxWaiting) {
    std::move(done)(MakeError(
        Reason::kAuthorityUnavailable,
        absl::StrCat("get a token for ", type, ": ", waiting_,
                     " calls wait for the token service, which is the limit")));
    return;
  }
  auto [it, is_new] = fetches_.try_emplace(key);
  Fetch& fetch = it->second;
  fetch.waiting.push_back(std::move(done));
  ++waiting_;
  if (!is_new) return;
  fetch.type = type;
  fetch.credentials = &credentials;
  fetch.refresh_token = UsableRefreshToken(key);
  Send(key);
}

void TokenService::Impl::Send(const TokenKey& key) {
  const Fetch& fetch = fetches_.at(key);
  HttpRequest request;
  request.origin = options_.origin;
  request.method = "POST";
  request.target = options_.path;
  request.tail = SerializeTail(request.method,
                               {{"accept", "application/json"},
                                {"accept-encoding", "identity"},
                                {"content-type", "application/json"}},
                               fetch.refresh_token.empty()
                                   ? CredentialsBody(key, *fetch.credentials)
                                   : RefreshBody(fetch.refresh_token));
  request.repeatable = true;
  request.max_body_bytes = kMaxAnswerBytes;
  request.timeout = options_.attempt_timeout;
  transport_.Send(std::move(request),
                  [weak = weak_from_this(), key](HttpOutcome outcome) {
                    if (auto self = weak.lock()) {
                      self->OnOutcome(key, std::move(outcome));
                    }
                  });
}

void TokenService::Impl::OnOutcome(const TokenKey& key, HttpOutcome outcome) {
  Fetch& fetch = fetches_.at(key);
  if (const auto* error = std::get_if<HttpError>(&outcome)) {
    TryAgain(key, fetch,
             "the token service does not answer: " + error->message);
  } else {
    HttpResponse& response = std::get<HttpResponse>(outcome);
    // What can't be unpacked can't be parsed either, which is told then.
    UndoCodings(response.headers, response.body, kMaxAnswerBytes).IgnoreError();
    OnAnswer(key, fetch, response);
  }
}

void TokenService::Impl::OnAnswer(const TokenKey& key, Fetch& fetch,
                                  const HttpResponse& response) {
  const std::string why =
      absl::StrCat("the token service answered ", response.status);
  if (IsTransient(response.status)) {
    TryAgain(key, fetch, why);
  } else if (IsRefusal(response.status) && !fetch.refresh_token.empty()) {
    fetch.refresh_token.clear();
    Send(key);
  } else if (IsRefusal(response.status)) {
    Fail(key, fetch, Reason::kAuthorityRejectedCredentials, why);
  } else if (!IsSuccess(response.status)) {
    Fail(key, fetch, Reason::kAuthorityBadAnswer, why);
  } else if (const auto answer = ParseTokenAnswer(response.body)) {
    Store(key, *answer);
    Finish(key, answer->access.text);
  } else {
    Fail(key, fetch, Reason::kAuthorityBadAnswer,
         "the token service's answer holds no usable token");
  }
}

void TokenService::Impl::TryAgain(const TokenKey& key, Fetch& fetch,
                                  const std::string& why) {
  if (fetch.attempt > options_.retries) {
    Fail(key, fetch, Reason::kAuthorityUnavailable,
         absl::StrCat(why, " after ", fetch.attempt, " attempts"));
    return;
  }
  ++fetch.attempt;
  loop_.RunAfter(options_.retry_pause, [weak = weak_from_this(), key] {
    if (auto self = weak.lock()) self->Send(key);
  });
}

void TokenService::Impl::Fail(const TokenKey& key, const Fetch& fetch,
                              Reason reason, const std::string& why) {
  Finish(key, MakeError(reason, absl::StrCat("get a token for ", fetch.type,
                                             ": ", why)));
}

void TokenService::Impl::Finish(const TokenKey& key,
                                const absl::StatusOr<std::string>& token) {
  // Out of the table first: those who waited may ask again at once.
  auto fetch = fetches_.extract(key);
  waiting_ -= fetch.mapped().waiting.size();
  for (Done& done : fetch.mapped().waiting) std::move(done)(token);
}

TokenService::TokenService(EventLoop& loop, HttpTransport& transport,
                           TokenServiceOptions options)
    : impl_(std::make_shared<Impl>(loop, transport, std::move(options))) {}

TokenService::~TokenService() = default;

void TokenService::Get(TokenRequest request, Done done) {
  impl_->Get(std::move(request), std::move(done));
}

void TokenService::Drop(const std::string& token) { impl_->Drop(token); }

absl::Duration UsableLife(absl::Duration life) {
  return life > kUnusedAtTheEnd ? life - kUnusedAtTheEnd : life / 2;
}

}  // namespace coord
