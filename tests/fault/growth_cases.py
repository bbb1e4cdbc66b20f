"""Callers who make clusterd remember more and more."""
import grpc

from programs import exchange, http_json
from rpc import TYPE, register_request, registry
from scene import FaultTest

HOUR = 3600  # s
NOBODY = "http://127.0.0.1:1"
MIB = 1 << 20


def itresource(server_id):
    return {"type": TYPE, "serverId": server_id, "clusterBaseUrl": NOBODY,
            "publicBaseUrl": "http://public.test", "location": None}


class GrowthTest(FaultTest):
    def come_and_go(self, client, number):
        """One server in a cluster of its own."""
        request = register_request(f"s-{number}", NOBODY, ttl=HOUR)
        request.server.public_base_url = f"http://{'x' * 1900}/{number}"
        cluster_id = client.registry.RegisterServer(
            request, timeout=60).registration.cluster_id
        client.registry.UnregisterServer(registry.UnregisterServerRequest(
            type=TYPE, server_id=f"s-{number}"), timeout=60)
        return cluster_id

    def test_clusters_that_come_and_go(self):
        self.start_lasting("--max_clusters=100")
        client = self.client()
        count = self.either(1000, 6000)
        for number in range(200):
            self.come_and_go(client, number)
        before = self.clusterd.resident_bytes()
        ids = {self.come_and_go(client, number) for number in range(200, count)}
        self.assertEqual(len(ids), count - 200)
        # A cluster is the same until others need its place.
        self.assertEqual(self.come_and_go(client, count - 1),
                         self.come_and_go(client, count - 1))
        disk = sum(file.stat().st_size for file in self.data_dir.iterdir())
        memory = self.clusterd.resident_bytes() - before
        self.note(f"{count} clusters: {disk / MIB:.1f} MiB on disk, "
                  f"{memory / MIB:.1f} MiB of memory more")
        self.assertLess(disk, 8 * MIB)
        self.assertLess(memory, 24 * MIB)

    def test_genuine_nodes_beyond_the_limit_are_told_to_come_again(self):
        self.start("--serve_mit=on", "--max_registrations=2")
        client = self.client()
        base = f"http://{self.clusterd.http_address}/mIT/v1/itResources"
        status, first = http_json("POST", base, itresource("g-1"))
        self.assertEqual(status, 200)
        client.register("s-1", NOBODY, ttl=HOUR)
        status, refused = http_json("POST", base, itresource("g-2"))
        self.assertEqual((status, refused["title"]), (429, "Too Many Requests"))
        self.assertIn("--max-registrations", refused["message"])
        with self.assertRaises(grpc.RpcError) as raised:
            client.register("s-2", NOBODY, ttl=HOUR)
        self.assertEqual(raised.exception.code(),
                         grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(http_json("POST", base, itresource("g-1"))[0], 200)
        gone = f"{base}/{first['itResource']['id']}/servers/g-1"
        self.assertEqual(exchange("DELETE", gone)[0], 200)
        self.assertEqual(http_json("POST", base, itresource("g-2"))[0], 200)
