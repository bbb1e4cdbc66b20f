// An I/O thread and the connections that live on it.
#ifndef SERVER_LANE_H_
#define SERVER_LANE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/http/asio_loop.h"
#include "server/http/client.h"

namespace coord {

struct Lane {
  // `name` is the thread's, at most 15 bytes. Errors: HttpClient::Create's.
  static absl::StatusOr<Lane> New(const std::string& name,
                                  ClientResources resources,
                                  const HttpClientOptions& options) {
    auto loop = std::make_unique<AsioLoop>(name);
    absl::StatusOr<std::unique_ptr<HttpClient>> client =
        HttpClient::Create(*loop, resources, options);
    if (!client.ok()) return client.status();
    return Lane{std::move(loop), *std::move(client)};
  }

  std::unique_ptr<AsioLoop> loop;
  std::unique_ptr<HttpClient> client;
};

}  // namespace coord

#endif  // SERVER_LANE_H_
