"""Genuine nodes and services that clusterd registers in one cluster, under the
stand-in authority. Lists come to rest by leases of 2 s; where a lease of an hour
is set, by what the servers tell each other."""
from programs import CtlError, wait_until
from world import (HOUR, PUBLIC_URL, TYPE, WorldTest, call, registration,
                   servers_of)


class MembershipTest(WorldTest):
    def test_join_from_either_side_is_told_at_once(self):
        world = self.make_world(leaseTime=HOUR)
        g1, = world.registered_genuine("g1")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1)
        wait_until("the announcement is counted", lambda: registration(
            clusterd, "s1")["announcement"] == {
                "expected": 1, "answered": 1, "failed": 0})

        g2, = world.registered_genuine("g2")
        world.wait_for_rest(g1, s1, g2)
        s2 = world.service("s2")
        world.register(clusterd, s2)
        world.wait_for_rest(g1, s1, g2, s2)

    def test_join_at_routes_that_clusterd_serves_itself(self):
        world = self.make_world(leaseTime=HOUR)
        clusterd = world.clusterd()
        base = f"http://{clusterd.http_address}/{TYPE}/s1"
        clusterd.ctl("register", TYPE, "--id=s1", f"--url={base}",
                     f"--public-url={PUBLIC_URL}", "--node-api")
        g1, = world.registered_genuine("g1")
        wait_until("clusterd knows g1", lambda: servers_of(clusterd) == {
            "s1": base, "g1": g1.url})
        g1.unregister()
        wait_until("clusterd has let g1 go",
                   lambda: servers_of(clusterd) == {"s1": base})

    def test_two_that_register_at_the_same_moment_find_each_other(self):
        world = self.make_world(simultaneous=2)
        g1, clusterd, s1 = world.genuine("g1"), world.clusterd(), world.service("s1")
        g1.register()
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1)

    def test_every_lease_is_renewed(self):
        world = self.make_world()
        g1, = world.registered_genuine("g1")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        mark = world.mit.mark()
        wait_until("both have renewed three times", lambda: all(
            len([request for request in world.mit.requests("POST", since=mark)
                 if f"/{server_id} (" in request["agent"]]) >= 3
            for server_id in ("g1", "s1")))
        world.wait_for_rest(g1, s1)

    def test_unregister_from_either_side_is_told_at_once(self):
        world = self.make_world(leaseTime=HOUR)
        g1, g2 = world.registered_genuine("g1", "g2")
        clusterd = world.clusterd()
        s1, s2 = world.service("s1"), world.service("s2")
        for service in (s1, s2):
            world.register(clusterd, service)
        world.wait_for_rest(g1, g2, s1, s2)

        self.assertEqual(g2.unregister(),
                         {"nbServers": 4, "serverId": "g2", "errors": []})
        world.forget(g2)
        world.wait_for_rest(g1, s1, s2)
        self.assertEqual(clusterd.ctl("unregister", TYPE, "s2"),
                         {"serverCount": 3, "serverId": "s2", "errors": []})
        world.wait_for_rest(g1, s1)

    def test_stopping_clusterd_unregisters(self):
        world = self.make_world(leaseTime=HOUR)
        g1, = world.registered_genuine("g1")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1)
        clusterd.stop()
        world.forget(clusterd)
        world.wait_for_rest(g1)

    def test_management_off_registers_and_no_more(self):
        world = self.make_world(leaseTime=HOUR)
        g1, = world.registered_genuine("g1")
        off = {"CLUSTER_MANAGEMENT": "off"}
        clusterd, s1 = world.clusterd(**off), world.service("s1")
        genuine = world.genuine("g2", **off)
        genuine.register()
        joined = world.register(clusterd, s1)
        self.assertEqual(joined["announcement"]["expected"], 0)
        wait_until("g2 is registered",
                   lambda: genuine.registration() == "registered")
        self.assertEqual(
            {request["path"] for request in world.mit.requests("POST")},
            {"/mIT/v1/itResources", "/mIT/v1/itResources?managedCluster=off"})
        self.assertEqual(g1.servers(), {"g1": g1.url})
        with self.assertRaisesRegex(CtlError, "MANAGEMENT_OFF"):
            call(clusterd, "GET", "/echo")


class EvictionTest(WorldTest):
    def test_genuine_node_evicts_a_dead_service_of_clusterd(self):
        world = self.make_world(leaseTime=HOUR)
        g1, = world.registered_genuine("g1")
        doomed, clusterd = world.clusterd(), world.clusterd()
        s1, s2 = world.service("s1"), world.service("s2")
        world.register(doomed, s1)
        world.register(clusterd, s2)
        world.wait_for_rest(g1, s1, s2)
        for program in (doomed, s1):
            program.kill()
        world.forget(doomed)
        answer = g1.fan_out("GET", "/echo")
        self.assertEqual([item["from"] for item in answer["data"]], ["s2"])
        world.wait_for_rest(g1, s2)

    def test_clusterd_evicts_a_dead_genuine_node(self):
        world = self.make_world(leaseTime=HOUR)
        g1, g2 = world.registered_genuine("g1", "g2")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(g1, g2, s1)
        g2.kill()
        world.forget(g2)
        answer = call(clusterd, "GET", "/echo")
        self.assertEqual([(failure["serverId"], failure["reason"])
                          for failure in answer["failures"]],
                         [("g2", "FAILURE_REASON_UNREACHABLE")])
        world.wait_for_rest(g1, s1)

    def test_clusterd_removes_its_own_dead_service(self):
        world = self.make_world(leaseTime=HOUR)
        g1, = world.registered_genuine("g1")
        clusterd, s1, s2 = (world.clusterd("--probe_interval=200ms"),
                            world.service("s1"), world.service("s2"))
        for service in (s1, s2):
            world.register(clusterd, service)
        world.wait_for_rest(g1, s1, s2)
        s1.kill()
        world.wait_for_rest(g1, s2)

    def test_one_that_genuine_nodes_evict_though_it_lives_comes_back(self):
        world = self.make_world()
        g1, = world.registered_genuine("g1")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1)
        mark = world.mit.mark()
        g1.fan_out("GET", "/fault/s1/no-server")
        self.assertEqual(len(world.mit.requests("DELETE", since=mark)), 1)
        world.wait_for_rest(g1, s1)

    def test_an_answer_that_makes_no_sense_evicts_nobody(self):
        world = self.make_world(leaseTime=HOUR)
        g1, g2 = world.registered_genuine("g1", "g2")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(g1, g2, s1)
        world.mit.faults(mit={"kind": "bad", "method": "DELETE"})
        g2.kill()
        call(clusterd, "GET", "/echo")

        def state_of_g2():
            return {server["serverId"]: server["state"] for server in
                    clusterd.ctl("servers", TYPE)["servers"]}.get("g2")

        wait_until("g2 is suspected",
                   lambda: state_of_g2() == "SERVER_STATE_SUSPECTED")


class RestartTest(WorldTest):
    """One of clusterd's services dies and comes back with the same id at a new
    address, before anybody has noticed."""

    def restart(self, world, clusterd, service, **settings):
        for program in (clusterd, service):
            program.kill()
        world.forget(clusterd)
        again = world.clusterd(**settings), world.service(service.id)
        world.register(*again)
        return again

    def test_new_address_reaches_all_by_the_next_lease(self):
        world = self.make_world()
        g1, = world.registered_genuine("g1")
        other, s2 = world.clusterd(), world.service("s2")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(other, s2)
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1, s2)
        _, again = self.restart(world, clusterd, s1)
        world.wait_for_rest(g1, again, s2)
        self.assertEqual(sorted(item["from"] for item in
                                g1.fan_out("GET", "/echo")["data"]),
                         ["s1", "s2"])

    def test_genuine_node_that_calls_meanwhile_comes_to_an_end(self):
        """It asks the dead address again and again, and for the removal of what
        it takes for dead, until its own renewal brings the new address; then it
        removes the live server, which comes back at its next renewal."""
        world = self.make_world()
        g1, = world.registered_genuine("g1")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1)
        _, again = self.restart(world, clusterd, s1)
        g1.fan_out("GET", "/echo")
        world.wait_for_rest(g1, again)

    def test_new_address_reaches_clusterd_by_the_announcement(self):
        world = self.make_world(leaseTime=HOUR)
        other, s2 = world.clusterd(), world.service("s2")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(other, s2)
        world.register(clusterd, s1)
        world.wait_for_rest(s1, s2)
        _, again = self.restart(world, clusterd, s1)
        world.wait_for_rest(again, s2)

    def test_clusterd_that_heard_nothing_takes_the_newer_record(self):
        """Where genuine nodes never come to an end."""
        world = self.make_world(leaseTime=HOUR)
        other, s2 = world.clusterd(), world.service("s2")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(other, s2)
        world.register(clusterd, s1)
        world.wait_for_rest(s1, s2)
        silent, again = self.restart(world, clusterd, s1,
                                     CLUSTER_MANAGEMENT="off")
        world.forget(silent)
        self.assertEqual(servers_of(other)["s1"], s1.url)
        answer = call(other, "GET", "/echo")
        self.assertEqual([failure["serverId"] for failure in answer["failures"]],
                         ["s1"])
        world.wait_for_rest(again, s2)
        self.assertEqual(world.mit.requests("DELETE"), [])
        self.assertEqual(call(other, "GET", "/echo")["verdict"],
                         "VERDICT_COMPLETE")

    def test_genuine_node_at_a_new_address(self):
        world = self.make_world()
        g1, = world.registered_genuine("g1")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1)
        g1.kill()
        world.forget(g1)
        again, = world.registered_genuine("g1")
        world.wait_for_rest(again, s1)
        self.assertEqual(call(clusterd, "GET", "/echo")["verdict"],
                         "VERDICT_COMPLETE")
