// One page of the registrations of this process.
#ifndef SERVER_RPC_REGISTRATION_PAGE_H_
#define SERVER_RPC_REGISTRATION_PAGE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "mimik/cluster/v1/registry_service.pb.h"
#include "server/node/registrar.h"
#include "server/rpc/call_context.h"
#include "server/rpc/convert.h"
#include "server/rpc/paging.h"
#include "server/rpc/services.h"

namespace coord {

// Answers a call to ListRegistrations. The registrar's loop is asked for a
// slice at a time, so that whoever pages through 100,000 registrations holds up
// nobody there; what it hands out is converted on the loop for streams. Kept by
// what it waits for.
class RegistrationPage final
    : public std::enable_shared_from_this<RegistrationPage> {
 public:
  static constexpr std::string_view kList = "registrations";

  // `page` starts behind what its token names; `reactor` is the call's.
  RegistrationPage(const RpcBackend& backend, UnaryCall call,
                   CountedReactor* reactor, std::string type,
                   const PageRequest& page,
                   pb::ListRegistrationsResponse* response);

  void ReadOn();

 private:
  void Take(absl::StatusOr<RegistrationSlice> slice);
  // Empty: it is the last page.
  void Finish(const std::string& next_page_token);

  const RpcBackend backend_;
  UnaryCall call_;
  CountedReactor* const reactor_;
  pb::ListRegistrationsResponse* const response_;  // only while the call waits
  pb::ListRegistrationsResponse filled_;
  RegistrationRange range_;  // what is to be read next
  PageRoom room_;
};

}  // namespace coord

#endif  // SERVER_RPC_REGISTRATION_PAGE_H_
