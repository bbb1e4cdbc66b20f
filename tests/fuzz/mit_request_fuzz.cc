#include "common/ids.h"
#include "common/utf8.h"
#include "server/node/token_issuer.h"
#include "server/registry/it_resource.h"
#include "tests/fuzz/must.h"

namespace coord {
namespace {

std::unique_ptr<TokenIssuer> Issuer() {
  Credentials clients;
  clients.Set("echo", {.client_id = "c",
                       .client_secret = "s",
                       .generic_audience = "a",
                       .generic_key = "k"});
  return *TokenIssuer::Create({"mST", "mIT", clients},
                              [] { return absl::FromUnixSeconds(0); });
}

}  // namespace
}  // namespace coord

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static const coord::TokenIssuer& issuer = *coord::Issuer().release();
  const std::string_view text = coord::Input(data, size);
  if (const auto server = coord::ParseRegistration(text); server.ok()) {
    coord::Must(coord::IsValidServerType(server->type));
    coord::Must(coord::IsValidServerId(server->server_id));
    coord::Must(coord::IsValidUtf8(server->public_base_url));
  }
  if (const auto tokens = issuer.Grant(text); tokens.ok()) {
    coord::Must(coord::IsValidUtf8(*tokens));
  }
  return 0;
}
