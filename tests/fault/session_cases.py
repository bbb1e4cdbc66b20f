"""Services that die or are replaced, and a clusterd that was held up."""
import sys
import time
from pathlib import Path

from programs import Program, wait_until
from rpc import registry
from scene import FaultTest

SERVICE = Path(__file__).with_name("service.py")
SLACK = 5  # s, of a busy machine
MISSES = 3


class Service(Program):
    def __init__(self, scene, server_id, *ttl):
        super().__init__(scene.directory, server_id, [
            sys.executable, SERVICE, scene.clusterd.address, server_id, *ttl], {})
        scene.addCleanup(self.stop)
        self.url = wait_until(f"{server_id} is registered", self._first_line)

    def _first_line(self):
        self.check_alive()
        return self.lines()[:1] and self.lines()[0]

    def lines(self):
        return self.log.read_text().splitlines()


class DeathTest(FaultTest):
    def seconds_until_gone(self, server_id, bound):
        client, start = self.client(), time.monotonic()
        wait_until(f"{server_id} is gone", lambda: server_id not in {
            **client.servers(), **client.registrations()}, bound + SLACK)
        return time.monotonic() - start

    def test_a_service_with_a_ttl_that_dies_is_gone_within_it(self):
        ttl = self.either(2, 20)
        self.start()
        other, service = Service(self, "other", ttl), Service(self, "mortal", ttl)
        service.kill()
        self.note(f"gone {self.seconds_until_gone('mortal', ttl):.1f} s after its "
                  f"death, with a ttl of {ttl} s")
        self.assertEqual({"other": other.url}, {
            server_id: server.cluster_base_url for server_id, server
            in self.client().servers().items()})

    def test_a_probed_service_is_listed_whenever_it_answers(self):
        flags, bound = self.either((("--probe_interval=500ms",), 0.5 * 1.1 * MISSES),
                                   ((), 40))
        self.start(*flags)
        client = self.client()
        other, mortal = self.fleet().start("other", "mortal")
        mortal.die()
        client.register("mortal", mortal.url, wait=False)
        client.register("other", other.url)
        self.assertEqual(set(client.servers()), {"other"})
        mortal.revive()
        self.note(f"listed {self.seconds_until(client, {'mortal', 'other'}, 2):.1f} s "
                  "after it began to answer")
        mortal.die()
        self.note(f"gone {self.seconds_until(client, {'other'}, bound):.1f} s after its "
                  f"death; bound {bound:.1f} s")
        self.assertIn("mortal", client.registrations())
        mortal.revive()
        self.note(f"back {self.seconds_until(client, {'mortal', 'other'}, 30):.1f} s "
                  "after it answered again")

    def seconds_until(self, client, listed, bound):
        start = time.monotonic()
        wait_until(f"{listed} are listed", lambda: set(client.servers()) == listed,
                   bound + SLACK)
        return time.monotonic() - start

    def test_a_restarted_service_replaces_its_former_self(self):
        self.start()
        first, second = Service(self, "twin", 2), Service(self, "twin", 2)
        wait_until("the first is told", lambda: first.lines()[1:2] ==
                   ["SESSION_SUPERSEDED"])
        wait_until("the first must not register again",
                   lambda: "a newer incarnation of this server was registered"
                   in first.log.read_text())
        self.assertEqual(second.url, self.client().servers()["twin"]
                         .cluster_base_url)
        second.check_alive()
        second.kill()
        self.seconds_until_gone("twin", 2)


class PauseTest(FaultTest):
    """clusterd stopped (SIGSTOP) for longer than ttl, lease and probes allow, while
    its callers go on speaking; then it goes on."""

    def test_who_lives_stays_and_who_died_meanwhile_goes(self):
        ttl, pause = self.either((2, 5), (5, 75))  # s
        probe_interval = self.either(0.5, 2)
        # Records would live for two leases and a minute.
        self.start("--lease=1s", f"--probe_interval={probe_interval}s",
                   "--request_timeout=1s", "--bookmark_interval=200ms")
        client = self.client()
        keeper, count = self.keeper(ttl), 200
        for i in range(count):
            keeper.add(client.register(f"kept-{i}", "http://127.0.0.1:1", ttl=ttl))
        probed = self.fleet().start(*(f"probed-{i}" for i in range(count // 10)))
        for service in probed:
            client.register(service.id, service.url)

        for turn in range(2):
            dead = {f"kept-{turn}", f"probed-{turn}"}
            alive = set(client.servers()) - dead
            events = client.watch()
            self.clusterd.pause()
            keeper.let_die(dead)
            probed[turn].die()
            rounds, end = keeper.rounds, time.monotonic() + pause
            wait_until("it was paused for longer than everything",
                       lambda end=end: time.monotonic() > end, pause + 1)
            self.assertGreater(keeper.rounds, rounds + 3)
            self.clusterd.go_on()
            start = time.monotonic()
            wait_until("the dead are gone",
                       lambda dead=dead: not dead & set(client.servers()),
                       max(ttl, probe_interval * 1.1 * MISSES + 1) + SLACK)
            self.note(f"paused for {pause} s; {len(alive)} stayed, the dead were "
                      f"gone {time.monotonic() - start:.1f} s later")
            # As long again, in which nothing may happen.
            rounds = keeper.rounds
            wait_until("all have spoken again",
                       lambda rounds=rounds: keeper.rounds > rounds + 4)
            self.assertEqual(set(client.servers()), alive)
            self.assertEqual(keeper.lost, {})
            self.assertEqual(self.leavers(events, client.cluster().revision), dead)

    @staticmethod
    def leavers(events, revision):
        """Who has left until then."""
        left = set()
        for event in events:
            if event.change.type in (registry.CHANGE_TYPE_LEFT,
                                     registry.CHANGE_TYPE_EVICTED):
                left.add(event.change.server.server_id)
            if max(event.bookmark.revision, event.change.revision) >= revision:
                events.cancel()
                return left
        raise AssertionError("the watch has ended")
