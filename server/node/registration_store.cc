#include "server/node/registration_store.h"

#include <cstdint>
#include <string_view>
#include <utility>

#include "server/registry/server_tables.h"
#include "server/registry/sqlite.h"

namespace coord {
namespace {

constexpr std::string_view kSave =
    "INSERT OR REPLACE INTO registrations (type, public_base_url, server_id,"
    " cluster_base_url, location_json, extra_json, node_api, draining,"
    " create_time, update_time, version, cluster_id, session_id, ttl_ms,"
    " register_time, local_base_url)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view kDelete =
    "DELETE FROM registrations"
    " WHERE type = ? AND public_base_url = ? AND server_id = ?";
constexpr std::string_view kLoad =
    "SELECT type, public_base_url, server_id, cluster_base_url, location_json,"
    " extra_json, node_api, draining, create_time, update_time, version,"
    " cluster_id, session_id, ttl_ms, register_time, local_base_url"
    " FROM registrations";

StoredRegistration ToRegistration(const Row& row) {
  StoredRegistration registration;
  Server& server = registration.server;
  server.type = row.Text(0);
  server.public_base_url = row.Text(1);
  server.server_id = row.Text(2);
  server.cluster_base_url = row.Text(3);
  server.location_json = row.Text(4);
  server.extra_json = row.Text(5);
  server.node_api = NodeApiFromColumn(row.Int(6));
  server.state =
      row.Int(7) != 0 ? ServerState::kDraining : ServerState::kActive;
  server.create_time = row.Time(8);
  server.update_time = row.Time(9);
  server.version.text = row.Text(10);
  registration.cluster_id = row.Text(11);
  registration.session_id = row.Text(12);
  if (const auto ttl = row.OptionalInt(13)) {
    registration.ttl = absl::Milliseconds(*ttl);
  }
  registration.register_time = row.Time(14);
  registration.local_base_url = row.Text(15);
  return registration;
}

}  // namespace

void RegistrationStore::Save(StoredRegistration registration, Done done) {
  database_.Submit(
      [registration = std::move(registration)](sqlite3* db) {
        const Server& server = registration.server;
        std::optional<std::int64_t> ttl;
        if (registration.ttl)
          ttl = absl::ToInt64Milliseconds(*registration.ttl);
        return Statement(db, kSave).Run(
            server.type, server.public_base_url, server.server_id,
            server.cluster_base_url, server.location_json, server.extra_json,
            NodeApiColumn(server.node_api),
            std::int64_t{server.state == ServerState::kDraining},
            server.create_time, server.update_time, server.version.text,
            registration.cluster_id, registration.session_id, ttl,
            registration.register_time, registration.local_base_url);
      },
      std::move(done));
}

void RegistrationStore::Delete(const Server& server, Done done) {
  database_.Submit(
      [type = server.type, public_base_url = server.public_base_url,
       server_id = server.server_id](sqlite3* db) {
        return Statement(db, kDelete).Run(type, public_base_url, server_id);
      },
      std::move(done));
}

absl::StatusOr<std::vector<StoredRegistration>> RegistrationStore::Load() {
  std::vector<StoredRegistration> registrations;
  absl::Status status = database_.Run([&registrations](sqlite3* db) {
    return Statement(db, kLoad).Query([&registrations](const Row& row) {
      registrations.push_back(ToRegistration(row));
    });
  });
  if (!status.ok()) return status;
  return registrations;
}

}  // namespace coord
