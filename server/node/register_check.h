// What a registration may say.
#ifndef SERVER_NODE_REGISTER_CHECK_H_
#define SERVER_NODE_REGISTER_CHECK_H_

#include "absl/status/status.h"
#include "server/node/registrar.h"

namespace coord {

// OK, or INVALID_ARGUMENT with every field that breaks a rule of
// RegisterServerRequest, by the names of the contract.
absl::Status CheckRegisterCommand(const RegisterCommand& command,
                                  const RegistrarOptions& options);

}  // namespace coord

#endif  // SERVER_NODE_REGISTER_CHECK_H_
