#include "tests/unit/client/scripted_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/grpc_status.h"

namespace coord {
namespace {

std::string FreshPath() {
  static std::atomic<int> last = 0;
  return absl::StrCat(testing::TempDir(), "scripted_server.", getpid(), ".",
                      ++last);
}

template <typename Request, typename Response>
grpc::Status Answer(const ScriptedServer::Handler<Request, Response>& handler,
                    const Request* request, Response* response) {
  if (!handler) return Refuse(Reason::kUnsupported, "it is not in the script");
  return handler(*request, response);
}

}  // namespace

grpc::Status Refuse(Reason reason, std::string_view message) {
  return ToGrpcStatus(MakeError(reason, message));
}

pb::KeepAliveResponse Alive(const pb::KeepAliveRequest& request) {
  pb::KeepAliveResponse response;
  response.set_session_id(request.session_id());
  response.mutable_success()->mutable_time_left()->set_seconds(30);
  response.mutable_success()->set_state(pb::REGISTRATION_STATE_REGISTERED);
  return response;
}

pb::KeepAliveResponse Dead(const pb::KeepAliveRequest& request,
                           const std::string& reason) {
  pb::KeepAliveResponse response;
  response.set_session_id(request.session_id());
  response.mutable_error()->set_reason(reason);
  response.mutable_error()->set_message("keep alive: the session is over");
  return response;
}

class ScriptedServer::RegistryRpcs final : public pb::RegistryService::Service {
 public:
  explicit RegistryRpcs(ScriptedServer& script) : script_(script) {}

  grpc::Status RegisterServer(grpc::ServerContext*,
                              const pb::RegisterServerRequest* request,
                              pb::RegisterServerResponse* response) override {
    {
      absl::MutexLock lock(&script_.mutex_);
      script_.registered_.push_back(*request);
    }
    return Answer(script_.on_register, request, response);
  }

  grpc::Status UnregisterServer(
      grpc::ServerContext*, const pb::UnregisterServerRequest* request,
      pb::UnregisterServerResponse* response) override {
    {
      absl::MutexLock lock(&script_.mutex_);
      script_.unregistered_.push_back(*request);
    }
    return Answer(script_.on_unregister, request, response);
  }

  grpc::Status EvictServer(grpc::ServerContext*,
                           const pb::EvictServerRequest* request,
                           pb::EvictServerResponse* response) override {
    return Answer(script_.on_evict, request, response);
  }

  grpc::Status ListRegistrations(
      grpc::ServerContext*, const pb::ListRegistrationsRequest* request,
      pb::ListRegistrationsResponse* response) override {
    return Answer(script_.on_list_registrations, request, response);
  }

  grpc::Status ListServers(grpc::ServerContext*,
                           const pb::ListServersRequest* request,
                           pb::ListServersResponse* response) override {
    return Answer(script_.on_list_servers, request, response);
  }

  grpc::Status KeepAlive(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<pb::KeepAliveResponse, pb::KeepAliveRequest>*
          stream) override {
    pb::KeepAliveRequest request;
    while (stream->Read(&request)) {
      {
        absl::MutexLock lock(&script_.mutex_);
        script_.kept_alive_.push_back(request);
      }
      const auto response = script_.on_keep_alive(request);
      if (response.has_value()) stream->Write(*response);
    }
    return grpc::Status::OK;
  }

  grpc::Status WatchCluster(
      grpc::ServerContext* context, const pb::WatchClusterRequest* request,
      grpc::ServerWriter<pb::WatchClusterResponse>* writer) override {
    {
      absl::MutexLock lock(&script_.mutex_);
      script_.watched_.push_back(*request);
    }
    return script_.on_watch(*request, *context, *writer);
  }

 private:
  ScriptedServer& script_;
};

class ScriptedServer::FanOutRpcs final : public pb::FanOutService::Service {
 public:
  explicit FanOutRpcs(ScriptedServer& script) : script_(script) {}

  grpc::Status FanOut(grpc::ServerContext*, const pb::FanOutRequest* request,
                      pb::FanOutResponse* response) override {
    Note(*request);
    return Answer(script_.on_fan_out, request, response);
  }

  grpc::Status StreamFanOut(
      grpc::ServerContext*, const pb::StreamFanOutRequest* request,
      grpc::ServerWriter<pb::StreamFanOutResponse>* writer) override {
    Note(request->request());
    for (const auto& event : script_.fan_out_events) writer->Write(event);
    return grpc::Status::OK;
  }

 private:
  void Note(const pb::FanOutRequest& request) {
    absl::MutexLock lock(&script_.mutex_);
    script_.fanned_out_.push_back(request);
  }

  ScriptedServer& script_;
};

ScriptedServer::ScriptedServer()
    : path_(FreshPath()),
      registry_(std::make_unique<RegistryRpcs>(*this)),
      fan_out_(std::make_unique<FanOutRpcs>(*this)) {
  on_register = [this](const auto& request, auto* response) {
    pb::Registration& registration = *response->mutable_registration();
    *registration.mutable_server() = request.server();
    registration.set_session_id(absl::StrCat("session-", registered().size()));
    registration.set_state(pb::REGISTRATION_STATE_REGISTERED);
    return grpc::Status::OK;
  };
  on_unregister = [](const auto& request, auto* response) {
    response->set_server_id(request.server_id());
    response->set_server_count(3);
    return grpc::Status::OK;
  };
  Start();
}

ScriptedServer::~ScriptedServer() { Stop(); }

std::string ScriptedServer::address() const {
  return absl::StrCat("unix:", path_);
}

Client ScriptedServer::Connect() const {
  ClientOptions options;
  options.address = address();
  return *Client::Connect(options);
}

void ScriptedServer::Start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
  builder.RegisterService(registry_.get());
  builder.RegisterService(fan_out_.get());
  server_ = builder.BuildAndStart();
}

void ScriptedServer::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

std::vector<pb::RegisterServerRequest> ScriptedServer::registered() const {
  absl::MutexLock lock(&mutex_);
  return registered_;
}

std::vector<pb::UnregisterServerRequest> ScriptedServer::unregistered() const {
  absl::MutexLock lock(&mutex_);
  return unregistered_;
}

std::vector<pb::KeepAliveRequest> ScriptedServer::kept_alive() const {
  absl::MutexLock lock(&mutex_);
  return kept_alive_;
}

std::vector<pb::WatchClusterRequest> ScriptedServer::watched() const {
  absl::MutexLock lock(&mutex_);
  return watched_;
}

std::vector<pb::FanOutRequest> ScriptedServer::fanned_out() const {
  absl::MutexLock lock(&mutex_);
  return fanned_out_;
}

}  // namespace coord
