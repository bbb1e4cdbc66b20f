#!/usr/bin/env python3
"""Every wait of clusterctl has an end: waits_test.py CLUSTERCTL CLUSTERD.

Each command is run against addresses at which nobody answers, with a timeout,
without one, and with a signal while it waits.
"""
import itertools
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "support"))
from programs import Clusterd, wait_until
from silent_peers import Accepting, Speechless, Swallowing

COMMANDS = (
    ("register", "orders", "--url=http://127.0.0.1:1"),
    ("keepalive", "some-session"),
    ("drain", "orders", "node-1"),
    ("undrain", "orders", "node-1"),
    ("unregister", "orders", "node-1"),
    ("evict", "orders", "node-1", "--etag=1"),
    ("status",),
    ("status", "orders", "node-1"),
    ("clusters",),
    ("servers", "orders"),
    ("watch", "orders"),
    ("call", "orders", "GET", "/"),
    ("call", "orders", "GET", "/", "--stream"),
    ("health",),
)
# Those that go on until they are told to end, and how they end then.
LASTING = {
    ("watch", "orders"): 0,
    ("keepalive", "some-session", "--every=1s"): 0,
    ("register", "orders", "--url=http://127.0.0.1:1", "--keepalive"): 1,
}
BOUND = 30  # s, for what has a timeout; without one 10 s are the longest
AT_ONCE = 8  # s, for a signal: 2 s to connect, and what a busy machine takes


class Waiting:
    """A command that has begun to wait."""

    def __init__(self, test, place, command, *options):
        self.place = place()
        test.addCleanup(self.place.close)
        self.name = f"{' '.join(command)} at {place.__name__}"
        self.process = subprocess.Popen(
            [test.clusterctl, *command, f"--address={self.place.address}",
             *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        test.addCleanup(self.process.kill)
        wait_until(f"{self.name} waits", self.place.is_waited_for)

    def end(self, bound):
        """(exit code, what was said on standard error)."""
        try:
            _, said = self.process.communicate(timeout=bound)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} has not ended") from None
        return self.process.returncode, said


class WaitsTest(unittest.TestCase):
    clusterctl = None  # set by main
    places = Swallowing, Accepting, Speechless

    def check_that_all_fail(self, *options):
        waiting = [Waiting(self, place, command, *options)
                   for place, command in itertools.product(self.places, COMMANDS)]
        for each in waiting:
            with self.subTest(each.name):
                code, said = each.end(BOUND)
                self.assertEqual(code, 1, said)
                self.assertRegex(
                    said, f"^clusterctl: clusterd at {each.place.address} "
                    "(cannot be reached: |did not answer in time\n$)")

    def test_a_timeout_ends_each_command(self):
        self.check_that_all_fail("--timeout=1s")

    def test_each_command_ends_without_a_timeout(self):
        self.check_that_all_fail()

    def test_a_signal_ends_each_command(self):
        for number, place, command in itertools.product(
                (signal.SIGINT, signal.SIGTERM), self.places, COMMANDS):
            if command not in LASTING:
                self.check_that_it_ends(place, command, number, -number)

    def test_a_signal_ends_what_lasts(self):
        for place, command in itertools.product(self.places, LASTING):
            self.check_that_it_ends(place, command, signal.SIGTERM,
                                    LASTING[command])

    def check_that_it_ends(self, place, command, number, code):
        waiting = Waiting(self, place, command)
        with self.subTest(waiting.name):
            waiting.process.send_signal(number)
            self.assertEqual(waiting.end(AT_ONCE)[0], code)


class SilentClusterdTest(unittest.TestCase):
    """A clusterd that falls silent in the middle of a stream."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.clusterd = Clusterd(directory.name, "clusterd", {})
        self.addCleanup(self.clusterd.stop)
        self.addCleanup(self.clusterd.go_on)

    def start(self, *command):
        """Once it has printed a line, clusterd is silent."""
        process = subprocess.Popen(
            [WaitsTest.clusterctl, *command,
             f"--address={self.clusterd.address}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertNotEqual(process.stdout.readline(), "")
        self.clusterd.pause()
        return process

    def test_watch_ends_by_a_signal(self):
        watch = self.start("watch", "orders")
        watch.send_signal(signal.SIGINT)
        self.assertEqual(watch.wait(AT_ONCE), 0)

    def test_watch_ends_by_its_timeout(self):
        self.assertEqual(
            self.start("watch", "orders", "--timeout=2s").wait(BOUND), 0)

    def test_keepalive_ends_by_a_signal(self):
        registered = self.clusterd.ctl("register", "orders", "--ttl=1h",
                                       "--url=http://127.0.0.1:1")
        keepalive = self.start("keepalive", "--every=10ms",
                               registered["registration"]["sessionId"])
        keepalive.send_signal(signal.SIGTERM)
        self.assertEqual(keepalive.wait(AT_ONCE), 0)

    def test_register_tries_to_unregister_until_the_second_signal(self):
        register = self.start("register", "orders", "--url=http://127.0.0.1:1",
                              "--keepalive", "--timeout=1h")
        register.send_signal(signal.SIGTERM)
        # Only then the next one is another.
        wait_until("the first signal is taken", lambda: not pending(
            register, signal.SIGTERM))
        wait_until("the next one ends it", lambda: ends_by(
            register, signal.SIGTERM), AT_ONCE)
        self.assertEqual(register.returncode, -signal.SIGTERM)

    def test_register_gives_up_to_unregister(self):
        register = self.start("register", "orders", "--url=http://127.0.0.1:1",
                              "--keepalive")
        register.send_signal(signal.SIGTERM)
        self.assertEqual(register.wait(BOUND), 1)


def pending(process, number):
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = int(status.split("ShdPnd:")[1].split()[0], 16)
    return mask >> (number - 1) & 1


def ends_by(process, number):
    process.send_signal(number)
    return process.poll() is not None


def main():
    WaitsTest.clusterctl, clusterd = sys.argv[1:3]
    Clusterd.programs = {"clusterctl": WaitsTest.clusterctl, "clusterd": clusterd}
    return unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == "__main__":
    sys.exit(main())
