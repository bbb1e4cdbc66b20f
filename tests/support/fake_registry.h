// An authority that a test answers by hand, or that answers by itself.
#ifndef TESTS_SUPPORT_FAKE_REGISTRY_H_
#define TESTS_SUPPORT_FAKE_REGISTRY_H_

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/registry/registry.h"
#include "tests/support/manual_loop.h"

namespace coord {

// Answers through the loop, as a real one would through its own thread.
// Clusters are named `c-<type>`. For the test's thread only.
class FakeRegistry final : public Registry {
 public:
  explicit FakeRegistry(ManualLoop& loop) : loop_(loop) {}

  struct PendingRegister {
    RegisterRequest request;
    Done<RegisterAnswer> done;
  };
  struct PendingUnregister {
    ServerKey key;
    Done<Removed> done;
  };
  struct PendingRemove {
    ServerKey key;
    Evidence evidence;
    Done<Removal> done;
  };

  void Register(RegisterRequest request, Done<RegisterAnswer> done) override {
    ++register_calls;
    registers.push_back({std::move(request), std::move(done)});
    if (automatic) AnswerRegister();
  }
  void Unregister(const ServerKey& key, const std::string& /*type*/,
                  Done<Removed> done) override {
    ++unregister_calls;
    unregisters.push_back({key, std::move(done)});
    if (automatic) AnswerUnregister(absl::OkStatus());
  }
  void Remove(const ServerKey& key, const std::string& /*type*/,
              const Evidence& evidence, Done<Removal> done) override {
    removals.push_back({key, evidence, std::move(done)});
    seen_evidence.push_back(evidence);
    if (automatic) AnswerRemoval(Removed{});
  }
  void Forget(const ServerKey& key, const std::string& /*type*/) override {
    forgotten.push_back(key);
  }
  bool PushesChanges() const override { return pushes_changes; }

  // Acknowledges the oldest request that waits: stores the record with a new
  // version and lists its cluster, unless changes are pushed.
  void AnswerRegister() {
    PendingRegister pending = Take(registers);
    const Server& wanted = pending.request.server;
    RegisterAnswer answer;
    answer.cluster = {absl::StrCat("c-", wanted.type), wanted.type,
                      wanted.public_base_url};
    answer.lease = lease;
    auto& servers = records[answer.cluster.id];
    Server& record = servers[wanted.server_id];
    record = wanted;
    record.version = {absl::StrCat("v", ++last_version)};
    record.update_time = absl::FromUnixSeconds(last_version);
    answer.record = record;
    if (!pushes_changes) {
      answer.servers.emplace();
      for (const auto& [id, server] : servers)
        answer.servers->push_back(server);
    }
    Answer(std::move(pending.done),
           absl::StatusOr<RegisterAnswer>(std::move(answer)));
  }
  void FailRegister(absl::Status status) {
    Answer(Take(registers).done, absl::StatusOr<RegisterAnswer>(status));
  }
  void AnswerUnregister(absl::Status status) {
    PendingUnregister pending = Take(unregisters);
    if (!status.ok()) {
      Answer(std::move(pending.done), absl::StatusOr<Removed>(status));
      return;
    }
    records[pending.key.cluster_id].erase(pending.key.server_id);
    Answer(std::move(pending.done), absl::StatusOr<Removed>(Removed{}));
  }
  void AnswerRemoval(absl::StatusOr<Removal> answer) {
    PendingRemove pending = Take(removals);
    if (answer.ok() && std::holds_alternative<Removed>(*answer)) {
      records[pending.key.cluster_id].erase(pending.key.server_id);
    }
    Answer(std::move(pending.done), std::move(answer));
  }

  // A server that somebody else registered.
  void Add(const std::string& cluster_id, Server server) {
    records[cluster_id][server.server_id] = std::move(server);
  }

  bool automatic = true;
  bool pushes_changes = false;
  absl::Duration lease = absl::Hours(1);
  int register_calls = 0;
  int unregister_calls = 0;
  int last_version = 0;
  std::deque<PendingRegister> registers;
  std::deque<PendingUnregister> unregisters;
  std::deque<PendingRemove> removals;
  std::vector<Evidence> seen_evidence;
  std::vector<ServerKey> forgotten;
  std::map<std::string, std::map<std::string, Server>> records;

 private:
  template <typename T>
  static T Take(std::deque<T>& queue) {
    T first = std::move(queue.at(0));
    queue.pop_front();
    return first;
  }
  template <typename T>
  void Answer(Done<T> done, absl::StatusOr<T> answer) {
    loop_.Post([done = std::move(done), answer = std::move(answer)]() mutable {
      std::move(done)(std::move(answer));
    });
  }

  ManualLoop& loop_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_FAKE_REGISTRY_H_
