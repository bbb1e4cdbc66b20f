#include "server/registry/server_tables.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/correlation_id.h"
#include "common/text_view.h"

namespace coord {
namespace {

constexpr std::string_view kSelectServers =
    "SELECT cluster_id, server_id, type, public_base_url, cluster_base_url,"
    " location_json, extra_json, node_api, draining, create_time, version"
    " FROM servers JOIN clusters ON id = cluster_id";

ServerPtr ToServer(const Row& row) {
  auto server = std::make_shared<Server>();
  server->server_id = row.Text(1);
  server->type = row.Text(2);
  server->public_base_url = row.Text(3);
  server->cluster_base_url = row.Text(4);
  server->location_json = row.Text(5);
  server->extra_json = row.Text(6);
  server->node_api = NodeApiFromColumn(row.Int(7));
  server->state =
      row.Int(8) != 0 ? ServerState::kDraining : ServerState::kActive;
  server->create_time = row.Time(9);
  server->update_time = row.Time(10);
  server->version.text = FormatDate(server->update_time);
  return server;
}

}  // namespace

ServerTables::ServerTables(sqlite3* db)
    : db_(db),
      find_server_(db,
                   absl::StrCat(AbslView(kSelectServers),
                                " WHERE cluster_id = ? AND server_id = ?")) {}

absl::StatusOr<std::string> ServerTables::FindCluster(
    std::string_view type, std::string_view public_base_url) {
  std::string id;
  absl::Status status = find_cluster_.Query(
      [&id](const Row& row) { id = row.Text(0); }, type, public_base_url);
  if (!status.ok()) return status;
  return id;
}

absl::Status ServerTables::InsertCluster(const ClusterIdentity& cluster) {
  return insert_cluster_.Run(cluster.id, cluster.type, cluster.public_base_url);
}

absl::Status ServerTables::DeleteCluster(std::string_view cluster_id) {
  return delete_cluster_.Run(cluster_id);
}

absl::StatusOr<std::size_t> ServerTables::CountClusters() {
  std::size_t count = 0;
  absl::Status status = count_clusters_.Query([&count](const Row& row) {
    count = static_cast<std::size_t>(row.Int(0));
  });
  if (!status.ok()) return status;
  return count;
}

absl::StatusOr<std::vector<ClusterIdentity>> ServerTables::EmptyClusters(
    absl::Time before, std::size_t most) {
  std::vector<ClusterIdentity> clusters;
  absl::Status status = empty_clusters_.Query(
      [&clusters](const Row& row) {
        clusters.push_back({row.Text(0), row.Text(1), row.Text(2)});
      },
      absl::ToUnixMillis(before), static_cast<std::int64_t>(most));
  if (!status.ok()) return status;
  return clusters;
}

absl::StatusOr<absl::Time> ServerTables::NextVersion(
    std::string_view cluster_id, absl::Time now) {
  absl::Time version;
  absl::Status status = next_version_.Query(
      [&version](const Row& row) { version = row.Time(0); }, now, cluster_id);
  if (!status.ok()) return status;
  return version;
}

absl::StatusOr<ServerPtr> ServerTables::Find(const ServerKey& key) {
  ServerPtr found;
  absl::Status status =
      find_server_.Query([&found](const Row& row) { found = ToServer(row); },
                         key.cluster_id, key.server_id);
  if (!status.ok()) return status;
  return found;
}

absl::Status ServerTables::Put(const ServerKey& key, const Server& server) {
  absl::Status status = put_server_.Run(
      key.cluster_id, key.server_id, server.cluster_base_url,
      server.location_json, server.extra_json, NodeApiColumn(server.node_api),
      std::int64_t{server.state == ServerState::kDraining}, server.create_time,
      server.update_time);
  return status.ok() ? mark_used_.Run(key.cluster_id) : status;
}

absl::Status ServerTables::Delete(const ServerKey& key, absl::Time now) {
  absl::Status status = delete_server_.Run(key.cluster_id, key.server_id);
  return status.ok() ? mark_empty_.Run(key.cluster_id, now) : status;
}

absl::Status ServerTables::ForEach(
    absl::FunctionRef<void(const ServerKey&, ServerPtr)> visit) {
  return Statement(db_, kSelectServers).Query([visit](const Row& row) {
    visit({row.Text(0), row.Text(1)}, ToServer(row));
  });
}

}  // namespace coord
