// Where a watcher stood, as text that it hands back to go on from there.
#ifndef SERVER_CORE_RESUME_TOKEN_H_
#define SERVER_CORE_RESUME_TOKEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coord {

struct ResumeToken {
  std::string
      epoch;  // the life of a process in which `revision` means anything
  std::string cluster_id;
  std::int64_t revision = 0;  // the last that was delivered
};

std::string FormatResumeToken(const ResumeToken& token);
// nullopt for what FormatResumeToken did not make.
std::optional<ResumeToken> ParseResumeToken(std::string_view text);

}  // namespace coord

#endif  // SERVER_CORE_RESUME_TOKEN_H_
