#include "server/core/caller.h"

#include "common/log.h"

namespace coord {
namespace {

std::string FieldIfAny(std::string_view name, const std::string& value) {
  return value.empty() ? "" : Fields({{name, value}});
}

}  // namespace

std::string FieldsOf(const Caller& caller) {
  return FieldIfAny("peer", caller.peer) +
         FieldIfAny("correlation_id", caller.correlation_id) +
         FieldIfAny("user_agent", caller.user_agent);
}

}  // namespace coord
