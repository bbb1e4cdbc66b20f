"""What takes long: much of everything at the same time, and an authority that is
away for a while. Short forms by default, long ones where `full` is set."""
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from programs import wait_until
from world import TYPE, WorldTest, call, registration, servers_of

LEASE = 2000  # ms
FIRST_TICK = 0.3  # s: the package forgets who leaves sooner after it came


class GenuineMember:
    def __init__(self, world, server_id):
        self.node = world.genuine(server_id, REGISTRATION_RETRY="100")

    def join(self):
        self.node.register()
        wait_until(f"{self.node.id} is registered",
                   lambda: self.node.registration() == "registered")
        time.sleep(FIRST_TICK)

    def leave(self):
        return self.node.unregister()["errors"]

    def call(self):
        """Tells of what is wrong with the answer; the package hides the rest."""
        answer = self.node.fan_out("GET", "/echo")
        return [failure["serverId"] for failure in answer["failures"]]


class OwnMember:
    """A service with a clusterd beside it."""

    def __init__(self, world, server_id):
        self.world = world
        self.node = world.service(server_id)
        self.clusterd = world.clusterd()

    def join(self):
        self.world.register(self.clusterd, self.node)

    def leave(self):
        return self.clusterd.ctl("unregister", TYPE, self.node.id)["errors"]

    def call(self):
        answer = call(self.clusterd, "GET", "/echo", f"--origin={self.node.id}")
        told = [len(answer[part]) for part in ("results", "failures", "skipped")]
        if sum(told) != answer["expectedCount"]:
            raise AssertionError(f"not everyone is accounted for: {answer}")
        return [failure["serverId"] for failure in answer["failures"]]


class Churn:
    """Lets each member do one thing after another, all at the same time."""
    STAY = 3  # members at the least: alone, the package registers by itself

    def __init__(self, members, events, seed):
        self.shares = [random.Random(f"{seed}/{member.node.id}")
                       for member in members]
        self.members = members
        self.events = events // len(members)
        self.lock = threading.Lock()
        self.inside = len(members)
        self.counts = {"join": 0, "leave": 0, "call": 0}
        self.complaints = []

    def run(self):
        with ThreadPoolExecutor(len(self.members)) as pool:
            list(pool.map(self._live, self.members, self.shares))

    def _live(self, member, dice):
        is_in = True
        for _ in range(self.events):
            if not is_in:
                self._note("join", member.join())
                is_in = True
                with self.lock:
                    self.inside += 1
            elif dice.random() < 0.2 and self._may_leave():
                self._note("leave", member.leave())
                is_in = False
            else:
                self._note("call", member.call())
        if not is_in:
            self._note("join", member.join())

    def _may_leave(self):
        with self.lock:
            if self.inside <= self.STAY:
                return False
            self.inside -= 1
            return True

    def _note(self, what, complaints):
        with self.lock:
            self.counts[what] += 1
            self.complaints += [(what, each) for each in complaints or ()]


class ChurnTest(WorldTest):
    def test_all_agree_two_leases_after_the_last_of_many_events(self):
        seed = os.environ.get("INTEROP_SEED") or str(random.randrange(1 << 32))
        print(f"INTEROP_SEED={seed}", flush=True)
        world = self.make_world(leaseTime=LEASE)
        members = [GenuineMember(world, f"g{i}") for i in range(4)]
        members += [OwnMember(world, f"s{i}") for i in range(4)]
        for member in members:
            member.join()
        nodes = [member.node for member in members]
        world.wait_for_rest(*nodes)

        churn = Churn(members, 10_000 if self.full else 400, seed)
        churn.run()
        time.sleep(2 * LEASE / 1000)
        # A list that is being replaced now is there after a moment.
        world.wait_for_rest(*nodes, deadline=LEASE / 1000)
        print(f"{churn.counts}, {len(churn.complaints)} complaints: "
              f"{churn.complaints[:5]}", flush=True)
        self.assertEqual([request["path"] for request in
                          world.mit.requests("DELETE") if "@" in request["path"]
                          and "; clusterd" in request["agent"]], [])


class OutageTest(WorldTest):
    def test_mit_away_for_many_leases_is_nobodys_death(self):
        world = self.make_world(leaseTime=5000 if self.full else LEASE)
        g1, g2 = world.registered_genuine("g1", "g2")
        clusterd = world.clusterd()
        s1, s2 = world.service("s1"), world.service("s2")
        for service in (s1, s2):
            world.register(clusterd, service)
        everyone = (g1, g2, s1, s2)
        world.wait_for_rest(*everyone)
        lists = world.lists()

        world.mit.faults(mit={"kind": "down"})
        end = time.monotonic() + (60 if self.full else 6)
        while time.monotonic() < end:
            self.assertEqual(call(clusterd, "GET", "/echo")["verdict"],
                             "VERDICT_COMPLETE")
            self.assertEqual(len(g1.fan_out("GET", "/echo")["results"]), 3)
            self.assertEqual(servers_of(clusterd), lists[clusterd.name])
        for service in (s1, s2):
            self.assertRegex(registration(clusterd, service.id)["status"]
                             ["registrationStatus"], "^orphan: ")
        self.assertEqual(world.lists(), lists)

        world.mit.faults(mit=None)
        wait_until("all are registered again", lambda: [
            registration(clusterd, service.id)["state"]
            for service in (s1, s2)] == ["REGISTRATION_STATE_REGISTERED"] * 2)
        world.wait_for_rest(*everyone)
        self.assertEqual(world.mit.requests("DELETE"), [])
