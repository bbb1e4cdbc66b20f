// Members of JSON objects that others wrote.
#ifndef SERVER_REGISTRY_JSON_MEMBER_H_
#define SERVER_REGISTRY_JSON_MEMBER_H_

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace coord {

// A string member; nullopt when it is absent, null or anything else.
std::optional<std::string> StringMember(const boost::json::object& object,
                                        std::string_view name);

}  // namespace coord

#endif  // SERVER_REGISTRY_JSON_MEMBER_H_
