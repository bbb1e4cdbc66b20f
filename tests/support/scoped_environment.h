// An environment variable that is set for one test.
#ifndef TESTS_SUPPORT_SCOPED_ENVIRONMENT_H_
#define TESTS_SUPPORT_SCOPED_ENVIRONMENT_H_

#include <cstdlib>
#include <string>
#include <utility>

namespace coord {

class ScopedEnvironment {
 public:
  ScopedEnvironment(std::string name, const std::string& value)
      : name_(std::move(name)) {
    setenv(name_.c_str(), value.c_str(), 1);
  }
  ~ScopedEnvironment() { unsetenv(name_.c_str()); }
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

 private:
  const std::string name_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_SCOPED_ENVIRONMENT_H_
