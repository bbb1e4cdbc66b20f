// How clusterctl writes things for people and shells.
#ifndef CLIENT_CTL_TEXT_H_
#define CLIENT_CTL_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/generated_enum_reflection.h"
#include "google/protobuf/timestamp.pb.h"

namespace coord {

// `text` with every control character as `\xNN`, so that what a server sends
// can neither break a line nor command a terminal.
std::string Printable(std::string_view text);

// The same with line breaks left alone, and none at the end.
std::string PrintableLines(std::string_view text);

// `1 server`, `2 servers`.
std::string Counted(int count, std::string_view noun);

// `text` as one word of a POSIX shell.
std::string ShellQuote(std::string_view text);

// `850us`, `3.1ms`, `1.25s`, `2m30s`: three digits say enough.
std::string ShortInterval(absl::Duration interval);
// The same; empty for a message that is not set.
std::string ShortInterval(const google::protobuf::Duration& interval);

// How old a membership is, `42s old`; empty where it is not old at all, or
// where that is not said.
std::string AgeText(const google::protobuf::Duration& age);

// `2026-11-24T02:18:03.899Z`; empty for a message that is not set.
std::string Date(const google::protobuf::Timestamp& time);

// `POLICY_MET` for SKIP_REASON_POLICY_MET.
std::string StripEnumPrefix(const google::protobuf::EnumDescriptor& descriptor,
                            int value);
template <typename Enum>
std::string EnumName(Enum value) {
  return StripEnumPrefix(*google::protobuf::GetEnumDescriptor<Enum>(), value);
}

// The elements of a JSON array, as they stand there. Text that is no array is
// its only element.
std::vector<std::string_view> JsonElements(std::string_view array);

// Two aligned columns, indented; one line each.
// The second column begins no further left than `min_width` asks for.
std::string HelpLines(
    const std::vector<std::pair<std::string, std::string>>& lines,
    std::size_t min_width = 0);

// What went wrong in one line, with the reason in parentheses; several bad
// fields in a line each.
std::string ErrorText(const absl::Status& status);

}  // namespace coord

#endif  // CLIENT_CTL_TEXT_H_
