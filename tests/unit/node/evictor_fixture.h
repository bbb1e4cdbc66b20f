// An evictor over the real parts of a node.
#ifndef TESTS_UNIT_NODE_EVICTOR_FIXTURE_H_
#define TESTS_UNIT_NODE_EVICTOR_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/node/evictor.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {

// `own` is registered here, what tests add is held by others.
class EvictorFixture : public NodeFixture {
 protected:
  // Once the strangers are there.
  void Start() {
    Registered(Command("own"));
    while (Requests() > 0) AnswerAlive();
    evictor_ = std::make_unique<Evictor>(loop_, registry_, *registrar_,
                                         *membership_, *peers_, *doubt_,
                                         observer_, EvictorOptions{});
  }
  void Suspect(const ServerPtr& server) {
    evictor_->Suspect({"c-mTest", "mTest", ""}, server);
    Settle();
  }

  std::unique_ptr<Evictor> evictor_;
};

}  // namespace coord

#endif  // TESTS_UNIT_NODE_EVICTOR_FIXTURE_H_
