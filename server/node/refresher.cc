#include "server/node/refresher.h"

#include <utility>

namespace coord {

struct Refresher::State : std::enable_shared_from_this<State> {
  State(EventLoop& loop, absl::Duration pause, Ask ask)
      : loop(loop), pause(pause), ask(std::move(ask)) {}

  void Refresh(const std::string& cluster_id, Done done);
  void RefreshSoon(const std::string& cluster_id);
  void EndPause(const std::string& cluster_id);

  EventLoop& loop;
  const absl::Duration pause;
  const Ask ask;
  absl::flat_hash_map<std::string, std::vector<Done>> waiting;
  // Clusters that pause, and whether somebody asked meanwhile.
  absl::flat_hash_map<std::string, bool> pausing;
};

void Refresher::State::Refresh(const std::string& cluster_id, Done done) {
  std::vector<Done>& all = waiting[cluster_id];
  all.push_back(std::move(done));
  if (all.size() > 1) return;
  ask(cluster_id, [weak = weak_from_this(), cluster_id](absl::Status status) {
    auto self = weak.lock();
    if (self == nullptr) return;
    auto answered = self->waiting.extract(cluster_id);
    // Each in a turn of its own: they are many when many servers fail.
    for (Done& each : answered.mapped()) {
      self->loop.Post([done = std::move(each), status]() mutable {
        std::move(done)(std::move(status));
      });
    }
  });
}

void Refresher::State::RefreshSoon(const std::string& cluster_id) {
  auto [it, first] = pausing.try_emplace(cluster_id, false);
  if (!first) {
    it->second = true;
    return;
  }
  loop.RunAfter(pause, [weak = weak_from_this(), cluster_id] {
    if (auto self = weak.lock()) self->EndPause(cluster_id);
  });
  Refresh(cluster_id, [](const absl::Status&) {});
}

void Refresher::State::EndPause(const std::string& cluster_id) {
  if (pausing.extract(cluster_id).mapped()) RefreshSoon(cluster_id);
}

Refresher::Refresher(EventLoop& loop, absl::Duration pause, Ask ask)
    : state_(std::make_shared<State>(loop, pause, std::move(ask))) {}

Refresher::~Refresher() = default;

void Refresher::Refresh(const std::string& cluster_id, Done done) {
  state_->Refresh(cluster_id, std::move(done));
}

void Refresher::RefreshSoon(const std::string& cluster_id) {
  state_->RefreshSoon(cluster_id);
}

}  // namespace coord
