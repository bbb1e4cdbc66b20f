// The aggregate of a cluster call, for people, and what it means for a script.
#ifndef CLIENT_CTL_CALL_OUTPUT_H_
#define CLIENT_CTL_CALL_OUTPUT_H_

#include <algorithm>
#include <string>

#include "client/ctl/command.h"
#include "mimik/cluster/v1/fan_out_service.pb.h"

namespace coord {

// The verdict, what to know of the membership, one line per node, bodies if
// asked for, then the data with one element per line.
std::string ResponseText(const ::mimik::cluster::v1::FanOutResponse& response);

// One line for one node, as it arrives; the summary as a verdict.
std::string EventText(const ::mimik::cluster::v1::StreamFanOutResponse& event);

// What a call amounts to. Where the caller named a policy, meeting it is
// enough; else every expected node must be in the results.
ExitCode CallExitCode(::mimik::cluster::v1::Verdict verdict, bool policy_named,
                      bool policy_met);

// Whether there was nobody to call, be it for a FanOutResponse or a
// FanOutSummary.
template <typename Message>
bool CalledNobody(const Message& message) {
  const auto& warnings = message.warnings();
  return std::find(warnings.begin(), warnings.end(),
                   ::mimik::cluster::v1::WARNING_EMPTY) != warnings.end();
}

}  // namespace coord

#endif  // CLIENT_CTL_CALL_OUTPUT_H_
