"""A service without any cluster code in one cluster with genuine nodes: clusterd
serves the cluster for it."""
import json

from fan_out_cases import by_clusterd, by_genuine
from processes import NodeProgram
from programs import exchange
from world import (BODY_MARK, HOUR, PUBLIC_URL, TYPE, World, WorldTest,
                   registration)


class LocalService(NodeProgram):
    def __init__(self, world, clusterd, server_id):
        self.id = server_id
        self.clusterd = clusterd
        super().__init__(world.directory, f"local-{server_id}", "local_service.js",
                         {"SERVER_ID": server_id})

    @property
    def url(self):
        """Where the cluster finds it."""
        return f"http://{self.clusterd.http_address}/{TYPE}/{self.id}"

    def register(self):
        return self.clusterd.ctl(
            "register", TYPE, f"--id={self.id}",
            f"--local_base_url={self.facts['localBaseUrl']}",
            f"--public-url={PUBLIC_URL}")["registration"]


class ProxyTest(WorldTest):
    """One world for all: genuine nodes g1 and g2, and the service p1."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.stop)
        cls.clusterd = cls.world.clusterd("--probe_interval=300ms")
        cls.g1, cls.g2 = cls.world.registered_genuine("g1", "g2")
        cls.p1 = LocalService(cls.world, cls.clusterd, "p1")
        cls.addClassCleanup(cls.p1.stop)
        cls.p1.register()

    def setUp(self):
        self.world.wait_for_rest(self.g1, self.g2, self.p1)
        self.mark = self.world.mit.mark()

    def evictions(self):
        return [request["path"] for request in
                self.world.mit.requests("DELETE", since=self.mark)]

    def test_registration_tells_both_addresses(self):
        told = registration(self.clusterd, "p1")
        self.assertEqual(told["localBaseUrl"], self.p1.facts["localBaseUrl"])
        self.assertEqual(told["server"]["clusterBaseUrl"], self.p1.url)
        self.assertTrue(told["server"]["nodeApi"])

    def test_fan_outs_see_it_as_they_see_genuine_nodes(self):
        body = {"mark": BODY_MARK}
        for method, path, sent in (
                ("GET", "/echo", None), ("GET", "/echo?a=1&b=%C3%BC", None),
                ("POST", "/echo", body), ("PUT", "/echo", body),
                ("GET", "/list", None), ("GET", "/fault/p1/404", None),
                ("GET", "/fault/p1/text", None),
                ("GET", "/fault/p1/empty", None),
                ("GET", "/fault/p1/bytes", None)):
            with self.subTest(f"{method} {path}"):
                genuine = by_genuine(self.g1, method, path, sent)
                own = by_clusterd(self.clusterd, self.g1, method, path, sent)
                self.assertEqual(own.comparable(), genuine.comparable())
                self.assertEqual(
                    sorted([*genuine.results, *genuine.failures]), ["g2", "p1"])
        self.assertEqual(self.evictions(), [])

    def test_it_is_the_data_whatever_it_answers(self):
        for fault, data in (("text", "just text"), ("empty", None),
                            ("bytes", "data:image/png;base64,if8=")):
            with self.subTest(fault):
                answer = self.g1.fan_out("GET", f"/fault/p1/{fault}")
                self.assertEqual({result["serverId"]: result["result"]["data"]
                                  for result in answer["results"]}["p1"], data)

    def test_what_is_not_what_it_announces_fails_and_evicts_nobody(self):
        path = "/fault/p1/bad-json"
        genuine = by_genuine(self.g1, "GET", path, None)
        self.assertEqual((genuine.results, genuine.failures),
                         (["g2"], {"p1": "406"}))
        own = by_clusterd(self.clusterd, self.g1, "GET", path, None)
        self.assertEqual((own.results, own.failures),
                         (["g2"], {"p1": "BAD_BODY"}))
        self.assertEqual(self.evictions(), [])

    def test_bytes_are_passed_on_whatever_their_size(self):
        before = self.clusterd.peak_bytes()
        status, headers, body = exchange(
            "GET", f"{self.p1.url}/fault/p1/much",
            headers={"authorization": f"Bearer {self.world.token(type='cluster')}",
                     "accept": "image/png"})
        self.assertEqual((status, headers["content-type"]), (200, "image/png"))
        self.assertEqual(body, b"x" * (100 << 20))
        self.assertLess(self.clusterd.peak_bytes() - before, 16 << 20)

    def test_requests_are_passed_on_whatever_their_size(self):
        before = self.clusterd.peak_bytes()
        status, _, answer = exchange(
            "PUT", f"{self.p1.url}/size", b"x" * (100 << 20),
            headers={"authorization": f"Bearer {self.world.token(type='cluster')}"})
        self.assertEqual((status, json.loads(answer)["data"]), (200, 100 << 20))
        self.assertLess(self.clusterd.peak_bytes() - before, 16 << 20)

    def test_5xx_evicts_it_like_any_other_and_it_comes_back(self):
        for node in (self.g2, self.p1):
            self.mark = self.world.mit.mark()
            answer = self.g1.fan_out("GET", f"/fault/{node.id}/500")
            self.assertEqual((len(answer["results"]), answer["failures"]), (1, []))
            self.assertEqual(
                [f"/servers/{node.id}@" in path for path in self.evictions()],
                [True])
            self.world.wait_for_rest(self.g1, self.g2, self.p1)

    def test_tokens_are_asked_for(self):
        url = f"{self.p1.url}/echo"
        status, _, answer = exchange("GET", url)
        self.assertEqual((status, json.loads(answer)["statusCode"]), (403, 403))
        for token, expected in ((self.world.token(type="cluster"), 200),
                                (self.world.token(), 400)):
            status, headers, _ = exchange("GET", url, headers={
                "authorization": f"Bearer {token}",
                "x-correlation-id": "abc@4/D"})
            self.assertEqual((status, headers["x-correlation-id"]),
                             (expected, "abc@5/D"))


class LocalServiceLifeTest(WorldTest):
    def start(self):
        world = self.make_world(leaseTime=HOUR)
        g1, = world.registered_genuine("g1")
        clusterd = world.clusterd("--probe_interval=300ms")
        p1 = LocalService(world, clusterd, "p1")
        self.addCleanup(p1.stop)
        p1.register()
        world.wait_for_rest(g1, p1)
        return world, g1, clusterd, p1

    def test_unregister_is_told_at_once(self):
        world, g1, clusterd, _ = self.start()
        self.assertEqual(clusterd.ctl("unregister", TYPE, "p1"),
                         {"serverCount": 2, "serverId": "p1", "errors": []})
        world.forget(clusterd)
        world.wait_for_rest(g1)

    def test_dead_one_is_noticed_and_removed(self):
        world, g1, clusterd, p1 = self.start()
        p1.kill()
        world.forget(clusterd)
        world.wait_for_rest(g1)
        (registration,) = clusterd.ctl("status")["registrations"]
        self.assertEqual(registration["state"], "REGISTRATION_STATE_ORPHAN")
