#include "tests/support/metrics_text.h"

#include <array>
#include <regex>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace coord {
namespace {

constexpr std::array<std::string_view, 3> kHistogramParts = {"_bucket",
                                                             "_count", "_sum"};

std::string NameOf(const std::string& series) {
  return series.substr(0, series.find('{'));
}

}  // namespace

MetricsText::MetricsText(const std::string& text) {
  for (const absl::string_view view : absl::StrSplit(text, '\n')) {
    const std::string line(view);
    if (line.starts_with("# ")) {
      ReadComment(line);
    } else if (!line.empty()) {
      ReadSample(line);
    }
  }
  for (const auto& [name, family] : families_) CheckFamily(name, family);
}

double MetricsText::Value(const std::string& series) const {
  const auto it = values_.find(series);
  return it == values_.end() ? -1 : it->second;
}

// `# HELP name words` or `# TYPE name word`.
void MetricsText::ReadComment(const std::string& line) {
  static const std::regex kComment("# (HELP|TYPE) ([^ ]+) (.+)");
  std::smatch parts;
  if (!std::regex_match(line, parts, kComment)) {
    return Complain(line, "is neither HELP nor TYPE");
  }
  Family& family = families_[parts[2]];
  std::string& said = parts[1] == "HELP" ? family.help : family.type;
  if (!said.empty()) Complain(parts[2], "is described twice");
  said = parts[3];
}

// `name{label="value"} 7`.
void MetricsText::ReadSample(const std::string& line) {
  const std::size_t space = line.rfind(' ');
  const std::string series = line.substr(0, space);
  double value = 0;
  if (!absl::SimpleAtod(line.substr(space + 1), &value)) {
    Complain(series, "has no number");
  }
  if (!values_.emplace(series, value).second) Complain(series, "comes twice");
  std::string family = NameOf(series);
  for (const std::string_view part : kHistogramParts) {
    const std::string stem(
        absl::StripSuffix(family, absl::string_view(part.data(), part.size())));
    const auto it = families_.find(stem);
    if (it != families_.end() && it->second.type == "histogram") family = stem;
  }
  if (!families_.contains(family)) Complain(series, "belongs to no family");
}

void MetricsText::CheckFamily(const std::string& name, const Family& family) {
  static const std::regex kName("clusterd(_[a-z0-9]+)+");
  static const std::regex kNoBaseUnit(
      ".*_(ms|millis|milliseconds|minutes|hours|kb|mb|percent)(_.*)?");
  static const std::regex kKind(".*_(counter|gauge|histogram|summary)(_.*)?");
  if (!std::regex_match(name, kName)) Complain(name, "is no name of ours");
  if (std::regex_match(name, kNoBaseUnit)) Complain(name, "has no base unit");
  if (std::regex_match(name, kKind)) Complain(name, "names its own type");
  if (family.help.empty()) Complain(name, "has no help");
  const bool total = name.ends_with("_total");
  if (family.type == "counter" && !total) Complain(name, "counts, not _total");
  if (family.type != "counter" && total) Complain(name, "is no counter");
  for (const std::string_view part : kHistogramParts) {
    if (name.ends_with(part)) Complain(name, "ends like a part of a histogram");
  }
  if (family.type == "histogram" && !name.ends_with("_seconds") &&
      !name.ends_with("_bytes")) {
    Complain(name, "has no unit");
  }
}

void MetricsText::Complain(const std::string& about, const std::string& what) {
  problems_.push_back(absl::StrCat(about, " ", what));
}

}  // namespace coord
