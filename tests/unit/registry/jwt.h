// Tokens as a token service issues them.
#ifndef TESTS_UNIT_REGISTRY_JWT_H_
#define TESTS_UNIT_REGISTRY_JWT_H_

#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/text_view.h"

namespace coord {

// A JWT with `exp` and a name to tell it by; nobody checks its signature.
inline std::string Jwt(std::string_view name, absl::Time expiry) {
  return absl::StrCat(absl::WebSafeBase64Escape(R"({"alg":"HS256"})"), ".",
                      absl::WebSafeBase64Escape(absl::StrCat(
                          R"({"name":")", AbslView(name), R"(","exp":)",
                          absl::ToUnixSeconds(expiry), "}")),
                      ".c2lnbmF0dXJl");
}

inline std::string TokenAnswerJson(const std::string& access,
                                   const std::string& refresh) {
  return absl::StrCat(R"({"data":{"access_token":")", access,
                      R"(","refresh_token":")", refresh, R"("}})");
}

}  // namespace coord

#endif  // TESTS_UNIT_REGISTRY_JWT_H_
