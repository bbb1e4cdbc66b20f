// The messages of a unary call on one arena.
#ifndef SERVER_RPC_ARENA_MESSAGES_H_
#define SERVER_RPC_ARENA_MESSAGES_H_

#include <google/protobuf/arena.h>
#include <grpcpp/support/message_allocator.h>

#include <cstddef>

namespace coord {

// For answers of many parts: the aggregate of 10 servers has 300 objects, which
// took a fifth of its call's instructions to allocate and to free one by one.
// Thread-safe.
template <typename Request, typename Response>
class ArenaMessages final : public grpc::MessageAllocator<Request, Response> {
 public:
  grpc::MessageHolder<Request, Response>* AllocateMessages() override {
    return new Holder;
  }

 private:
  class Holder final : public grpc::MessageHolder<Request, Response> {
   public:
    Holder() : arena_(Options()) {
      this->set_request(
          google::protobuf::Arena::CreateMessage<Request>(&arena_));
      this->set_response(
          google::protobuf::Arena::CreateMessage<Response>(&arena_));
    }
    void Release() override { delete this; }

   private:
    static google::protobuf::ArenaOptions Options() {
      google::protobuf::ArenaOptions options;
      options.start_block_size = std::size_t{4} << 10;
      options.max_block_size = std::size_t{64} << 10;
      return options;
    }

    google::protobuf::Arena arena_;
  };
};

}  // namespace coord

#endif  // SERVER_RPC_ARENA_MESSAGES_H_
