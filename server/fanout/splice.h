// What a node's answer adds to `data`, cut out as raw text: nothing is parsed
// into a tree and printed again.
#ifndef SERVER_FANOUT_SPLICE_H_
#define SERVER_FANOUT_SPLICE_H_

#include <memory>
#include <string>
#include <string_view>

namespace coord {

struct NodeBody {
  enum class Kind {
    kNotJson,  // not announced as JSON: a result with its body, no data
    kJson,
    kBad,      // announced as JSON and does not parse, or is not UTF-8
  };
  Kind kind = Kind::kNotJson;
  // Of kJson; both point into the body.
  std::string_view data;  // raw `data`; of an array, what is between the
                          // brackets. Empty: nothing to add
  bool has_data = false;  // there is a `data` member (null is one)
  std::string server_id;  // `server.serverId`, unescaped
  bool has_server = false;  // there is a `server.serverId` that is a string
  bool has_status_code = false;  // a top-level `statusCode`
};

// Reads node answers; one for each loop, since its buffers are reused. Not
// thread-safe.
class NodeBodyReader {
 public:
  NodeBodyReader();
  ~NodeBodyReader();
  // `content_type` decides whether it claims to be JSON.
  NodeBody Read(std::string_view content_type, const std::string& body);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace coord

#endif  // SERVER_FANOUT_SPLICE_H_
