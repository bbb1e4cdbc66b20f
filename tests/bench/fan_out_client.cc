#include "tests/bench/fan_out_client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace coord {
namespace {

constexpr std::int64_t kMaxAnswerBytes = 64 << 20;

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

}  // namespace

void FanOutTarget::AddOptionsTo(CLI::App& app) {
  app.add_option("--address", address);
  app.add_option("--type", type);
  app.add_option("--path", path);
  app.add_option("--deadline_ms", deadline_ms);
}

FanOutClient::FanOutClient(const FanOutTarget& target)
    : deadline_ms_(target.deadline_ms),
      channel_(Connect(target.address)),
      stub_(mimik::cluster::v1::FanOutService::NewStub(channel_)) {
  request_.set_type(target.type);
  request_.mutable_http()->set_path(target.path);
  request_.set_max_answer_bytes(kMaxAnswerBytes);
}

void FanOutClient::Start(Ended ended) {
  auto call = std::make_shared<Call>();
  call->context.set_deadline(std::chrono::system_clock::now() +
                             std::chrono::milliseconds(deadline_ms_));
  stub_->async()->FanOut(
      &call->context, &request_, &call->response,
      [call, ended = std::move(ended)](const grpc::Status& status) {
        ended(*call, status);
      });
}

void Quit() {
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace coord
