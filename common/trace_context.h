// The trace that a call belongs to, as W3C Trace Context writes it:
// https://www.w3.org/TR/trace-context
#ifndef COMMON_TRACE_CONTEXT_H_
#define COMMON_TRACE_CONTEXT_H_

#include <string>
#include <string_view>

namespace coord {

// Passed on as it came: clusterd adds no span of its own.
struct TraceContext {
  std::string parent;  // `traceparent`; empty: the call belongs to no trace
  std::string state;   // `tracestate`; empty: none

  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

// What the two headers say, of which several `tracestate` are joined by commas.
// A `parent` that is none gives an empty context, a `state` that is none or has
// more than 512 bytes is left out.
TraceContext ReadTraceContext(std::string_view parent, std::string_view state);

}  // namespace coord

#endif  // COMMON_TRACE_CONTEXT_H_
