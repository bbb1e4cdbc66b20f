// What each service type proves itself by, and what it checks others by.
#ifndef SERVER_REGISTRY_CREDENTIALS_H_
#define SERVER_REGISTRY_CREDENTIALS_H_

#include <string>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"

namespace coord {

// One type's account at the token service. Each field is named as the
// reference's setting is, without OAUTH_.
struct TypeCredentials {
  std::string client_id;
  std::string client_secret;
  // Of the tokens that its node API wants; empty: generic_audience, else
  // client_audience, which are what a node checks. (`<TYPE>_AUDIENCE`)
  std::string audience;
  // What its node API checks tokens by: the generic pair where there is one,
  // else the client's own.
  std::string client_audience;
  std::string client_access_key;
  std::string generic_audience;
  std::string generic_key;
  std::string generic_previous_key;
  // Of tokens that clusterd issues to it as mST; a token service of its own
  // decides by itself.
  std::string scope = "create:itResource delete:server";

  // The audience of calls to this type.
  const std::string& CallAudience() const;
  // What its node API checks: the audience, and by which key.
  const std::string& NodeAudience() const {
    return generic_key.empty() ? client_audience : generic_audience;
  }
  const std::string& NodeKey() const {
    return generic_key.empty() ? client_access_key : generic_key;
  }
};

class Credentials {
 public:
  // Stands for every type that is not named: the environment of one service
  // may come without its type.
  static constexpr std::string_view kAnyType = "*";

  // Reads `{"<type>":{"client_id":…,"client_secret":…,…},…}` with members named
  // like the fields above. Any of them may be in a file of its own: `<member>_
  // file` names it. Errors: INVALID_ARGUMENT, naming file and member, never a
  // value.
  static absl::StatusOr<Credentials> FromFile(const std::string& path);

  void Set(std::string type, TypeCredentials credentials);
  // nullptr: none, not even for any type.
  const TypeCredentials* Find(std::string_view type) const;
  const absl::btree_map<std::string, TypeCredentials>& by_type() const {
    return by_type_;
  }

 private:
  absl::btree_map<std::string, TypeCredentials> by_type_;
};

// The content of a file that holds one secret, without the line end that
// editors add. Errors: INVALID_ARGUMENT (unreadable, empty, over 64 KiB).
absl::StatusOr<std::string> ReadSecretFile(const std::string& path);

}  // namespace coord

#endif  // SERVER_REGISTRY_CREDENTIALS_H_
