#include "server/registry/json_member.h"

#include <boost/json/value.hpp>

namespace coord {
namespace json = boost::json;

std::optional<std::string> StringMember(const json::object& object,
                                        std::string_view name) {
  const json::value* value =
      object.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const json::string& text = value->get_string();
  return std::string(text.data(), text.size());
}

}  // namespace coord
