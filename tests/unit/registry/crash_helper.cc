// Registers servers as fast as it can until it is killed, and prints the id of
// each one that was acknowledged.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/registry/database.h"
#include "server/registry/embedded_registry.h"
#include "tests/support/manual_loop.h"

namespace coord {
namespace {

constexpr int kAtOnce = 100;

int RegisterForever(const std::string& data_dir) {
  auto database = Database::Open({.data_dir = data_dir});
  ManualLoop loop;
  if (!database.ok()) return 1;
  auto registry = EmbeddedRegistry::Create(
      **database, loop, {}, [](const ClusterIdentity&, const Change&) {});
  if (!registry.ok()) return 1;

  absl::Mutex mutex;
  int in_flight = 0;
  auto has_room = [&in_flight] { return in_flight < kAtOnce; };
  for (int i = 0;; ++i) {
    {
      absl::MutexLock lock(&mutex);
      mutex.Await(absl::Condition(&has_room));
      ++in_flight;
    }
    Server server;
    server.type = "mTest";
    server.server_id = absl::StrCat(getpid(), "-", i);
    (*registry)->Register({server}, [&, id = server.server_id](auto answer) {
      const std::string line = id + "\n";
      if (answer.ok() && write(STDOUT_FILENO, line.data(), line.size()) < 0) {
        _exit(1);
      }
      absl::MutexLock lock(&mutex);
      --in_flight;
    });
  }
}

}  // namespace
}  // namespace coord

int main(int argc, char** argv) {
  return argc == 2 ? coord::RegisterForever(argv[1]) : 2;
}
