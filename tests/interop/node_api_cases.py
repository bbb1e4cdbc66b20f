"""The node API of clusterd's services beside that of genuine nodes: the same
requests to both, the same answers."""
import json
import re

from programs import exchange
from world import AUDIENCE, HOUR, World, WorldTest

DATE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class NodeApiTest(WorldTest):
    @classmethod
    def setUpClass(cls):
        cls.world = World(leaseTime=HOUR)
        cls.addClassCleanup(cls.world.stop)
        cls.g1, = cls.world.registered_genuine("g1")
        cls.s1 = cls.world.service("s1")
        cls.world.register(cls.world.clusterd(), cls.s1)
        cls.world.wait_for_rest(cls.g1, cls.s1)
        cls.cluster = cls.world.mit.state()["clusters"][0]
        cls.token = cls.world.token(type="cluster")

    def ask(self, node, method, path, body=b"", authorization=None,
            correlation_id="abc@4/D"):
        """(status, x-correlation-id, JSON), the node's own id put as `self`."""
        if authorization is None:
            authorization = f"Bearer {self.token}"
        headers = {"authorization": authorization,
                   "x-correlation-id": correlation_id}
        status, answered, text = exchange(
            method, node.url + path, body,
            headers={name: value for name, value in headers.items() if value})
        answer = json.loads(text)
        if "server" in answer:
            self.assertEqual(answer["server"], {"serverId": node.id})
            answer["server"] = {"serverId": "self"}
        return status, answered.get("x-correlation-id"), answer

    def ask_both(self, *request, **options):
        """What both say to it, after a check that they say the same."""
        genuine, own = (self.ask(node, *request, **options)
                        for node in (self.g1, self.s1))
        self.assertEqual(self.comparable(own), self.comparable(genuine))
        return own

    @staticmethod
    def comparable(answer):
        status, _, body = answer
        if status >= 400:  # each in its own words
            return status, body["statusCode"], body["title"]
        data = body["data"]
        if isinstance(data, dict):
            data = {**data, "servers": sorted(server["serverId"] for server
                                              in data["servers"])}
        return status, data, body["server"]

    def itresource(self, **members):
        return json.dumps({**self.cluster, **members}).encode()

    def test_tokens_are_judged_alike(self):
        self.world.mit.control("clients", {"stranger": {
            "secret": "of a stranger", "type": "stranger"}})
        stranger = self.world.token(type="cluster", client_id="stranger",
                                    client_secret="of a stranger")
        self.world.mit.settings(tokenLife=-60)
        expired = self.world.token(type="cluster")
        self.world.mit.settings(tokenLife=3600)
        for name, authorization, status in (
                ("good", f"Bearer {self.token}", 200),
                ("good, small letter", f"bearer {self.token}", 200),
                ("none", "", 403),
                ("no JWT", "Bearer nonsense", 403),
                ("another scheme", f"Basic {self.token}", 403),
                ("bad signature", f"Bearer {self.token[:-6]}AAAAAA", 403),
                ("expired", f"Bearer {expired}", 403),
                ("another audience",
                 f"Bearer {self.world.token(type='cluster', audience='mIT')}",
                 403),
                ("no cluster token", f"Bearer {self.world.token()}", 400),
                ("another type's", f"Bearer {stranger}", 400)):
            with self.subTest(name):
                self.assertEqual(
                    self.ask_both("DELETE", "/itResources/-/servers/-",
                                  authorization=authorization)[0], status)

    def test_probe_changes_nothing(self):
        self.assertEqual(
            self.ask_both("DELETE", "/itResources/-/servers/-")[2],
            {"data": None, "server": {"serverId": "self"}})

    def test_join_and_leave(self):
        servers = self.cluster["servers"]
        x = {**servers[0], "serverId": "x", "clusterBaseUrl": "http://127.0.0.1:9"}
        joined = self.ask_both("POST", "/itResources",
                               self.itresource(servers=[*servers, x]))[2]
        self.assertIn("x", [server["serverId"] for server
                            in joined["data"]["servers"]])
        leave = f"/itResources/{self.cluster['id']}/servers/x"
        for _ in range(2):  # one that is gone already, too
            self.assertEqual(self.ask_both("DELETE", leave)[2]["data"], "x")

    def test_other_cluster_changes_nothing(self):
        answer = self.ask_both("POST", "/itResources",
                               self.itresource(id="another", servers=[]))[2]
        self.assertEqual(answer["data"]["id"], self.cluster["id"])
        self.assertEqual(self.ask_both(
            "DELETE", "/itResources/another/servers/g1")[2]["data"], None)

    def test_correlation_id_comes_back_a_step_further(self):
        for sent in ("abc@4/D", "bye", "abc@4", "@7/D", ""):
            with self.subTest(sent):
                genuine, own = (
                    UUID.sub("<uuid>", DATE.sub("<now>", self.ask(
                        node, "DELETE", "/itResources/-/servers/-",
                        correlation_id=sent)[1]))
                    for node in (self.g1, self.s1))
                self.assertEqual(own, genuine)

    def test_malformed_join_is_the_senders_fault(self):
        for body in (b"", b"{", b"[]", b'{"id":5}', b"\xff"):
            with self.subTest(body):
                status, _, answer = self.ask(self.s1, "POST", "/itResources", body)
                self.assertEqual((status, answer["statusCode"]), (400, 400))


class KeyRotationTest(WorldTest):
    def test_tokens_of_the_previous_key_are_taken(self):
        world = self.make_world(leaseTime=HOUR)
        world.mit.settings(audiences={
            "mIT": world.account.mit_key,
            AUDIENCE: world.account.previous_key})
        g1, = world.registered_genuine("g1")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1)
        g2, = world.registered_genuine("g2")
        world.wait_for_rest(g1, s1, g2)
