#include "server/node/local_proxy.h"

#include <string_view>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/text_view.h"
#include "common/url.h"
#include "server/node/proxied_messages.h"

namespace coord {
namespace {

// What follows `/{type}/{serverId}`.
std::string_view PathBelowServer(std::string_view path) {
  const std::size_t id = path.find('/', 1);
  const std::size_t rest = path.find('/', id + 1);
  return rest == std::string_view::npos ? std::string_view()
                                        : path.substr(rest);
}

std::string TargetOf(const BaseUrl& base, std::string_view path,
                     const std::string& query) {
  std::string target = absl::StrCat(base.path, AbslView(path));
  if (target.empty()) target = "/";
  if (!query.empty()) absl::StrAppend(&target, "?", query);
  return target;
}

}  // namespace

LocalProxy::LocalProxy(EventLoop& loop, HttpTransport& transport,
                       Registrar& registrar, const NodeTokenVerifier* verifier,
                       LocalProxyOptions options)
    : transport_(transport),
      gate_(loop, registrar, verifier),
      options_(options) {}

void LocalProxy::AddTo(Router& router) {
  const auto pass_on = [this](HttpServerRequest request,
                              PathParameters parameters, HttpReply reply) {
    NodeRequest asked = NodeRequestOf(request, parameters);
    gate_.Admit(
        std::move(asked), std::move(reply),
        [this, request = std::move(request)](const RegistrationView& own,
                                             const std::string& correlation_id,
                                             NodeGate::Reply answer) mutable {
          Forward(own, correlation_id, std::move(request), std::move(answer));
        });
  };
  router.AddAnyMethod("/{}/{}/**", pass_on, RequestBodies::kStreamed);
}

void LocalProxy::Forward(const RegistrationView& own,
                         const std::string& correlation_id,
                         HttpServerRequest request, HttpReply reply) {
  const absl::StatusOr<BaseUrl> base = ParseBaseUrl(own.local_base_url);
  if (!base.ok()) {
    std::move(reply)(
        JsonError(404, absl::StrCat(own.server.type, "/", own.server.server_id,
                                    " serves its other routes itself, at ",
                                    own.server.cluster_base_url)));
    return;
  }
  const std::string_view path = PathBelowServer(request.path);
  if (absl::Status fit = path.empty() ? absl::OkStatus() : CheckCallPath(path);
      !fit.ok()) {
    std::move(reply)(JsonError(400, absl::StrCat("path ", fit.message())));
    return;
  }
  HttpRequest proxied;
  proxied.origin = base->origin;
  proxied.method = request.method;
  proxied.target = TargetOf(*base, path, request.query);
  const HttpHeaders headers =
      ProxiedRequestHeaders(request.headers, correlation_id);
  proxied.tail = request.stream != nullptr
                     ? SerializeTail(headers, *request.stream)
                     : SerializeTail(request.method, headers, request.body);
  proxied.stream = std::move(request.stream);
  proxied.repeatable =
      IsIdempotentMethod(request.method) && proxied.stream == nullptr;
  proxied.max_body_bytes = options_.max_answer_bytes;
  proxied.streamed_answers = StreamedAnswersTo(request);
  proxied.connect_timeout = options_.request_timeout;
  proxied.timeout = options_.request_timeout;
  request.body = {};  // it is in the tail
  transport_.Send(std::move(proxied), [this, id = own.server.server_id,
                                       request = std::move(request),
                                       reply = std::move(reply)](
                                          HttpOutcome outcome) mutable {
    auto* answer = std::get_if<HttpResponse>(&outcome);
    std::move(reply)(answer == nullptr
                         ? ProxyFailure(std::get<HttpError>(outcome))
                         : ProxiedAnswer(std::move(*answer), request, id,
                                         options_.max_answer_bytes, reader_));
  });
}

}  // namespace coord
