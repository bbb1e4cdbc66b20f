#include "server/registry/mit_registry.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/text_view.h"
#include "server/registry/it_resource.h"
#include "server/registry/mit_answer.h"
#include "server/registry/mit_client.h"

namespace coord {
namespace {

std::string RegistrationBody(const Server& server) {
  return absl::StrCat(
      R"({"type":)", JsonString(server.type), R"(,"serverId":)",
      JsonString(server.server_id), R"(,"location":)", server.location_json,
      R"(,"publicBaseUrl":)", JsonString(server.public_base_url),
      R"(,"clusterBaseUrl":)", JsonString(server.cluster_base_url), "}");
}

// As it is, but for bytes that no request line may carry.
std::string EscapeVersion(std::string_view version) {
  std::string escaped;
  for (const char c : version) {
    const bool safe = c > ' ' && c < '\x7f' && c != '?' && c != '#';
    escaped += safe ? std::string(1, c) : PercentEncode({&c, 1});
  }
  return escaped;
}

}  // namespace

// Lives on the loop.
class MitRegistry::Impl
    : public std::enable_shared_from_this<MitRegistry::Impl> {
 public:
  Impl(EventLoop& loop, HttpTransport& transport, TokenSource& tokens,
       MitRegistryOptions options)
      : loop_(loop),
        client_(std::make_shared<MitClient>(loop, transport, tokens,
                                            std::move(options))) {}

  // Runs `f` on the loop unless this object is gone by then.
  template <typename F>
  void Post(F f) {
    loop_.Post([weak = weak_from_this(), f = std::move(f)]() mutable {
      if (auto self = weak.lock()) std::move(f)(*self);
    });
  }

  void Register(RegisterRequest request, Done<RegisterAnswer> done);
  void Unregister(const ServerKey& key, const std::string& type,
                  Done<Removed> done);
  void Remove(const ServerKey& key, const std::string& type,
              const RecordVersion& seen, Done<Removal> done);
  void Forget(const ServerKey& key, const std::string& type);
  void Stop() { client_->Stop(); }

 private:
  // What mIT does not keep of a server that was registered here.
  struct Traits {
    std::string cluster_base_url;
    NodeApi node_api;
    ServerState state;
  };

  // Sends `request` and answers `done` with what `parse` makes of a success.
  template <typename T, typename Parse>
  void Ask(MitRequest request, Done<T> done, Parse parse);

  absl::StatusOr<RegisterAnswer> OnRegistered(const Server& server,
                                              std::string_view body);
  void ApplyTraits(const std::string& cluster_id, Server& server) const;
  MitRequest Deletion(absl::string_view verb, const ServerKey& key,
                      const std::string& type) const;

  EventLoop& loop_;
  std::shared_ptr<MitClient> client_;
  // By type: others are removed in the name of one of theirs.
  absl::flat_hash_map<std::string, absl::flat_hash_map<ServerKey, Traits>>
      registered_;
};

template <typename T, typename Parse>
void MitRegistry::Impl::Ask(MitRequest request, Done<T> done, Parse parse) {
  std::string action = request.action;
  client_->Send(std::move(request),
                [weak = weak_from_this(), action = std::move(action),
                 done = std::move(done), parse = std::move(parse)](
                    absl::StatusOr<MitClient::Answer> answer) mutable {
                  auto self = weak.lock();
                  if (self == nullptr) return;
                  if (!answer.ok()) {
                    std::move(done)(answer.status());
                    return;
                  }
                  absl::StatusOr<T> result = parse(*self, *answer);
                  if (result.ok()) {
                    std::move(done)(std::move(result));
                    return;
                  }
                  spdlog::warn(
                      "bad answer of the authority{}",
                      Fields({{"request", action},
                              {"error", StdView(result.status().message())}}));
                  std::move(done)(Annotate(result.status(), action));
                });
}

void MitRegistry::Impl::Register(RegisterRequest request,
                                 Done<RegisterAnswer> done) {
  Server& server = request.server;
  MitRequest mit;
  mit.action = absl::StrCat("register ", server.type, "/", server.server_id);
  mit.method = "POST";
  mit.target =
      request.managed ? "/itResources" : "/itResources?managedCluster=off";
  mit.body = RegistrationBody(server);
  mit.type = server.type;
  mit.server_id = server.server_id;
  mit.correlation_id = std::move(request.correlation_id);
  Ask<RegisterAnswer>(
      std::move(mit), std::move(done),
      [server = std::move(server)](Impl& self, const MitClient::Answer& body) {
        return self.OnRegistered(server, *body);
      });
}

absl::StatusOr<RegisterAnswer> MitRegistry::Impl::OnRegistered(
    const Server& server, std::string_view body) {
  absl::StatusOr<RegisterAnswer> answer = ParseRegisterAnswer(body, server);
  if (!answer.ok()) return answer;
  const std::string& cluster_id = answer->cluster.id;
  registered_[server.type].insert_or_assign(
      ServerKey{cluster_id, server.server_id},
      Traits{server.cluster_base_url, server.node_api,
             server.state == ServerState::kDraining ? ServerState::kDraining
                                                    : ServerState::kActive});
  for (Server& other : *answer->servers) ApplyTraits(cluster_id, other);
  ApplyTraits(cluster_id, answer->record);
  return answer;
}

void MitRegistry::Impl::ApplyTraits(const std::string& cluster_id,
                                    Server& server) const {
  const auto of_type = registered_.find(server.type);
  if (of_type == registered_.end()) return;
  const auto it = of_type->second.find({cluster_id, server.server_id});
  if (it == of_type->second.end()) return;
  const Traits& traits = it->second;
  // At another address it is somebody else's.
  if (server.cluster_base_url != traits.cluster_base_url) return;
  server.node_api = traits.node_api;
  server.state = traits.state;
}

MitRequest MitRegistry::Impl::Deletion(absl::string_view verb,
                                       const ServerKey& key,
                                       const std::string& type) const {
  MitRequest mit;
  mit.action = absl::StrCat(verb, " ", type, "/", key.server_id);
  mit.method = "DELETE";
  mit.target = absl::StrCat("/itResources/", PercentEncode(key.cluster_id),
                            "/servers/", PercentEncode(key.server_id));
  mit.type = type;
  const auto ours = registered_.find(type);
  mit.server_id = ours == registered_.end()
                      ? key.server_id
                      : ours->second.begin()->first.server_id;
  mit.absent_is_success = true;
  return mit;
}

void MitRegistry::Impl::Unregister(const ServerKey& key,
                                   const std::string& type,
                                   Done<Removed> done) {
  MitRequest mit = Deletion("unregister", key, type);
  mit.server_id = key.server_id;
  Ask<Removed>(std::move(mit), std::move(done),
               [key, type](Impl& self, const MitClient::Answer&) {
                 self.Forget(key, type);
                 return absl::StatusOr<Removed>(Removed{});
               });
}

void MitRegistry::Impl::Remove(const ServerKey& key, const std::string& type,
                               const RecordVersion& seen, Done<Removal> done) {
  MitRequest mit = Deletion("remove", key, type);
  if (seen.text.empty()) {
    std::move(done)(MakeError(
        Reason::kAuthorityBadAnswer,
        mit.action + ": the authority gave its record no date to refer to"));
    return;
  }
  mit.target += "@" + EscapeVersion(seen.text);
  Ask<Removal>(std::move(mit), std::move(done),
               [key, type](Impl& self, const MitClient::Answer& body) {
                 absl::StatusOr<Removal> removal =
                     body ? ParseRemovalAnswer(*body, key, type)
                          : Removal(Removed{});
                 if (!removal.ok()) return removal;
                 if (auto* newer = std::get_if<NewerRecord>(&*removal)) {
                   self.ApplyTraits(key.cluster_id, newer->record);
                 } else {
                   self.Forget(key, type);
                 }
                 return removal;
               });
}

void MitRegistry::Impl::Forget(const ServerKey& key, const std::string& type) {
  const auto of_type = registered_.find(type);
  if (of_type == registered_.end()) return;
  of_type->second.erase(key);
  if (of_type->second.empty()) registered_.erase(of_type);
}

MitRegistry::MitRegistry(EventLoop& loop, HttpTransport& transport,
                         TokenSource& tokens, MitRegistryOptions options)
    : impl_(std::make_shared<Impl>(loop, transport, tokens,
                                   std::move(options))) {}

MitRegistry::~MitRegistry() = default;

void MitRegistry::Register(RegisterRequest request, Done<RegisterAnswer> done) {
  impl_->Post([request = std::move(request),
               done = std::move(done)](Impl& impl) mutable {
    impl.Register(std::move(request), std::move(done));
  });
}

void MitRegistry::Unregister(const ServerKey& key, const std::string& type,
                             Done<Removed> done) {
  impl_->Post([key, type, done = std::move(done)](Impl& impl) mutable {
    impl.Unregister(key, type, std::move(done));
  });
}

void MitRegistry::Forget(const ServerKey& key, const std::string& type) {
  impl_->Post([key, type](Impl& impl) { impl.Forget(key, type); });
}

void MitRegistry::Remove(const ServerKey& key, const std::string& type,
                         const Evidence& evidence, Done<Removal> done) {
  impl_->Post([key, type, seen = evidence.seen,
               done = std::move(done)](Impl& impl) mutable {
    impl.Remove(key, type, seen, std::move(done));
  });
}

void MitRegistry::Stop() {
  impl_->Post([](Impl& impl) { impl.Stop(); });
}

}  // namespace coord
