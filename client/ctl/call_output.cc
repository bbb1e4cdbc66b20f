#include "client/ctl/call_output.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/ctl/table.h"
#include "client/ctl/text.h"

namespace coord {
namespace {

// One node's outcome as cells: NODE, OUTCOME, STATUS, REASON, CERTAINTY,
// ATTEMPTS, ELAPSED, MESSAGE.
using Row = std::vector<std::string>;

std::string StatusCell(int http_status) {
  return http_status == 0 ? "" : absl::StrCat(http_status);
}

Row RowOf(const pb::FanOutResult& result) {
  return {result.server_id(),
          "ok",
          StatusCell(result.http_status()),
          "",
          "",
          absl::StrCat(result.attempts()),
          ShortInterval(result.elapsed()),
          ""};
}

Row RowOf(const pb::FanOutFailure& failure) {
  return {failure.server_id(),
          "failed",
          StatusCell(failure.http_status()),
          EnumName(failure.reason()),
          EnumName(failure.certainty()),
          absl::StrCat(failure.attempts()),
          ShortInterval(failure.elapsed()),
          failure.message()};
}

Row RowOf(const pb::FanOutSkip& skip) {
  return {skip.server_id(),           "skipped", "", EnumName(skip.reason()),
          EnumName(skip.certainty()), "",        "", ""};
}

std::string RowText(const Row& row) {
  std::vector<std::string> cells;
  for (const std::string& cell : row) {
    if (!cell.empty()) cells.push_back(Printable(cell));
  }
  return absl::StrJoin(cells, "  ");
}

std::string WarningText(int warning) {
  switch (warning) {
    case pb::WARNING_EMPTY:
      return "there was nobody to call";
    case pb::WARNING_STALE:
      return "the list of servers is old: some may have come or gone";
    case pb::WARNING_SELF_PRESERVATION:
      return "clusterd may be cut off: most servers fail its probes";
    default:
      return "this clusterctl does not know it";
  }
}

struct Counts {
  int results;
  int failures;
  int skipped;
};

// Of a FanOutResponse or a FanOutSummary.
template <typename Message>
std::string VerdictText(const Message& message, Counts counts) {
  std::string text =
      absl::StrCat(EnumName(message.verdict()), ": ", counts.results, " of ",
                   message.expected_count(), " ok");
  if (counts.failures > 0) {
    absl::StrAppend(&text, ", ", counts.failures, " failed");
  }
  if (counts.skipped > 0) {
    absl::StrAppend(&text, ", ", counts.skipped, " skipped");
  }
  if (message.has_elapsed()) {
    absl::StrAppend(&text, " in ", ShortInterval(message.elapsed()));
  }
  if (!message.policy_met()) absl::StrAppend(&text, "; policy not met");
  const std::string age = AgeText(message.membership_age());
  if (!age.empty()) absl::StrAppend(&text, "; membership ", age);
  text += '\n';
  for (const int warning : message.warnings()) {
    absl::StrAppend(&text, "warning ",
                    EnumName(static_cast<pb::Warning>(warning)), ": ",
                    WarningText(warning), "\n");
  }
  return text;
}

template <typename Outcomes>
void AppendBodies(const Outcomes& outcomes, std::string& text) {
  for (const auto& it : outcomes) {
    if (it.body().empty()) continue;
    absl::StrAppend(&text, "\nbody of ", Printable(it.server_id()), ":\n",
                    PrintableLines(it.body()), "\n");
  }
}

}  // namespace

std::string ResponseText(const pb::FanOutResponse& response) {
  std::string text =
      VerdictText(response, {response.results_size(), response.failures_size(),
                             response.skipped_size()});
  Table table({"NODE", "OUTCOME", "STATUS", "REASON", "CERTAINTY", "ATTEMPTS",
               "ELAPSED", "MESSAGE"});
  for (const auto& result : response.results()) table.Add(RowOf(result));
  for (const auto& failure : response.failures()) table.Add(RowOf(failure));
  for (const auto& skip : response.skipped()) table.Add(RowOf(skip));
  if (!table.empty()) absl::StrAppend(&text, "\n", table.ToString());

  AppendBodies(response.results(), text);
  AppendBodies(response.failures(), text);

  const auto elements = JsonElements(response.data_json());
  if (!elements.empty()) {
    absl::StrAppend(&text, "\ndata, ",
                    Counted(static_cast<int>(elements.size()), "element"),
                    ":\n");
  }
  for (const std::string_view element : elements) {
    absl::StrAppend(&text, Printable(element), "\n");
  }
  return text;
}

std::string EventText(const pb::StreamFanOutResponse& event) {
  switch (event.event_case()) {
    case pb::StreamFanOutResponse::kResult: {
      std::string text = RowText(RowOf(event.result())) + "\n";
      if (!event.result().body().empty()) {
        absl::StrAppend(&text, PrintableLines(event.result().body()), "\n");
      }
      return text;
    }
    case pb::StreamFanOutResponse::kFailure:
      return RowText(RowOf(event.failure())) + "\n";
    case pb::StreamFanOutResponse::kSkip:
      return RowText(RowOf(event.skip())) + "\n";
    case pb::StreamFanOutResponse::kSummary: {
      const pb::FanOutSummary& summary = event.summary();
      return VerdictText(summary,
                         {summary.result_count(), summary.failure_count(),
                          summary.skipped_count()});
    }
    case pb::StreamFanOutResponse::EVENT_NOT_SET:
      return "";
  }
  return "";
}

ExitCode CallExitCode(pb::Verdict verdict, bool policy_named, bool policy_met) {
  if (verdict == pb::VERDICT_COMPLETE || (policy_named && policy_met)) {
    return ExitCode::kOk;
  }
  return verdict == pb::VERDICT_NONE ? ExitCode::kNoAnswer
                                     : ExitCode::kPartialAnswer;
}

}  // namespace coord
