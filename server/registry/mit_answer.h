// What the authority (mIT) answers. Pure.
#ifndef SERVER_REGISTRY_MIT_ANSWER_H_
#define SERVER_REGISTRY_MIT_ANSWER_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/registry/registry.h"

namespace coord {

// An answer to `POST /itResources` of `registered`:
// `{"itResource":{…},"leaseTime":<ms>}`, or that in `data`. A lease that is no
// positive number is 2 hours. Errors: INTERNAL · AUTHORITY_BAD_ANSWER, when it
// is anything else or lacks the server.
absl::StatusOr<RegisterAnswer> ParseRegisterAnswer(std::string_view body,
                                                   const Server& registered);

// An answer to a conditional `DELETE`: `{"data":…}` is removed,
// `{"server":{…}}` without data is the newer record. Errors: INTERNAL ·
// AUTHORITY_BAD_ANSWER for anything else.
absl::StatusOr<Removal> ParseRemovalAnswer(std::string_view body,
                                           const ServerKey& key,
                                           const std::string& type);

}  // namespace coord

#endif  // SERVER_REGISTRY_MIT_ANSWER_H_
