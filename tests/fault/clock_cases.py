"""A wall clock that jumps under a running clusterd (libfaketime)."""
from pathlib import Path

from programs import wait_until
from rpc import fan_out
from scene import FaultTest

LIBRARY = "faketime/libfaketimeMT.so.1"
TTL = 2  # s


class ClockTest(FaultTest):
    def setUp(self):
        super().setUp()
        library = next(Path("/usr/lib").glob(f"*/{LIBRARY}"), None)
        if library is None:
            self.skipTest("needs libfaketime, which is not installed")
        self.clock = self.directory / "clock"
        self.env = {"LD_PRELOAD": str(library), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def set_clock(self, offset):
        # Renamed, so that it is never seen half.
        part = self.clock.with_suffix(".part")
        part.write_text(offset)
        part.rename(self.clock)

    def test_jumps_drop_nobody_and_versions_grow(self):
        self.set_clock("+0")
        flags = "--probe_interval=300ms", "--lease=1s"
        self.start_lasting(*flags, env=self.env)
        client, keeper = self.client(), self.keeper(TTL)
        services = self.fleet().start(*(f"s-{i}" for i in range(50)))
        for service in services[10:]:
            keeper.add(client.register(service.id, service.url, ttl=TTL))
        for service in services[:10]:
            client.register(service.id, service.url)
        everyone = {service.id for service in services}
        versions = [client.servers()["s-0"].etag]

        for offset in ("+1h", "-1h", "+1d", "-1d", "+0"):
            restarts = offset == "-1d"
            self.set_clock(offset)
            if restarts:
                self.clusterd.kill()
                self.start_lasting(*flags, env=self.env)
                client = self.client()
            rounds = keeper.rounds
            wait_until("everyone could have been dropped",
                       lambda rounds=rounds: keeper.rounds > rounds + 4)
            self.assertEqual(set(client.servers()), everyone)
            self.assertEqual(set(client.registrations()), everyone)
            self.assertEqual(keeper.lost, {})
            services[0].move()
            client.register("s-0", services[0].url)
            versions.append(client.servers()["s-0"].etag)
            self.assertEqual(client.fan_out().verdict, fan_out.VERDICT_COMPLETE)
            self.note(f"at {offset}: all stayed, version {versions[-1]}")
        self.assertEqual(versions, sorted(set(versions)))
