"""clusterd killed and started again on what it left on the disk."""
import random
import threading
import time

import grpc

from programs import wait_until
from rpc import Client
from scene import FaultTest

CALLERS = 8
HOUR = 3600  # s


class Caller:
    """Registers servers as fast as it can, and takes every third one back, until
    clusterd is gone. Keeps account of what was acknowledged."""

    def __init__(self, name, address):
        self.name = name
        self.held = {}  # server_id -> session_id
        self.left = set()
        self.unsure = set()  # asked for, and never answered
        self.acknowledged = 0
        self.thread = threading.Thread(target=self._run, args=(address,))
        self.thread.start()

    def _run(self, address):
        with Client(address) as client:
            try:
                self._call(client)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise

    def _call(self, client):
        number = 0
        while True:
            number += 1
            server_id = f"{self.name}-{number}"
            self.unsure.add(server_id)
            registration = client.register(server_id, "http://127.0.0.1:1", ttl=HOUR,
                                           wait=number % 2 == 0)
            self.held[server_id] = registration.session_id
            self.acknowledged += 1
            if number % 3 == 0:
                client.unregister(server_id)
                del self.held[server_id]
                self.left.add(server_id)
                self.acknowledged += 1
            self.unsure.discard(server_id)


class CrashTest(FaultTest):
    def test_whatever_was_acknowledged_survives_a_kill(self):
        held, left = {}, set()
        random_ = random.Random(1)
        for kill in range(self.either(4, 20)):
            self.start_lasting()
            callers = [Caller(f"s-{kill}-{i}", self.clusterd.address)
                       for i in range(CALLERS)]
            enough = random_.randrange(50, 400)
            wait_until("enough was acknowledged", lambda callers=callers: sum(
                caller.acknowledged for caller in callers) >= enough)
            self.clusterd.kill()
            for caller in callers:
                caller.thread.join()
                for server_id in caller.unsure:
                    caller.held.pop(server_id, None)
                held.update(caller.held)
                left.update(caller.left)

            self.start_lasting()
            client = self.client()
            listed = set(client.registrations())
            self.assertEqual(set(held) - listed, set(), "were acknowledged")
            self.assertEqual(left & listed, set(), "were unregistered")
            self.assertEqual(set(client.keep_alive(held.values()).values()), {""},
                             "every session that was handed out lives")
            self.clusterd.kill()
        self.note(f"{len(held)} registered and {len(left)} unregistered, none "
                  f"lost, over {kill + 1} kills")


class RestartTest(FaultTest):
    """1,000 registrations, half of them kept alive by their callers and half
    probed, and a tenth of each dead when clusterd comes back."""

    def test_nobody_who_lives_is_dropped_and_nobody_dead_renewed(self):
        count, ttl = 500, self.either(6, 30)
        # The dead have to go by their ttl, not by what a restart adds to it.
        flags = ("--resume-grace=0",
                 *self.either(("--probe_interval=1s",), ()))
        silence = self.either(1.1 * 3, 40)  # s, of three misses
        slack = 10  # s, for a thousand of them on a busy machine
        self.start_lasting(*flags)
        client = self.client()
        probed = self.fleet().start(*(f"probed-{i}" for i in range(count)))
        keeper = self.keeper(ttl)
        for i in range(count):
            keeper.add(client.register(f"kept-{i}", "http://127.0.0.1:1", ttl=ttl,
                                       wait=False))
        for service in probed:
            client.register(service.id, service.url, wait=False)
        wait_until("all are registered",
                   lambda: len(client.servers()) == 2 * count)

        self.clusterd.kill()
        dead_kept = {f"kept-{i}" for i in range(count // 10)}
        keeper.let_die(dead_kept)
        for service in probed[:count // 10]:
            service.die()
        dead_probed = {service.id for service in probed[:count // 10]}
        dead = dead_kept | dead_probed
        alive = {f"kept-{i}" for i in range(count)} | {s.id for s in probed}
        alive -= dead
        self.start_lasting(*flags)
        started = time.monotonic()
        client = self.client()
        gone = {}

        def at_rest():
            held, servers = client.registrations(), client.servers()
            self.assertEqual(alive - set(held), set(), "live ones were dropped")
            self.assertEqual(alive - set(servers), set(), "live ones were removed")
            self.assertEqual({server_id for server_id in dead & set(held)
                              if held[server_id].next_renewal_time.seconds > 0},
                             set(), "dead ones were renewed")
            for server_id in dead - set(servers) - set(gone):
                gone[server_id] = time.monotonic() - started
            return len(gone) == len(dead) and all(
                held[server_id].message == "" for server_id in alive)

        wait_until("the dead are gone and the living are registered", at_rest,
                   max(ttl, silence) + slack)
        kept, quiet = (max(gone[server_id] for server_id in each)
                       for each in (dead_kept, dead_probed))
        self.assertLess(kept, ttl + slack)
        self.assertLess(quiet, silence + slack)
        self.assertEqual(keeper.lost, {})
        self.note(f"{len(alive)} live ones stayed; the dead of ttl {ttl} s were "
                  f"gone after {kept:.1f} s, those probed after {quiet:.1f} s")
