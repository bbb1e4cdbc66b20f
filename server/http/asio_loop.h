// An event loop on a thread of its own.
#ifndef SERVER_HTTP_ASIO_LOOP_H_
#define SERVER_HTTP_ASIO_LOOP_H_

#include <memory>
#include <string>

#include "common/event_loop.h"

namespace boost::asio {
class io_context;
}

namespace coord {

class AsioLoop final : public EventLoop {
 public:
  // Starts the thread; `name` is at most 15 bytes and shows in ps and gdb.
  explicit AsioLoop(const std::string& name);
  // Stops.
  ~AsioLoop() override;

  void Post(Task task) override;
  TimerId RunAfter(absl::Duration delay, Task task) override;
  void Cancel(TimerId timer) override;
  absl::Time Now() const override;
  absl::Time WallTime() const override;
  bool OnLoop() const override;
  double Load() override;

  // Ends the thread once the task that runs has returned; tasks and timers that
  // wait are destroyed. Not on the loop. Twice is once.
  void Stop();

  boost::asio::io_context& io_context();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_HTTP_ASIO_LOOP_H_
