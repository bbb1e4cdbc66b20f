"""A service that moves from one clusterd to another under the same authority (the
stand-in of tests/interop): the first must never remove what the second holds."""
import shutil
import time

from programs import wait_until
from rpc import Client, Keeper
from scene import FaultTest
from world import World

LEASE = 2  # s, that the stand-in grants
TTL = 1.5  # s


class TakeoverTest(FaultTest):
    def setUp(self):
        super().setUp()
        if shutil.which("node") is None:
            self.skipTest("needs Node.js, which the stand-in of mIT runs in")

    def begin(self, ttl, **settings):
        """The service "mover" is held by the first of two clusterds."""
        self.ttl = ttl
        self.world = World(leaseTime=LEASE * 1000, **settings)
        self.addCleanup(self.world.stop)
        self.first, self.second = (
            self.world.clusterd("--probe_interval=300ms") for _ in range(2))
        self.mover, = self.fleet().start("mover")
        self.keepers = {}
        self.enter(self.first)

    def enter(self, clusterd):
        with Client(clusterd.address) as client:
            registration = client.register("mover", self.mover.url, self.ttl)
        if self.ttl:
            keeper = Keeper(lambda: clusterd.address, self.ttl)
            self.addCleanup(keeper.close)
            keeper.add(registration)
            self.keepers[clusterd] = keeper

    def leave(self, clusterd):
        """Without a word."""
        if self.ttl:
            self.keepers[clusterd].let_die({"mover"})

    def holds(self, clusterd):
        with Client(clusterd.address) as client:
            return "mover" in client.registrations()

    def record(self):
        return self.world.mit.servers().get("mover", {}).get("clusterBaseUrl")

    def check_that_it_stays(self):
        """Until the first holds it no longer, and two leases more."""
        end = None

        def over():
            nonlocal end
            self.assertEqual(self.record(), self.mover.url)
            if end is None and not self.holds(self.first):
                end = time.monotonic() + 2 * LEASE
            return end is not None and time.monotonic() > end

        wait_until("the first has let it go", over)
        self.assertTrue(self.holds(self.second))
        if self.ttl:
            self.assertEqual(self.keepers[self.second].lost, {})

    def test_second_has_it_before_the_first_misses_it(self):
        for ttl in (TTL, None):
            with self.subTest(ttl=ttl):
                self.begin(ttl)
                self.mover.move()
                self.enter(self.second)
                self.leave(self.first)
                self.check_that_it_stays()

    def test_second_has_it_while_the_first_is_held_up(self):
        for ttl in (TTL, None):
            with self.subTest(ttl=ttl):
                self.begin(ttl)
                self.first.pause()
                self.leave(self.first)
                self.mover.move()
                self.enter(self.second)
                mark = self.world.mit.mark()
                wait_until("the second has renewed it",
                           lambda mark=mark: len(self.world.mit.requests(
                               "POST", since=mark)) > 2)
                self.first.go_on()
                self.check_that_it_stays()

    def test_second_gets_it_while_the_first_removes_it(self):
        for ttl in (TTL, None):
            with self.subTest(ttl=ttl):
                self.begin(ttl)
                self.world.mit.faults(mit={"kind": 503, "method": "DELETE"})
                self.leave(self.first)
                self.mover.die()
                wait_until("the first is removing it",
                           lambda: self.world.mit.requests("DELETE"))
                self.mover.move()
                self.enter(self.second)
                self.world.mit.faults(mit=None)
                self.check_that_it_stays()

    def test_second_has_it_at_the_same_address(self):
        """Where a renewal by the second gives the record a new version."""
        self.begin(TTL, touch=True)
        self.enter(self.second)
        self.leave(self.first)
        self.check_that_it_stays()

    def test_same_address_and_a_version_that_does_not_change(self):
        """The authority can't tell the two apart: the record is removed, and
        comes back with the next renewal."""
        self.begin(TTL)
        self.enter(self.second)
        self.leave(self.first)
        wait_until("the first has let it go", lambda: not self.holds(self.first))
        start = time.monotonic()
        wait_until("it is back", self.record, LEASE + 1)
        self.note(f"missing for {time.monotonic() - start:.1f} s, lease {LEASE} s")
