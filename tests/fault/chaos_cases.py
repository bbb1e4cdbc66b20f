"""Three clusterds under one authority, thirty services, and a long row of random
faults; meanwhile a caller fans out all the time."""
import os
import random
import re
import shutil
import threading
import time

import grpc

from programs import wait_until
from rpc import Client, Keeper, registry
from scene import FaultTest
from world import World

SERVICES = 30
CLUSTERDS = 3
LEASE = 2  # s
TTL = 2  # s
# s, in which all lists must be right after the last fault that touches a server:
# a ttl or three probes, a lease, and what a busy machine takes.
BOUND = 10


class Slot:
    """A place where a clusterd runs, and what was done to it."""

    def __init__(self, scene, number):
        self.flags = (f"--data_dir={scene.directory}/data-{number}",
                      "--probe_interval=400ms", "--on_shutdown=keep",
                      "--resume-grace=0")
        self.world = scene.world
        self.up = True  # neither paused nor dead
        self.changed = time.monotonic()
        self.clusterd = self.world.clusterd(*self.flags)
        self.keeper = Keeper(lambda: self.clusterd.address, TTL)
        scene.addCleanup(self.keeper.close)

    def touch(self):
        self.changed = time.monotonic()

    def restart(self):
        self.clusterd.kill()
        self.clusterd = self.world.clusterd(*self.flags)
        self.up = True
        self.touch()

    def pause(self):
        self.up = False
        self.clusterd.pause()

    def go_on(self):
        self.clusterd.go_on()
        self.up = True
        self.touch()


class Player:
    """A service, and where it is registered."""

    def __init__(self, service, ttl):
        self.service = service
        self.ttl = ttl
        self.holders = set()  # slots that may still hold it
        self.changed = 0.0

    def settled(self):
        """Since when nothing was done that concerns it; None: it is being done."""
        if not all(slot.up for slot in self.holders):
            return None
        return max(self.changed, *(slot.changed for slot in self.holders))

    def enter(self, slot):
        for other in self.holders:
            other.keeper.let_die({self.service.id})
        self.holders.add(slot)
        self.changed = time.monotonic()
        with Client(slot.clusterd.address) as client:
            registration = client.register(self.service.id, self.service.url,
                                           self.ttl, wait=False)
        if self.ttl:
            slot.keeper.add(registration)
        self.changed = time.monotonic()

    def die(self):
        for slot in self.holders:
            slot.keeper.let_die({self.service.id})
        self.service.die()
        self.changed = time.monotonic()


class ChaosTest(FaultTest):
    def setUp(self):
        super().setUp()
        if shutil.which("node") is None:
            self.skipTest("needs Node.js, which the stand-in of mIT runs in")
        seed = os.environ.get("FAULT_SEED") or random.randrange(1 << 32)
        self.note(f"FAULT_SEED={seed}")
        self.random = random.Random(int(seed))
        self.world = World(leaseTime=LEASE * 1000)
        self.addCleanup(self.world.stop)
        self.slots = [Slot(self, number) for number in range(CLUSTERDS)]
        self.players = [
            Player(service, TTL if i % 2 else None) for i, service in enumerate(
                self.fleet().start(*(f"s-{i}" for i in range(SERVICES))))]
        for i, player in enumerate(self.players):
            player.enter(self.slots[i % CLUSTERDS])
        self.authority_changed = time.monotonic()
        self.authority_up = True
        self.history = []
        self.failures = []  # of the thread that fans out
        self.fan_outs = 0
        self.done = threading.Event()

    def test_lists_are_right_within_the_bound(self):
        caller = threading.Thread(target=self.fan_out_all_the_time)
        caller.start()
        self.addCleanup(caller.join)
        self.addCleanup(self.done.set)
        faults = (self.kill_service, self.kill_service, self.kill_service,
                  self.revive_service, self.revive_service, self.move_service,
                  self.move_service, self.restart_clusterd, self.pause_clusterd,
                  self.wake_clusterd, self.wake_clusterd, self.cut_authority,
                  self.heal_authority, self.heal_authority)
        count = self.either(60, 1000)
        for _ in range(count):
            self.random.choice(faults)()
            self.watch(self.random.uniform(0, 1))
        for slot in self.slots:
            if not slot.up:
                slot.go_on()
        self.heal_authority()
        self.watch(BOUND + 3)
        self.done.set()
        self.assertEqual(self.failures, [])
        alive = {player.service.id for player in self.players
                 if player.service.alive}
        self.assertEqual({server_id for slot in self.slots
                          for server_id in slot.keeper.lost if server_id in alive},
                         set(), "live sessions were ended")
        self.note(f"{count} faults, {self.fan_outs} fan-outs, {len(alive)} alive at "
                  f"the end; every list was right within {BOUND} s")

    # --- faults ---------------------------------------------------------------

    def some(self, players):
        return self.random.choice(players) if players else None

    def kill_service(self):
        alive = [player for player in self.players if player.service.alive]
        if len(alive) > SERVICES * 2 // 3:
            player = self.some(alive)
            self.tell("kill", player.service.id)
            player.die()

    def revive_service(self):
        player = self.some([player for player in self.players
                            if not player.service.alive])
        slot = self.some([slot for slot in self.slots if slot.up])
        if player and slot:
            same = self.random.random() < 0.5
            self.tell("revive", player.service.id, "same address" if same else "")
            if same:
                player.service.revive()
            else:
                player.service.move()
            player.enter(slot)

    def move_service(self):
        player = self.some([player for player in self.players
                            if player.service.alive])
        slot = self.some([slot for slot in self.slots if slot.up])
        if slot:
            self.tell("move", player.service.id, self.slots.index(slot))
            player.service.move()
            player.enter(slot)

    def restart_clusterd(self):
        slot = self.some(self.slots)
        self.tell("kill clusterd", self.slots.index(slot))
        slot.restart()

    def pause_clusterd(self):
        slot = self.some([slot for slot in self.slots if slot.up])
        if slot:
            self.tell("pause clusterd", self.slots.index(slot))
            slot.pause()

    def wake_clusterd(self):
        slot = self.some([slot for slot in self.slots if not slot.up])
        if slot:
            self.tell("wake clusterd", self.slots.index(slot))
            slot.go_on()

    def cut_authority(self):
        self.tell("cut the authority")
        self.world.mit.faults(mit={"kind": self.random.choice(["down", 503])})
        self.authority_up = False

    def heal_authority(self):
        if not self.authority_up:
            self.tell("heal the authority")
            self.world.mit.faults(mit=None)
            self.authority_up = True
            self.authority_changed = time.monotonic()

    def tell(self, *what):
        self.history.append(f"{time.monotonic():.2f} " + " ".join(map(str, what)))

    # --- what must hold -------------------------------------------------------

    def watch(self, seconds):
        end = time.monotonic() + seconds

        def look():
            self.check_lists()
            return time.monotonic() > end

        wait_until("the next fault is due", look, seconds + 60)

    def check_lists(self):
        if not self.authority_up:
            return
        asked = time.monotonic()
        self.check("mIT", {server_id: server["clusterBaseUrl"] for server_id, server
                           in self.world.mit.servers().items()},
                   self.authority_changed, asked)
        for number, slot in enumerate(self.slots):
            if slot.up:
                with Client(slot.clusterd.address) as client:
                    known = {server_id: server.cluster_base_url
                             for server_id, server in client.servers().items()}
                self.check(f"clusterd {number}", known,
                           max(self.authority_changed, slot.changed), asked)

    def check(self, who, known, changed, asked):
        for player in self.players:
            settled = player.settled()
            if settled is None or asked - max(settled, changed) < BOUND:
                continue
            service = player.service
            if known.get(service.id) != (service.url if service.alive else None):
                self.fail("\n".join([
                    f"{asked:.2f} {who} has {service.id} at "
                    f"{known.get(service.id)}; it is "
                    f"{'at ' + service.url if service.alive else 'dead'}, "
                    f"settled since {settled:.2f}",
                    *self.history[-40:], *self.told_of(service.id)]))

    def told_of(self, server_id):
        """What the clusterds say of a server, and have logged of it."""
        word = re.compile(rf"\b{server_id}\b")
        for number, slot in enumerate(self.slots):
            if slot.up:
                with Client(slot.clusterd.address) as client:
                    held = client.registrations().get(server_id)
                yield f"clusterd {number} holds {held}"
        for clusterd in self.world.clusterds:
            lines = clusterd.log.read_text(errors="replace").splitlines()
            yield from (f"{clusterd.name} {line}" for line in
                        [line for line in lines if word.search(line)][-15:])

    def fan_out_all_the_time(self):
        while not self.done.wait(0.05):
            slot = random.choice(self.slots)
            try:
                with Client(slot.clusterd.address) as client:
                    self.check_fan_out(client)
            except grpc.RpcError:
                pass  # paused, dead, or it holds nothing yet

    def check_fan_out(self, client):
        before = self.members(client)
        answer = client.fan_out(timeout=3)
        after = self.members(client)
        ids = [each.server_id for part in
               (answer.results, answer.failures, answer.skipped) for each in part]
        self.fan_outs += 1
        if len(ids) != len(set(ids)) or len(ids) != answer.expected_count:
            self.failures.append(f"not disjoint: {sorted(ids)}")
        if before == after and set(ids) != before[1]:
            self.failures.append(f"{sorted(ids)} of {sorted(before[1])}")

    @staticmethod
    def members(client):
        page = client.registry.ListServers(registry.ListServersRequest(
            type="echo", page_size=100), timeout=3)
        return page.revision, {server.server_id for server in page.servers}
