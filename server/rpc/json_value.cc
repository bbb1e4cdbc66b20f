#include "server/rpc/json_value.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace coord {
namespace {

namespace json = boost::json;
using google::protobuf::Value;

constexpr int kMaxReadDepth = 32;
constexpr double kMaxWhole = 9007199254740992.0;  // 2^53

class Writer {
 public:
  explicit Writer(JsonLimits limits) : limits_(limits) {}

  absl::Status Write(const Value& value, int depth) {
    if (depth > limits_.max_depth) {
      return absl::InvalidArgumentError(
          absl::StrCat("must not be nested deeper than ", limits_.max_depth));
    }
    if (text_.size() > limits_.max_bytes) return TooLong();
    switch (value.kind_case()) {
      case Value::kNullValue:
        text_ += "null";
        return absl::OkStatus();
      case Value::kBoolValue:
        text_ += value.bool_value() ? "true" : "false";
        return absl::OkStatus();
      case Value::kNumberValue:
        return WriteNumber(value.number_value());
      case Value::kStringValue:
        WriteString(value.string_value());
        return absl::OkStatus();
      case Value::kListValue:
        return WriteList(value.list_value(), depth);
      case Value::kStructValue:
        return WriteStruct(value.struct_value(), depth);
      case Value::KIND_NOT_SET:
        break;
    }
    return absl::InvalidArgumentError("must not contain a value of no kind");
  }

  absl::StatusOr<std::string> Take() {
    if (text_.size() > limits_.max_bytes) return TooLong();
    return std::move(text_);
  }

 private:
  absl::Status TooLong() const {
    return absl::InvalidArgumentError(absl::StrCat(
        "must be at most ", limits_.max_bytes, " bytes as JSON text"));
  }

  absl::Status WriteNumber(double number) {
    if (!std::isfinite(number)) {
      return absl::InvalidArgumentError("must contain only finite numbers");
    }
    if (number == std::trunc(number) && std::abs(number) <= kMaxWhole) {
      absl::StrAppend(&text_, static_cast<std::int64_t>(number));
      return absl::OkStatus();
    }
    char buffer[32];
    const auto end = std::to_chars(buffer, std::end(buffer), number).ptr;
    text_.append(buffer, end);
    return absl::OkStatus();
  }

  void WriteString(const std::string& string) {
    text_ += json::serialize(json::string_view(string.data(), string.size()));
  }

  absl::Status WriteList(const google::protobuf::ListValue& list, int depth) {
    text_ += '[';
    for (int i = 0; i < list.values_size(); ++i) {
      if (i > 0) text_ += ',';
      absl::Status written = Write(list.values(i), depth + 1);
      if (!written.ok()) return written;
    }
    text_ += ']';
    return absl::OkStatus();
  }

  // In order of the names, so that equal values are equal text.
  absl::Status WriteStruct(const google::protobuf::Struct& object, int depth) {
    std::vector<const std::string*> names;
    names.reserve(object.fields().size());
    for (const auto& [name, value] : object.fields()) names.push_back(&name);
    std::sort(names.begin(), names.end(),
              [](const auto* a, const auto* b) { return *a < *b; });
    text_ += '{';
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (i > 0) text_ += ',';
      WriteString(*names[i]);
      text_ += ':';
      absl::Status written = Write(object.fields().at(*names[i]), depth + 1);
      if (!written.ok()) return written;
    }
    text_ += '}';
    return absl::OkStatus();
  }

  const JsonLimits limits_;
  std::string text_;
};

void FromParsed(const json::value& parsed, Value* value) {
  switch (parsed.kind()) {
    case json::kind::null:
      value->set_null_value(google::protobuf::NULL_VALUE);
      return;
    case json::kind::bool_:
      value->set_bool_value(parsed.get_bool());
      return;
    case json::kind::int64:
      value->set_number_value(static_cast<double>(parsed.get_int64()));
      return;
    case json::kind::uint64:
      value->set_number_value(static_cast<double>(parsed.get_uint64()));
      return;
    case json::kind::double_:
      value->set_number_value(parsed.get_double());
      return;
    case json::kind::string:
      value->set_string_value(parsed.get_string().data(),
                              parsed.get_string().size());
      return;
    case json::kind::array: {
      auto* list = value->mutable_list_value();
      for (const json::value& item : parsed.get_array()) {
        FromParsed(item, list->add_values());
      }
      return;
    }
    case json::kind::object: {
      auto& fields = *value->mutable_struct_value()->mutable_fields();
      for (const auto& member : parsed.get_object()) {
        FromParsed(member.value(), &fields[std::string(member.key())]);
      }
      return;
    }
  }
}

}  // namespace

absl::StatusOr<std::string> JsonFromValue(const Value& value,
                                          JsonLimits limits) {
  Writer writer(limits);
  absl::Status written = writer.Write(value, 1);
  if (!written.ok()) return written;
  return writer.Take();
}

void ValueFromJson(std::string_view text, Value* value) {
  json::parse_options options;
  options.max_depth = kMaxReadDepth;
  json::error_code error;
  const json::value parsed = json::parse(
      json::string_view(text.data(), text.size()), error, {}, options);
  if (error) {
    value->set_null_value(google::protobuf::NULL_VALUE);
    return;
  }
  FromParsed(parsed, value);
}

}  // namespace coord
