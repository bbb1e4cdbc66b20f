// What is logged while a test runs.
#ifndef TESTS_SUPPORT_LOG_CAPTURE_H_
#define TESTS_SUPPORT_LOG_CAPTURE_H_

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace coord {

// Takes the place of the default logger, from info on. To be made before any
// other thread logs and destroyed after the last one does.
class LogCapture {
 public:
  LogCapture()
      : sink_(std::make_shared<Sink>()), before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("", sink_));
  }
  ~LogCapture() { spdlog::set_default_logger(before_); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  // `info: drain asked for server=mTest/a`: those whose message begins so.
  std::vector<std::string> Lines(const std::string& beginning) {
    return sink_->Lines(beginning);
  }

 private:
  class Sink final : public spdlog::sinks::base_sink<std::mutex> {
   public:
    std::vector<std::string> Lines(const std::string& beginning) {
      const std::lock_guard<std::mutex> lock(mutex_);
      std::vector<std::string> found;
      for (const auto& [level, message] : lines_) {
        if (message.starts_with(beginning)) {
          found.push_back(level + ": " + message);
        }
      }
      return found;
    }

   private:
    void sink_it_(const spdlog::details::log_msg& line) override {
      const auto level = spdlog::level::to_string_view(line.level);
      lines_.emplace_back(
          std::string(level.data(), level.size()),
          std::string(line.payload.data(), line.payload.size()));
    }
    void flush_() override {}

    std::vector<std::pair<std::string, std::string>> lines_;
  };

  const std::shared_ptr<Sink> sink_;
  const std::shared_ptr<spdlog::logger> before_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_LOG_CAPTURE_H_
