"""clusterd as mIT and mST of genuine nodes: they and the services registered with
it are one cluster, and nothing else is there."""
from fan_out_cases import by_clusterd, by_genuine
from membership_cases import EvictionTest, MembershipTest, RestartTest
from programs import http_json, wait_until
from proxy_cases import LocalService
from served_world import ServedWorld
from world import (AUDIENCE, HOUR, PUBLIC_URL, TYPE, WorldTest, call,
                   registration)


class ServedTest(WorldTest):
    world_class = ServedWorld

    def make_cluster(self, genuine, services, **settings):
        """A world of these, all known to all."""
        world = self.make_world(**settings)
        nodes = world.registered_genuine(*genuine)
        held = [world.service(server_id) for server_id in services]
        for service in held:
            world.register(world.mit, service)
        world.wait_for_rest(*nodes, *held)
        return world, *nodes, *held

    def test_join_from_either_side_is_told_at_once(self):
        world, g1, s1 = self.make_cluster(["g1"], ["s1"], leaseTime=HOUR)
        wait_until("the announcement is counted", lambda: registration(
            world.mit, "s1")["announcement"] == {
                "expected": 1, "answered": 1, "failed": 0})
        g2, = world.registered_genuine("g2")
        world.wait_for_rest(g1, s1, g2)
        s2 = world.service("s2")
        world.register(world.mit, s2)
        world.wait_for_rest(g1, s1, g2, s2)

    def test_fan_out_from_either_side_has_the_same_aggregate(self):
        world, g1, *_ = self.make_cluster(["g1", "g2"], ["s1", "s2"],
                                          leaseTime=HOUR)
        for method, path in (("GET", "/echo"), ("GET", "/list"),
                             ("POST", "/echo"), ("GET", "/fault/g2/404"),
                             ("GET", "/fault/s1/404")):
            with self.subTest(f"{method} {path}"):
                genuine = by_genuine(g1, method, path, None)
                self.assertEqual(
                    by_clusterd(world.mit, g1, method, path, None).comparable(),
                    genuine.comparable())
                self.assertEqual(
                    len(genuine.results) + len(genuine.failures), 3)

    def test_genuine_node_evicts_a_dead_service(self):
        world, g1, g2, s1, s2 = self.make_cluster(
            ["g1", "g2"], ["s1", "s2"], leaseTime=HOUR,
            flags=["--probe_interval=1h"])
        s1.kill()
        g1.fan_out("GET", "/echo")
        world.wait_for_rest(g1, g2, s2)
        self.assertRegex(registration(world.mit, "s1")["status"]
                         ["registrationStatus"], "^orphan: removed by others")

    def test_clusterd_evicts_a_dead_genuine_node(self):
        world, g1, g2, s1 = self.make_cluster(["g1", "g2"], ["s1"],
                                              leaseTime=HOUR)
        g2.kill()
        world.forget(g2)
        self.assertEqual([(failure["serverId"], failure["reason"]) for failure
                          in call(world.mit, "GET", "/echo")["failures"]],
                         [("g2", "FAILURE_REASON_UNREACHABLE")])
        world.wait_for_rest(g1, s1)

    def test_one_that_genuine_nodes_evict_though_it_lives_comes_back(self):
        # g1 may tell g2 of the eviction after clusterd has told it of the return:
        # that is mended by the next lease.
        world, g1, g2, s1 = self.make_cluster(["g1", "g2"], ["s1"])
        before = world.mit.servers()["s1"]["createTime"]
        g1.fan_out("GET", "/fault/s1/no-server")
        wait_until("s1 is registered anew", lambda: world.mit.servers().get(
            "s1", {}).get("createTime", before) != before)
        world.wait_for_rest(g1, g2, s1)

    def test_unregister_from_either_side_is_told_at_once(self):
        world, g1, g2, s1, s2 = self.make_cluster(["g1", "g2"], ["s1", "s2"],
                                                  leaseTime=HOUR)
        self.assertEqual(g2.unregister(),
                         {"nbServers": 4, "serverId": "g2", "errors": []})
        world.forget(g2)
        world.wait_for_rest(g1, s1, s2)
        self.assertEqual(world.mit.ctl("unregister", TYPE, "s2"),
                         {"serverCount": 3, "serverId": "s2", "errors": []})
        world.wait_for_rest(g1, s1)

    def test_every_lease_is_renewed(self):
        world, g1, s1 = self.make_cluster(["g1"], ["s1"])

        def renewals():
            """What tells the last renewal of each."""
            return (g1.state()["published"]["CLUSTER_STATUS_UPDATED_AT"],
                    registration(world.mit, "s1")["nextRenewalTime"])

        for _ in range(3):
            before = renewals()
            wait_until("both have renewed", lambda before=before: all(
                late != early for late, early in zip(renewals(), before)))
        world.wait_for_rest(g1, s1)

    def test_clusterd_dies_and_comes_back(self):
        world, g1, s1 = self.make_cluster(["g1"], ["s1"],
                                          flags=["--probe_interval=200ms"])
        record = world.mit.servers()["g1"]

        def echo():
            return [item["from"] for item in g1.fan_out("GET", "/echo")["data"]]

        self.assertEqual(echo(), ["s1"])  # and has a token for the next time
        world.mit.kill()
        self.assertEqual(echo(), ["s1"])
        world.restart_authority()
        world.wait_for_rest(g1, s1)
        self.assertEqual(world.mit.servers()["g1"], record)
        wait_until("s1 is registered again", lambda: registration(
            world.mit, "s1")["state"] == "REGISTRATION_STATE_REGISTERED")
        self.assertEqual(g1.registration(), "registered")
        g2, = world.registered_genuine("g2")
        world.wait_for_rest(g1, g2, s1)
        self.assertEqual(call(world.mit, "GET", "/echo")["verdict"],
                         "VERDICT_COMPLETE")

    def test_who_has_no_token_is_refused(self):
        world, g1 = self.make_cluster(["g1"], [], leaseTime=HOUR)
        stranger = world.genuine("g2", OAUTH_CLIENT_SECRET="a guess")
        stranger.register()
        wait_until("g2 is an orphan", lambda: (stranger.registration() or "")
                   .startswith("orphan: "))
        world.forget(stranger)
        world.wait_for_rest(g1)
        server = {"type": TYPE, "serverId": "g3", "publicBaseUrl": PUBLIC_URL,
                  "clusterBaseUrl": "http://127.0.0.1:9"}
        for name, token, status in (
                ("none", None, 403), ("nonsense", "nonsense", 403),
                ("a cluster token", world.token(type="cluster"), 403),
                ("one of the type's own", world.token(), 403),
                ("one for mIT", world.token(audience="mIT"), 200)):
            with self.subTest(name):
                headers = {"authorization": f"Bearer {token}"} if token else {}
                self.assertEqual(http_json(
                    "POST", f"{world.mit.facts['mitUrl']}/itResources", server,
                    headers=headers)[0], status)

    def test_short_tokens_are_fetched_again(self):
        world, g1, s1 = self.make_cluster(["g1"], ["s1"], tokenLife=2)
        for _ in range(3):
            first = world.token(audience=AUDIENCE)
            wait_until("a new token is another", lambda first=first:
                       world.token(audience=AUDIENCE) != first)
            self.assertEqual(call(world.mit, "GET", "/echo")["verdict"],
                             "VERDICT_COMPLETE")
        self.assertEqual(g1.registration(), "registered")
        world.wait_for_rest(g1, s1)

    def test_service_without_cluster_code_is_one_of_them(self):
        world, g1, s1 = self.make_cluster(["g1"], ["s1"], leaseTime=HOUR)
        p1 = LocalService(world, world.mit, "p1")
        self.addCleanup(p1.stop)
        p1.register()
        world.wait_for_rest(g1, s1, p1)
        self.assertEqual(
            by_clusterd(world.mit, g1, "GET", "/echo", None).comparable(),
            by_genuine(g1, "GET", "/echo", None).comparable())
        world.wait_for_rest(g1, s1, p1)

    def test_type_that_is_no_client_has_no_tokens(self):
        world = self.make_world(leaseTime=HOUR)
        p1 = LocalService(world, world.mit, "p1")
        self.addCleanup(p1.stop)
        world.mit.ctl("register", "polyglot", "--id=p1",
                      f"--local_base_url={p1.facts['localBaseUrl']}")
        self.assertEqual(call(world.mit, "GET", "/echo", server_type="polyglot")
                         ["verdict"], "VERDICT_COMPLETE")

    def test_clusterd_beside_a_service_is_a_client_as_genuine_nodes_are(self):
        world, g1, s1 = self.make_cluster(["g1"], ["s1"])
        beside, s2 = world.clusterd(), world.service("s2")
        world.register(beside, s2)
        world.wait_for_rest(g1, s1, s2)
        for caller in (beside, world.mit):
            self.assertEqual(call(caller, "GET", "/echo")["verdict"],
                             "VERDICT_COMPLETE")
        beside.stop()
        world.forget(beside)
        world.wait_for_rest(g1, s1)


# The same cases as under the stand-in, where clusterd is a client of clusterd;
# left out is what looks into the stand-in, or wants it to misbehave.


class ServedMembershipTest(MembershipTest):
    world_class = ServedWorld
    test_two_that_register_at_the_same_moment_find_each_other = None
    test_every_lease_is_renewed = None
    test_management_off_registers_and_no_more = None


class ServedEvictionTest(EvictionTest):
    world_class = ServedWorld
    test_one_that_genuine_nodes_evict_though_it_lives_comes_back = None
    test_an_answer_that_makes_no_sense_evicts_nobody = None


class ServedRestartTest(RestartTest):
    world_class = ServedWorld
    test_clusterd_that_heard_nothing_takes_the_newer_record = None
