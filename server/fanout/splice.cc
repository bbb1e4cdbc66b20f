#include "server/fanout/splice.h"

#include <simdjson.h>

#include <cstddef>
#include <utility>

#include "absl/strings/match.h"
#include "common/text_view.h"

namespace coord {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr int kMaxDepth = 512;
// Buffers that a larger body has grown are given back.
constexpr std::size_t kMaxKeptBuffer = 1 << 20;

std::string_view TrimJsonSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return text.substr(0, 0);
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool SkipOne(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

bool SkipDigits(std::string_view& text) {
  constexpr std::string_view kDigits = "0123456789";
  if (!SkipOne(text, kDigits)) return false;
  while (SkipOne(text, kDigits)) {
  }
  return true;
}

// simdjson refuses numbers that fit no 64-bit type; JSON does not.
bool IsNumber(std::string_view text) {
  SkipOne(text, "-");
  if (!SkipOne(text, "0") && !SkipDigits(text)) return false;
  if (SkipOne(text, ".") && !SkipDigits(text)) return false;
  if (SkipOne(text, "eE")) {
    SkipOne(text, "+-");
    if (!SkipDigits(text)) return false;
  }
  return text.empty();
}

bool IsNumberOrLiteral(std::string_view token) {
  return token == "null" || token == "true" || token == "false" ||
         IsNumber(token);
}

// Walks `container`, an array or an object, calling `visit` for each element
// or field. On-demand parsing checks only what is visited, so all of it is.
template <typename Container, typename Visit>
bool WalkEach(simdjson::simdjson_result<Container> container, Visit visit) {
  Container found;
  if (std::move(container).get(found) != simdjson::SUCCESS) return false;
  for (auto element : found) {
    if (element.error() != simdjson::SUCCESS) return false;
    if (!visit(element.value_unsafe())) return false;
  }
  return true;
}

bool IsValid(ondemand::value value, int depth) {
  if (depth > kMaxDepth) return false;
  ondemand::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  switch (type) {
    case ondemand::json_type::array:
      return WalkEach(value.get_array(), [depth](ondemand::value element) {
        return IsValid(element, depth + 1);
      });
    case ondemand::json_type::object:
      return WalkEach(value.get_object(), [depth](ondemand::field field) {
        return field.unescaped_key().error() == simdjson::SUCCESS &&
               IsValid(field.value(), depth + 1);
      });
    case ondemand::json_type::string:
      return value.get_string().error() == simdjson::SUCCESS;
    default:
      return IsNumberOrLiteral(TrimJsonSpace(value.raw_json_token()));
  }
}

}  // namespace

bool AnnouncesJson(std::string_view content_type) {
  std::string_view media_type = content_type.substr(0, content_type.find(';'));
  while (!media_type.empty() && media_type.back() == ' ') {
    media_type.remove_suffix(1);
  }
  return absl::EndsWithIgnoreCase(AbslView(media_type), "/json") ||
         absl::EndsWithIgnoreCase(AbslView(media_type), "+json");
}

struct NodeBodyReader::Parser {
  ondemand::parser parser;
  ondemand::document document;
  std::string padded;  // a copy of the body: simdjson reads beyond its end

  NodeBody Read(const std::string& body);
  bool ReadDocument(NodeBody& found);
  bool AtEnd();
  bool ReadMember(ondemand::field field, NodeBody& found);
  bool ReadData(ondemand::value value, NodeBody& found);
  static bool ReadServer(ondemand::value value, NodeBody& found);
};

NodeBody NodeBodyReader::Parser::Read(const std::string& body) {
  NodeBody found;
  padded.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  padded = body;
  padded.append(simdjson::SIMDJSON_PADDING, ' ');
  const simdjson::padded_string_view view(padded.data(), body.size(),
                                          padded.size());
  if (parser.iterate(view).get(document) != simdjson::SUCCESS ||
      !ReadDocument(found)) {
    found = {};
    found.kind = NodeBody::Kind::kBad;
    return found;
  }
  found.kind = NodeBody::Kind::kJson;
  if (found.has_data) {
    found.data = std::string_view(body).substr(
        static_cast<std::size_t>(found.data.data() - padded.data()),
        found.data.size());
  }
  return found;
}

bool NodeBodyReader::Parser::ReadDocument(NodeBody& found) {
  ondemand::json_type type;
  if (document.type().get(type) != simdjson::SUCCESS) return false;
  switch (type) {
    case ondemand::json_type::object:
      return WalkEach(document.get_object(),
                      [&](ondemand::field field) {
                        return ReadMember(field, found);
                      }) &&
             AtEnd();
    case ondemand::json_type::array:
      return WalkEach(
                 document.get_array(),
                 [](ondemand::value element) { return IsValid(element, 2); }) &&
             AtEnd();
    case ondemand::json_type::string:
      return document.get_string().error() == simdjson::SUCCESS && AtEnd();
    default:
      return IsNumberOrLiteral(TrimJsonSpace(std::string_view(padded).substr(
          0, padded.size() - simdjson::SIMDJSON_PADDING)));
  }
}

// Whether nothing stands behind what was walked.
bool NodeBodyReader::Parser::AtEnd() {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

bool NodeBodyReader::Parser::ReadMember(ondemand::field field,
                                        NodeBody& found) {
  std::string_view key;
  if (field.unescaped_key().get(key) != simdjson::SUCCESS) return false;
  if (key == "data") return ReadData(field.value(), found);
  if (key == "server") return ReadServer(field.value(), found);
  if (key == "statusCode") found.has_status_code = true;
  return IsValid(field.value(), 2);
}

bool NodeBodyReader::Parser::ReadData(ondemand::value value, NodeBody& found) {
  const std::string_view token = TrimJsonSpace(value.raw_json_token());
  if (!IsValid(value, 2)) return false;
  found.has_data = true;
  found.data = token;
  if (token != "[" && token != "{") return true;
  const char* behind;
  if (document.current_location().get(behind) != simdjson::SUCCESS) {
    return false;
  }
  found.data = TrimJsonSpace(
      {token.data(), static_cast<std::size_t>(behind - token.data())});
  if (token == "[") {
    found.data = TrimJsonSpace(found.data.substr(1, found.data.size() - 2));
  }
  return true;
}

bool NodeBodyReader::Parser::ReadServer(ondemand::value value,
                                        NodeBody& found) {
  found.has_server = false;
  found.server_id.clear();
  ondemand::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  if (type != ondemand::json_type::object) return IsValid(value, 2);
  return WalkEach(value.get_object(), [&found](ondemand::field field) {
    std::string_view key;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS) return false;
    ondemand::value member = field.value();
    if (key != "serverId") return IsValid(member, 3);
    ondemand::json_type member_type;
    if (member.type().get(member_type) != simdjson::SUCCESS) return false;
    found.has_server = member_type == ondemand::json_type::string;
    if (!found.has_server) return IsValid(member, 3);
    std::string_view id;
    if (member.get_string().get(id) != simdjson::SUCCESS) return false;
    found.server_id = id;
    return true;
  });
}

NodeBodyReader::NodeBodyReader() : parser_(std::make_unique<Parser>()) {}
NodeBodyReader::~NodeBodyReader() = default;
NodeBodyReader::NodeBodyReader(NodeBodyReader&&) noexcept = default;

NodeBody NodeBodyReader::Read(std::string_view content_type,
                              const std::string& body) {
  if (!AnnouncesJson(content_type)) return {};
  NodeBody found = parser_->Read(body);
  if (body.size() > kMaxKeptBuffer) parser_ = std::make_unique<Parser>();
  return found;
}

}  // namespace coord
