// Sizes for tests of the engine alone: the bytes of all texts, and some for the
// rest.
#ifndef TESTS_SUPPORT_PLAIN_FORMAT_H_
#define TESTS_SUPPORT_PLAIN_FORMAT_H_

#include <cstddef>

#include "server/fanout/answer_format.h"

namespace coord {

class PlainFormat final : public AnswerFormat {
 public:
  std::size_t SizeOf(const NodeOutcome& outcome) const override {
    std::size_t size = 32 + outcome.server_id.size() +
                       outcome.cluster_base_url.size() + outcome.body.size() +
                       outcome.message.size();
    for (const HttpHeader& header : outcome.headers) {
      size += header.name.size() + header.value.size() + 4;
    }
    return size;
  }
  std::size_t SizeOf(const FanOutSummary& summary,
                     std::size_t data_bytes) const override {
    return 32 + summary.cluster_id.size() + data_bytes;
  }
};

}  // namespace coord

#endif  // TESTS_SUPPORT_PLAIN_FORMAT_H_
