// A verifier that takes a token by its name.
#ifndef TESTS_UNIT_NODE_FAKE_VERIFIER_H_
#define TESTS_UNIT_NODE_FAKE_VERIFIER_H_

#include <string>

#include "server/node/node_gate.h"

namespace coord {

class FakeVerifier final : public NodeTokenVerifier {
 public:
  absl::Status Verify(const std::string& /*type*/,
                      const std::string& authorization) const override {
    if (authorization == "good") return absl::OkStatus();
    if (authorization == "wrong kind") {
      return absl::InvalidArgumentError("wrong kind of token");
    }
    return absl::PermissionDeniedError("bad token");
  }
};

}  // namespace coord

#endif  // TESTS_UNIT_NODE_FAKE_VERIFIER_H_
