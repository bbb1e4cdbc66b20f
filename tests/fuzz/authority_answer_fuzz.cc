#include "common/error.h"
#include "server/registry/mit_answer.h"
#include "server/registry/token_answer.h"
#include "tests/fuzz/must.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = coord::Input(data, size);
  coord::Server own;
  own.type = "t";
  own.server_id = "a";
  const auto answer = coord::ParseRegisterAnswer(text, own);
  if (answer.ok()) {
    coord::Must(answer->lease > absl::ZeroDuration());
    coord::Must(answer->record.server_id == own.server_id);
  } else {
    coord::Must(
        coord::HasReason(answer.status(), coord::Reason::kAuthorityBadAnswer));
  }
  const auto removal = coord::ParseRemovalAnswer(text, {"c", "a"}, "t");
  if (removal.ok() && std::holds_alternative<coord::NewerRecord>(*removal)) {
    coord::Must(std::get<coord::NewerRecord>(*removal).record.server_id == "a");
  }
  if (const auto tokens = coord::ParseTokenAnswer(text)) {
    coord::Must(tokens->access.text.find_first_of("\r\n ") ==
                std::string::npos);
  }
  return 0;
}
