"""The genuine package among itself: proves that the tests' own parts are what it
takes for its authority, and holds still what it does where clusterd differs."""
import contextlib
import threading
from http.client import HTTPException

from programs import http_json, wait_until
from world import BODY_MARK, HOUR, WorldTest


class GenuineTest(WorldTest):
    def test_nodes_find_each_other(self):
        world = self.make_world()
        nodes = world.registered_genuine("g1", "g2", "g3")
        world.wait_for_rest(*nodes)
        published = nodes[0].state()["published"]
        self.assertEqual(published["REGISTRATION_STATUS"], "registered")
        self.assertEqual(published["CLUSTER_STATUS_SERVERS"], "3")

    def test_fan_out_reaches_all_others(self):
        world = self.make_world()
        nodes = world.registered_genuine("g1", "g2", "g3")
        world.wait_for_rest(*nodes)
        answer = nodes[0].fan_out("POST", "/echo", {"mark": BODY_MARK})
        self.assertEqual(sorted(item["from"] for item in answer["data"]),
                         ["g2", "g3"])
        self.assertEqual({result["serverId"] for result in answer["results"]},
                         {"g2", "g3"})
        self.assertEqual(answer["failures"], [])

    def test_node_api_refuses_who_has_no_cluster_token(self):
        world = self.make_world()
        node, = world.registered_genuine("g1")
        for headers in ({}, {"authorization": "Bearer nonsense"}):
            status, answer = http_json(
                "DELETE", f"{node.url}/itResources/-/servers/-", headers=headers)
            self.assertEqual((status, answer["statusCode"]), (403, 403))

    def test_renews_at_every_lease(self):
        world = self.make_world(leaseTime=200)
        world.registered_genuine("g1")
        mark = world.mit.mark()
        wait_until("it has renewed three times",
                   lambda: len(world.mit.requests("POST", since=mark)) >= 3)

    def test_a_dead_node_is_in_no_list_and_evicted(self):
        world = self.make_world()
        g1, g2, g3 = world.registered_genuine("g1", "g2", "g3")
        world.wait_for_rest(g1, g2, g3)
        g3.kill()
        world.forget(g3)
        answer = g1.fan_out("GET", "/echo")
        self.assertEqual([item["from"] for item in answer["data"]], ["g2"])
        self.assertEqual(answer["failures"], [])
        world.wait_for_rest(g1, g2)

    def test_no_token_makes_it_drop_nodes_that_live(self):
        """Where clusterd differs: no token is the caller's failure."""
        world = self.make_world(leaseTime=HOUR, tokenLife=2)
        g1, g2 = world.registered_genuine("g1", "g2")
        world.wait_for_rest(g1, g2)
        world.mit.faults(mst={"kind": "down"})
        answer = g1.fan_out("GET", "/echo")
        self.assertEqual(answer, {"data": [], "results": [], "failures": []})
        self.assertEqual(g1.servers(), {"g1": g1.url})

    def test_unregister_tells_all(self):
        world = self.make_world()
        g1, g2 = world.registered_genuine("g1", "g2")
        world.wait_for_rest(g1, g2)
        self.assertEqual(g2.unregister(),
                         {"nbServers": 2, "serverId": "g2", "errors": []})
        world.forget(g2)
        world.wait_for_rest(g1)

    def test_same_id_at_a_new_address_is_asked_for_without_end(self):
        """Where clusterd differs: it takes the newer record."""
        world = self.make_world(leaseTime=HOUR)
        g1, g2 = world.registered_genuine("g1", "g2")
        world.wait_for_rest(g1, g2)
        g2.kill()
        world.forget(g2)
        world.registered_genuine("g2")
        def call():
            with contextlib.suppress(OSError, HTTPException):  # it is stopped
                g1.fan_out("GET", "/echo")

        caller = threading.Thread(target=call, daemon=True)
        caller.start()
        removals = wait_until("the removal is asked for a third time", lambda:
                              world.mit.requests("DELETE")[2:])
        self.assertTrue(caller.is_alive())
        self.assertEqual({removal["status"] for removal in removals}, {200})
        self.assertIn("g2", world.mit.servers())
