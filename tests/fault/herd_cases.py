"""A thousand at once: services that register and come back, and watchers."""
import json
import sys
import threading
import time
from pathlib import Path

import grpc

from programs import DEADLINE, Program, wait_until
from rpc import Client, reason_of, register_request
from scene import FaultTest

WATCHERS = Path(__file__).with_name("watchers.py")

COUNT = 1000
CONNECTIONS = 12
NOBODY = "http://127.0.0.1:1"


class HerdTest(FaultTest):
    """A thousand services with a ttl over a dozen connections."""

    def test_all_register_at_once_and_come_back_at_once_after_a_restart(self):
        ttl, bound = self.either(10, 30), self.either(20, 20)
        self.start_lasting()
        self.sessions = {}  # server_id -> session_id
        self.repeated = 0
        seconds = self.all_register(bound, ttl)
        self.assertEqual(len(self.client().servers()), COUNT)
        self.note(f"{COUNT} registered within {seconds:.1f} s")

        keepers = [self.keeper(ttl) for _ in range(CONNECTIONS)]
        for i, registration in enumerate(self.answers):
            keepers[i % CONNECTIONS].add(registration)
        for turn in range(self.either(1, 5)):
            self.clusterd.kill()
            self.start_lasting()
            seconds = self.all_register(bound, ttl)
            self.assertEqual(len(self.client().servers()), COUNT)
            self.note(f"after a restart {COUNT} were back within {seconds:.1f} s; "
                      f"{self.repeated} calls were repeated")
        rounds = [keeper.rounds for keeper in keepers]
        wait_until("all have spoken again", lambda: all(
            keeper.rounds > before + 3 for keeper, before in zip(keepers, rounds)))
        self.assertEqual([keeper.lost for keeper in keepers], [{}] * CONNECTIONS)

    def all_register(self, bound, ttl):
        """Seconds until each has its answer. Only what may be repeated is."""
        self.answers, self.failures = [], []
        start = time.monotonic()
        threads = [threading.Thread(target=self.register_some, args=(i, ttl, bound))
                   for i in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.failures, [])
        self.assertEqual(len(self.answers), COUNT)
        return time.monotonic() - start

    def register_some(self, first, ttl, bound):
        end = time.monotonic() + bound
        waiting = [f"s-{i}" for i in range(first, COUNT, CONNECTIONS)]
        with Client(self.clusterd.address) as client:
            while waiting:
                calls = {server_id: client.registry.RegisterServer.future(
                    register_request(server_id, NOBODY, ttl,
                                     session_id=self.sessions.get(server_id, "")),
                    timeout=bound) for server_id in waiting}
                waiting = [server_id for server_id, call in calls.items()
                           if not self.take(server_id, call)]
                self.repeated += len(waiting)
                if time.monotonic() > end:
                    self.failures.append(f"{len(waiting)} are not registered")
                    return

    def take(self, server_id, call):
        try:
            registration = call.result().registration
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE,
                                    grpc.StatusCode.RESOURCE_EXHAUSTED):
                self.failures.append(f"{server_id}: {error.code()} "
                                     f"{reason_of(error)} {error.details()}")
                return True
            return False
        self.sessions[server_id] = registration.session_id
        self.answers.append(registration)
        return True


class WatchTest(FaultTest):
    def test_a_thousand_watchers_see_the_same(self):
        changes = self.either(100, 1000)
        self.start()
        client = self.client()
        for i in range(20):
            client.register(f"s-{i}", NOBODY, ttl=3600)
        watchers = Program(self.directory, "watchers", [
            sys.executable, WATCHERS, self.clusterd.address, COUNT, changes], {})
        self.addCleanup(watchers.stop)

        def lines():
            return watchers.log.read_text().splitlines()

        wait_until("all have the snapshot", lambda: lines()[:1] == ["ready"])
        start = time.monotonic()
        for i in range(changes):
            client.register(f"s-{i % 30}", f"{NOBODY}/{i}", ttl=3600)
        wait_until("all have seen it", lambda: watchers.process.poll() is not None,
                   self.either(DEADLINE, 10 * DEADLINE))
        self.note(f"{COUNT} watchers saw {changes} changes within "
                  f"{time.monotonic() - start:.1f} s")
        saw, = (json.loads(line) for line in lines()[1:])
        self.assertEqual(saw["by"], COUNT)
        self.assertEqual([server_id for _, server_id, _ in saw["seen"]],
                         [f"s-{i % 30}" for i in range(changes)])
        first = saw["seen"][0][2]
        self.assertEqual([revision for _, _, revision in saw["seen"]],
                         list(range(first, first + changes)))

    def test_one_that_stops_reading_is_reset_and_costs_little_memory(self):
        changes, most = self.either(10_000, 100_000), 48 << 20  # bytes
        self.start("--unread_timeout=1h")
        client = self.client()
        filling = "x" * 1500  # of each address
        for i in range(50):
            client.register(f"s-{i}", f"{NOBODY}/{filling}", ttl=3600)
        watch = self.client().watch()
        self.assertTrue(next(watch).HasField("snapshot"))
        before = self.clusterd.resident_bytes()
        self.change(client, changes, filling)
        grown = self.clusterd.resident_bytes() - before
        self.assertLess(grown, most)
        for event in watch:
            if event.HasField("reset"):
                break
        self.assertEqual(event.reset.reason, "SLOW_WATCHER")
        snapshot = next(watch)
        self.assertEqual(len(snapshot.snapshot.servers), 50)
        self.assertEqual({server.server_id: server.cluster_base_url
                          for server in snapshot.snapshot.servers},
                         {server.server_id: server.cluster_base_url
                          for server in client.servers().values()})
        watch.cancel()
        self.note(f"{changes} changes of {len(filling)} bytes unread: "
                  f"{grown >> 20} MiB more in memory, then a reset")

    @staticmethod
    def change(client, changes, filling):
        """As fast as it goes; each one a new address."""
        window = []
        for i in range(changes):
            window.append(client.registry.RegisterServer.future(register_request(
                f"s-{i % 50}", f"{NOBODY}/{i}{filling}", ttl=3600, wait=False)))
            if len(window) == 50:
                for call in window:
                    call.result()
                window.clear()
