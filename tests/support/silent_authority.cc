#include "tests/support/silent_authority.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/correlation_id.h"
#include "server/http/router.h"
#include "tests/unit/registry/jwt.h"

namespace coord {

SilentAuthority::SilentAuthority() {
  listener_ = *HttpListener::Start(
      loop_, {}, [this](HttpServerRequest request, HttpReply reply) {
        Handle(request, std::move(reply));
      });
}

SilentAuthority::~SilentAuthority() {
  listener_.reset();
  absl::MutexLock lock(&mutex_);
  unanswered_.clear();
}

MitSettings SilentAuthority::Settings(bool with_tokens) const {
  const Origin origin{false, "127.0.0.1", listener_->port()};
  MitSettings settings;
  settings.registry.url = {origin, "/mIT/v1"};
  settings.registry.audience = "mIT";
  settings.tokens.on = with_tokens;
  settings.tokens.origin = origin;
  settings.tokens.path = "/oauth/token";
  TypeCredentials credentials;
  credentials.client_id = "client";
  credentials.client_secret = "secret";
  credentials.generic_audience = "cluster";
  credentials.client_audience = "cluster";
  settings.tokens.credentials.Set("mTest", credentials);
  settings.verifier.accept_without_keys = true;
  return settings;
}

void SilentAuthority::FallSilent() {
  absl::MutexLock lock(&mutex_);
  silent_ = true;
}

void SilentAuthority::List(const std::string& server_id,
                           const std::string& base_url) {
  absl::MutexLock lock(&mutex_);
  absl::StrAppend(&others_, R"(,{"serverId":")", server_id,
                  R"(","clusterBaseUrl":")", base_url,
                  R"(","publicBaseUrl":"","location":null,"updatedAt":")",
                  FormatDate(absl::FromUnixSeconds(1)), R"("})");
}

void SilentAuthority::WaitForUnanswered(int requests) {
  auto taken = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return static_cast<int>(unanswered_.size()) >= requests;
  };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&taken));
}

void SilentAuthority::Handle(const HttpServerRequest& request,
                             HttpReply reply) {
  std::string answer;
  {
    absl::MutexLock lock(&mutex_);
    if (silent_) {
      unanswered_.push_back(std::move(reply));
      return;
    }
    const absl::Time expiry = absl::Now() + absl::Hours(1);
    if (absl::EndsWith(request.path, "/oauth/token")) {
      answer = TokenAnswerJson(Jwt("access", expiry), Jwt("refresh", expiry));
    } else if (request.method == "POST") {
      answer = Register(request.body);
    } else {
      answer = R"({"data":"gone"})";
    }
  }
  std::move(reply)(JsonAnswer(200, std::move(answer)));
}

// The record as it came, with a new date.
std::string SilentAuthority::Register(const std::string& record) {
  const std::string date = FormatDate(absl::FromUnixSeconds(++registrations_));
  return absl::StrCat(
      R"({"itResource":{"id":"c1","type":"mTest","publicBaseUrl":"",)",
      R"("servers":[)", record.substr(0, record.rfind('}')),
      R"(,"updatedAt":")", date, R"("})", others_,
      R"(]},"leaseTime":3600000})");
}

}  // namespace coord
