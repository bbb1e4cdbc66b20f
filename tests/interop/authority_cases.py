"""clusterd as a client of mIT and mST, beside genuine nodes: what it does when
one of them fails, and by which settings it is one."""
import json
import shlex
from pathlib import Path

from programs import wait_until
from world import (AUDIENCE, HOUR, TYPE, Account, WorldTest, call, hand_on,
                   registration, servers_of)


class AuthorityTest(WorldTest):
    def test_mit_down_at_the_start(self):
        world = self.make_world()
        world.mit.faults(mit={"kind": "down"})
        g1, clusterd, s1 = (world.genuine("g1"), world.clusterd(),
                            world.service("s1"))
        g1.register()
        joined = world.register(clusterd, s1, "--no-wait")
        self.assertEqual(joined["state"], "REGISTRATION_STATE_PENDING")
        wait_until("g1 is an orphan", lambda: (g1.registration() or "")
                   .startswith("orphan: "))
        world.mit.faults(mit=None)
        world.wait_for_rest(g1, s1)
        wait_until("both are registered", lambda: (
            g1.registration(), registration(clusterd, "s1")["status"]
            ["registrationStatus"]) == ("registered", "registered"))

    def test_mit_down_in_the_middle(self):
        world = self.make_world()
        g1, = world.registered_genuine("g1")
        clusterd, s1, s2 = (world.clusterd(), world.service("s1"),
                            world.service("s2"))
        for service in (s1, s2):
            world.register(clusterd, service)
        world.wait_for_rest(g1, s1, s2)
        world.mit.faults(mit={"kind": "down"})
        wait_until("the lease of s1 has run out", lambda: registration(
            clusterd, "s1")["state"] == "REGISTRATION_STATE_ORPHAN")
        self.assertEqual(call(clusterd, "GET", "/echo")["verdict"],
                         "VERDICT_COMPLETE")
        self.assertEqual(len(g1.fan_out("GET", "/echo")["data"]), 2)
        world.mit.faults(mit=None)
        wait_until("s1 is registered again", lambda: registration(
            clusterd, "s1")["state"] == "REGISTRATION_STATE_REGISTERED")
        world.wait_for_rest(g1, s1, s2)

    def test_mit_refuses_a_token_once(self):
        world = self.make_world()
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.mit.faults(mit={"kind": 403, "count": 1})
        world.register(clusterd, s1)
        self.assertEqual(
            [request["status"] for request in world.mit.requests("POST")][:2],
            [403, 200])
        self.assertGreaterEqual(
            [request["grant"]["audience"] for request in
             world.mit.requests(service="mst")].count("mIT"), 2)

    def test_mit_fails_now_and_then(self):
        world = self.make_world()
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.mit.faults(mit={"kind": 503, "count": 2})
        world.register(clusterd, s1)
        self.assertEqual(
            [request["status"] for request in world.mit.requests("POST")][:3],
            [503, 503, 200])

    def test_lease_that_is_not_named_does_not_flood_the_authority(self):
        world = self.make_world(leaseTime=None)
        clusterd, s1 = world.clusterd(), world.service("s1")
        joined = world.register(clusterd, s1)
        self.assertEqual(joined["leaseDuration"], "7200s")

    def test_mit_that_wraps_its_answers(self):
        world = self.make_world(wrapped=True)
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(s1)

    def test_requests_to_mit_say_who_asks(self):
        world = self.make_world()
        clusterd, s1 = world.clusterd(SERVER_VERSION="7.1"), world.service("s1")
        world.register(clusterd, s1)
        request = world.mit.requests("POST")[0]
        self.assertRegex(request["agent"], r"^mimik-echo/7\.1/s1 \(.*; .*; .*\)$")
        self.assertRegex(request["correlationId"], r"^[0-9a-f-]{36}@\d+/2\d{3}-")

    def test_what_a_record_holds_is_passed_on(self):
        world = self.make_world(leaseTime=HOUR, members={"later": {"n": [1.50]}})
        g1, = world.registered_genuine("g1")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1, '--location={"rack": "é", "slot": 1}')
        world.wait_for_rest(g1, s1)
        told = {server["serverId"]: server for server in
                g1.state()["itResource"]["servers"]}["s1"]
        self.assertEqual(told["later"], {"n": [1.5]})
        self.assertEqual(told["location"], {"rack": "é", "slot": 1})
        self.assertEqual(told, world.mit.servers()["s1"])

    def test_tokens_are_refreshed(self):
        world = self.make_world(leaseTime=1000, tokenLife=2)
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)

        def grants():
            return [(request["grant"]["grant"], request["status"]) for request
                    in world.mit.requests(service="mst")]

        wait_until("a token is refreshed",
                   lambda: ("refresh_token", 200) in grants())
        world.mit.faults(mst={"kind": 400, "count": 1})
        refused = wait_until("a refresh is refused", lambda: (
            ("refresh_token", 400) in grants()
            and grants().index(("refresh_token", 400))))
        wait_until("it begins anew", lambda: ("client_credentials", 200)
                   in grants()[refused:])
        self.assertEqual(registration(clusterd, "s1")["state"],
                         "REGISTRATION_STATE_REGISTERED")

    def test_customer_of_a_call_is_told_to_the_token_service(self):
        world = self.make_world(leaseTime=HOUR)
        g1, = world.registered_genuine("g1")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1)
        self.assertEqual(call(clusterd, "GET", "/echo", "--customer=acme")
                         ["verdict"], "VERDICT_COMPLETE")
        self.assertIn({"grant": "client_credentials", "audience": AUDIENCE,
                       "type": "cluster", "customer": "acme"},
                      [request["grant"] for request in
                       world.mit.requests(service="mst")])

    def test_mst_down_is_nobodys_death(self):
        world = self.make_world(leaseTime=HOUR, tokenLife=2)
        g1, = world.registered_genuine("g1")
        clusterd, s1 = world.clusterd(), world.service("s1")
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1)
        world.mit.faults(mst={"kind": "down"})
        wait_until("the last token has grown old", lambda: [
            failure["reason"] for failure in
            call(clusterd, "GET", "/echo", "--server=g1")["failures"]]
            == ["FAILURE_REASON_TOKEN"])
        world.mit.faults(mst=None)
        self.assertEqual(call(clusterd, "GET", "/echo")["verdict"],
                         "VERDICT_COMPLETE")
        self.assertEqual(world.mit.requests("DELETE"), [])
        world.wait_for_rest(g1, s1)

    def test_mst_down_at_the_start(self):
        world = self.make_world()
        world.mit.faults(mst={"kind": "down"})
        clusterd, s1 = world.clusterd(), world.service("s1")
        joined = world.register(clusterd, s1, "--no-wait")
        self.assertEqual(joined["state"], "REGISTRATION_STATE_PENDING")
        world.mit.faults(mst=None)
        wait_until("s1 is registered", lambda: registration(
            clusterd, "s1")["state"] == "REGISTRATION_STATE_REGISTERED")


class SettingsTest(WorldTest):
    def test_one_clusterd_serves_types_with_the_credentials_of_each(self):
        world = self.make_world(leaseTime=HOUR)
        accounts = {"echo": world.account, "other": Account("other-client")}
        world.mit.admit("other", accounts["other"])
        file = Path(world.directory, "credentials.json")
        file.write_text(json.dumps({
            name: {"client_id": account.client_id,
                   "client_secret": account.client_secret,
                   "generic_audience": AUDIENCE,
                   "generic_key": world.account.generic_key}
            for name, account in accounts.items()}), encoding="utf-8")
        clusterd = world.clusterd(f"--credentials_file={file}",
                                  without=("OAUTH_CLIENT", "OAUTH_GENERIC"))
        for name, account in accounts.items():
            genuine = world.genuine(f"g-{name}", **{
                "SERVER_TYPE": name, "OAUTH_CLIENT_ID": account.client_id,
                "OAUTH_CLIENT_SECRET": account.client_secret})
            genuine.register()
            service = world.service(f"s-{name}")
            world.register(clusterd, service, server_type=name)
            wait_until(f"both of {name} know each other", lambda each=(
                genuine, service), name=name: {
                    node.id: node.url for node in each}
                == servers_of(clusterd, name) == each[0].servers())
            self.assertEqual(call(clusterd, "GET", "/echo", server_type=name)["verdict"],
                             "VERDICT_COMPLETE")

    def test_settings_of_the_reference_register_a_service_without_a_call(self):
        world = self.make_world(leaseTime=HOUR)
        g1, s1 = *world.registered_genuine("g1"), world.service("s1")
        clusterd = world.clusterd(**world.service_env(
            "s1", SERVER_PORT=str(s1.facts["port"]), SERVER_NODE_API="on"))
        hand_on(s1, clusterd)
        world.wait_for_rest(g1, s1)
        published = dict(line.split("=", 1) for line in shlex.split(
            clusterd.print("status", "--env", TYPE, "s1")))
        genuine = g1.state()["published"]
        self.assertEqual(set(published), {*genuine, "CLUSTER_STATUS_LEASE_TIME"})
        for name in ("REGISTRATION_STATUS", "CLUSTER_STATUS_SERVERS"):
            self.assertEqual(published[name], genuine[name])

    def test_registrations_outlive_clusterd(self):
        world = self.make_world()
        g1, s1 = *world.registered_genuine("g1"), world.service("s1")
        data_dir = f"--data_dir={Path(world.directory, 'data')}"
        clusterd = world.clusterd(data_dir)
        world.register(clusterd, s1)
        world.wait_for_rest(g1, s1)
        clusterd.kill()
        world.forget(clusterd)
        again = world.clusterd(data_dir, "--probe_interval=200ms")
        hand_on(s1, again)
        mark = world.mit.mark()
        wait_until("s1 is renewed", lambda: any(
            "/s1 (" in request["agent"] for request in
            world.mit.requests("POST", since=mark)))
        world.wait_for_rest(g1, s1)

    def test_a_session_that_nobody_keeps_alive_ends(self):
        world = self.make_world(leaseTime=HOUR)
        g1, = world.registered_genuine("g1")
        clusterd = world.clusterd()
        s1, s2 = world.service("s1"), world.service("s2")
        world.register(clusterd, s1, "--ttl=1s")
        world.register(clusterd, s2)
        world.wait_for_rest(g1, s2)
