#include "server/core/resume_token.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/text_view.h"
#include "common/url.h"

namespace coord {

std::string FormatResumeToken(const ResumeToken& token) {
  // In base64, so that nobody comes to rely on what is inside.
  return absl::WebSafeBase64Escape(
      absl::StrCat(token.revision, ":", PercentEncode(token.epoch), ":",
                   PercentEncode(token.cluster_id)));
}

std::optional<ResumeToken> ParseResumeToken(std::string_view text) {
  std::string plain;
  if (!absl::WebSafeBase64Unescape(AbslView(text), &plain)) return std::nullopt;
  const std::vector<std::string> parts = absl::StrSplit(plain, ':');
  ResumeToken token;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &token.revision)) {
    return std::nullopt;
  }
  token.epoch = PercentDecode(parts[1]);
  token.cluster_id = PercentDecode(parts[2]);
  return token;
}

}  // namespace coord
