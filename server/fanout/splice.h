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
    kBad,  // announced as JSON and does not parse, or is not UTF-8
  };
  Kind kind = Kind::kNotJson;
  // Of kJson. Of a member that is there twice the last one counts.
  std::string_view data;  // raw `data`, points into the body; of an array, what
                          // is between the brackets. Empty: nothing to add
  bool has_data = false;  // there is a `data` member (null is one)
  std::string server_id;  // `server.serverId`, unescaped
  bool has_server = false;  // there is a `server.serverId` that is a string
  bool has_status_code = false;  // a top-level `statusCode`
};

// Whether a Content-Type says JSON: `…/json` or `…+json`.
bool AnnouncesJson(std::string_view content_type);

// Reads node answers; one for each loop, since its buffers are reused. Not
// thread-safe.
class NodeBodyReader {
 public:
  NodeBodyReader();
  ~NodeBodyReader();
  NodeBodyReader(NodeBodyReader&&) noexcept;

  // `content_type` decides whether it claims to be JSON. All of the body is
  // checked against RFC 8259, numbers of any size included. Bad are also
  // strings that UTF-8 can't hold (a lone surrogate, escaped) and nesting
  // deeper than 512.
  NodeBody Read(std::string_view content_type, const std::string& body);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace coord

#endif  // SERVER_FANOUT_SPLICE_H_
