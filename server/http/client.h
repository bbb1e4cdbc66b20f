// The HTTP client: one lean implementation for fan-outs, probes, announcements
// and the authority.
#ifndef SERVER_HTTP_CLIENT_H_
#define SERVER_HTTP_CLIENT_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/http/asio_loop.h"
#include "server/http/client_resources.h"
#include "server/http/transport.h"

namespace coord {

struct HttpClientOptions {
  // For each origin: connections at the most, idle ones kept, and requests that
  // may wait for one (over it: kOverloaded).
  std::size_t max_connections = 512;
  std::size_t max_idle = 64;
  std::size_t max_waiting = 4096;
  // Over all origins.
  std::size_t max_total_idle = 4096;
  // Node.js closes after 5 s idle.
  absl::Duration max_idle_time = absl::Seconds(4);
  absl::Duration max_idle_time_unrepeatable = absl::Seconds(1);
  // A connection that is older, ± 10 %, takes no other request, so that a name
  // which leads elsewhere by now is followed.
  absl::Duration max_connection_age = absl::Minutes(5);
  // PEM bundle to verify https servers by; empty: the system's.
  std::string ca_file;
};

struct HttpClientStats {
  std::size_t connections = 0;  // open, idle included
  std::size_t idle = 0;
  std::size_t in_flight = 0;
};

// A pool of keep-alive connections for one loop. A connection that delivered a
// whole answer and may be kept goes back to the pool; pooled ones that the
// server closed are noticed before they are used. A request waits for an
// address of its server, then for a socket, for as long as it may last.
class HttpClient final : public HttpTransport {
 public:
  // Errors: INVALID_ARGUMENT when ca_file can't be read.
  static absl::StatusOr<std::unique_ptr<HttpClient>> Create(
      AsioLoop& loop, ClientResources resources, HttpClientOptions options);
  // On the loop, or after it stopped. Requests in flight are given up.
  ~HttpClient() override;

  RequestId Send(HttpRequest request, Done done) override;
  GivenUp Cancel(RequestId id) override;
  void GoOn(RequestId id) override;
  std::optional<HttpError> HeldUpBy(RequestId id,
                                    std::string_view how_long) const override;
  HttpClientStats Stats() const;

 private:
  class Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_HTTP_CLIENT_H_
