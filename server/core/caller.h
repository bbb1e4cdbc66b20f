// Who asked for something, as far as the transport tells.
#ifndef SERVER_CORE_CALLER_H_
#define SERVER_CORE_CALLER_H_

#include <string>

namespace coord {

// Carried with what people ask for, so that the log can name who did. Nothing
// in it is proven: an identity that is belongs here as well.
struct Caller {
  std::string peer;            // its address, as the transport writes it
  std::string correlation_id;  // of its request
  std::string user_agent;      // what it calls itself
};

// ` peer=… correlation_id=… user_agent=…` without what is not known; follows
// what Fields makes (common/log.h).
std::string FieldsOf(const Caller& caller);

}  // namespace coord

#endif  // SERVER_CORE_CALLER_H_
