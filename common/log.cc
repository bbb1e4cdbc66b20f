#include "common/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/text_view.h"
#include "common/utf8.h"

namespace coord {
namespace {

constexpr std::string_view kTime = "%Y-%m-%dT%H:%M:%S.%eZ";
constexpr char kPayload = '*';  // the flag of our own in spdlog's patterns

// Appends valid UTF-8 as the inside of a JSON string.
void AppendEscaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
}

std::string JsonText(std::string_view text) {
  std::string json = "\"";
  AppendEscaped(json, EscapeInvalidUtf8(text));
  json += '"';
  return json;
}

bool IsBare(char c) {
  return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '"' &&
         c != '\\' && c != '=';
}

bool IsBareWord(std::string_view text) {
  for (const char c : text) {
    if (!IsBare(c)) return false;
  }
  return !text.empty();
}

std::string_view TakeBare(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && IsBare(text[length])) ++length;
  const std::string_view bare = text.substr(0, length);
  text.remove_prefix(length);
  return bare;
}

// Takes a quoted text as JsonText writes it, quotes included; empty when there
// is none.
std::string_view TakeQuoted(std::string_view& text) {
  std::size_t i = 1;
  while (i < text.size() && text[i] != '"') {
    if (text[i] != '\\') {
      ++i;
      continue;
    }
    const std::string_view escape = text.substr(i + 1, 5);
    if (escape.starts_with("u00") && escape.size() == 5 &&
        absl::ascii_isxdigit(static_cast<unsigned char>(escape[3])) &&
        absl::ascii_isxdigit(static_cast<unsigned char>(escape[4]))) {
      i += 6;
    } else if (escape.starts_with('"') || escape.starts_with('\\') ||
               escape.starts_with('n')) {
      i += 2;
    } else {
      return "";
    }
  }
  if (i >= text.size()) return "";
  const std::string_view quoted = text.substr(0, i + 1);
  text.remove_prefix(i + 1);
  return quoted;
}

// Takes ` key=value` off the front and appends it as `"key":"value"`.
bool TakeField(std::string_view& text, std::string& json) {
  std::string_view rest = text;
  if (!rest.starts_with(' ')) return false;
  rest.remove_prefix(1);
  const std::string_view key = TakeBare(rest);
  if (key.empty() || !rest.starts_with('=')) return false;
  rest.remove_prefix(1);
  std::string value;
  if (rest.starts_with('"')) {
    value = TakeQuoted(rest);
  } else if (const std::string_view bare = TakeBare(rest); !bare.empty()) {
    value = JsonText(bare);
  }
  if (value.empty() || (!rest.empty() && rest.front() != ' ')) return false;
  absl::StrAppend(&json, json.empty() ? "" : ",", JsonText(key), ":", value);
  text = rest;
  return true;
}

// `"message":"…"` and, of a line that ends in what Fields makes,
// `"fields":{…}`.
std::string JsonMembers(std::string_view line) {
  std::string_view rest = line;
  std::string_view message = line;
  std::string fields;
  while (!rest.empty()) {
    const std::string_view before = rest;
    if (TakeField(rest, fields)) {
      if (message.size() == line.size()) {
        message = line.substr(0, line.size() - before.size());
      }
    } else {
      rest.remove_prefix(1);
      fields.clear();
      message = line;
    }
  }
  std::string members = absl::StrCat("\"message\":", JsonText(message));
  if (!fields.empty()) absl::StrAppend(&members, ",\"fields\":{", fields, "}");
  return members;
}

// One line stays one line, whatever was logged.
std::string TextLine(std::string_view line) {
  std::string text;
  for (const char c : line) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      AppendEscaped(text, {&c, 1});
    } else {
      text += c;
    }
  }
  return text;
}

class PayloadFormatter final : public spdlog::custom_flag_formatter {
 public:
  explicit PayloadFormatter(LogFormat format) : format_(format) {}

  void format(const spdlog::details::log_msg& msg, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string valid =
        EscapeInvalidUtf8({msg.payload.data(), msg.payload.size()});
    const std::string text =
        format_ == LogFormat::kJson ? JsonMembers(valid) : TextLine(valid);
    out.append(text.data(), text.data() + text.size());
  }

  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<PayloadFormatter>(format_);
  }

 private:
  const LogFormat format_;
};

std::optional<spdlog::level::level_enum> ParseLevel(std::string_view level) {
  using Row = std::pair<std::string_view, spdlog::level::level_enum>;
  constexpr std::array kLevels = {
      Row{"trace", spdlog::level::trace}, Row{"debug", spdlog::level::debug},
      Row{"info", spdlog::level::info},   Row{"warn", spdlog::level::warn},
      Row{"error", spdlog::level::err},   Row{"off", spdlog::level::off}};
  for (const auto& [name, value] : kLevels) {
    if (name == level) return value;
  }
  return std::nullopt;
}

}  // namespace

absl::Status SetUpLogging(LogFormat format, std::string_view level) {
  const auto parsed = ParseLevel(level);
  if (!parsed) {
    return absl::InvalidArgumentError(absl::StrCat(
        "log level must be trace, debug, info, warn, error or off, not ",
        JsonText(level)));
  }
  auto formatter = std::make_unique<spdlog::pattern_formatter>(
      spdlog::pattern_time_type::utc);
  formatter->add_flag<PayloadFormatter>(kPayload, format);
  formatter->set_pattern(format == LogFormat::kJson
                             ? absl::StrCat("{\"time\":\"", AbslView(kTime),
                                            "\",\"level\":\"%l\",%*}")
                             : absl::StrCat(AbslView(kTime), " %l %*"));
  auto logger = std::make_shared<spdlog::logger>(
      "", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::move(formatter));
  logger->set_level(*parsed);
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

std::string Fields(
    std::initializer_list<std::pair<std::string_view, std::string_view>>
        pairs) {
  std::string fields;
  for (const auto& [key, value] : pairs) {
    absl::StrAppend(&fields, " ", AbslView(key), "=",
                    IsBareWord(value) ? std::string(value) : JsonText(value));
  }
  return fields;
}

}  // namespace coord
