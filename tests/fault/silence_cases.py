"""A clusterd that starts again while its old address swallows packets: in a
network namespace of its own, with clients in every language."""
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from programs import Clusterd, CtlError, Program, wait_until
from scene import FaultTest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "client/examples"
SERVICE = ROOT / "deploy/demo/service.py"
TYPE = "hello"
TTL = 10  # s, of every example
NAME = "clusterd.test"
OLD, NEW, NEVER_SILENT = "127.0.0.2", "127.0.0.3", "127.0.0.1"
# s, that sessions live after a restart; --resume-grace is not set.
GRACE = 45


class SilenceTest(FaultTest):
    def setUp(self):
        super().setUp()
        self.need_program("ip", "nft")
        self.namespace = f"silence-{os.getpid()}"
        done = subprocess.run(["ip", "netns", "add", self.namespace],
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            self.skipTest("may not make a network namespace: "
                          + done.stderr.decode().strip())
        self.addCleanup(run, "ip", "netns", "del", self.namespace)
        run("ip", "-n", self.namespace, "link", "set", "lo", "up")
        self.hosts = self.directory / "hosts"
        self.resolver = self.directory / "resolv.conf"
        self.resolver.write_text(f"nameserver {NEVER_SILENT}\n")
        self.name(OLD)
        self.flags = (f"--data_dir={self.data_dir}",)
        self.logs = []
        self.start_clusterd()
        self.members = {}

    def inside(self, *command):
        """`command`, in the namespace, where it finds its own names."""
        return ("ip", "netns", "exec", self.namespace, "sh", "-c",
                'mount --bind "$0" /etc/hosts; mount --bind "$1" /etc/resolv.conf; '
                'shift; exec "$@"', self.hosts, self.resolver, *command)

    def name(self, address):
        """What the clients find under the name from now on."""
        self.hosts.write_text(f"127.0.0.1 localhost\n{address} {NAME}\n")

    def silence(self, address):
        """Packets from there and to there are dropped."""
        run("ip", "netns", "exec", self.namespace, "nft",
            "add table ip silence; add chain ip silence out { type filter hook "
            "output priority 0; }; "
            f"add rule ip silence out ip daddr {address} drop; "
            f"add rule ip silence out ip saddr {address} drop")

    def end_silence(self):
        run("ip", "netns", "exec", self.namespace, "nft",
            "delete table ip silence")

    def start_clusterd(self):
        port = self.clusterd.address.rpartition(":")[2] if self.clusterd else 0
        self.clusterd = Clusterd(self.directory, "clusterd", {}, *self.flags,
                                 host="0.0.0.0", grpc_port=port,
                                 wrapper=self.inside())
        self.addCleanup(self.clusterd.stop)
        self.logs.append(self.clusterd.log)
        self.port = self.clusterd.address.rpartition(":")[2]

    def ctl(self, *arguments):
        """What clusterctl answers with. Raises CtlError where it fails; a call that
        some servers did not answer well is none such."""
        done = subprocess.run(
            self.inside(self.clusterd.programs["clusterctl"], *arguments, "--json",
                        f"--address={NEVER_SILENT}:{self.port}"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
        if done.returncode not in (0, 3):
            raise CtlError(f"clusterctl {arguments}: {done.stderr}")
        return json.loads(done.stdout)

    def start_members(self):
        """One in each language whose example is built here."""
        run(EXAMPLES / "python/generate.sh")
        commands = {"python": ("/usr/bin/python3", EXAMPLES / "python/hello.py")}
        if shutil.which("node") and (EXAMPLES / "node/node_modules").exists():
            commands["node"] = (shutil.which("node"), EXAMPLES / "node/hello.mjs")
        if (EXAMPLES / "go/hello").exists():
            commands["go"] = (EXAMPLES / "go/hello",)
        for server_id, command in commands.items():
            self.member(server_id, *command)
        # The C++ library, for a service that speaks HTTP alone.
        url_file = self.directory / "service.url"
        self.program("service", sys.executable, SERVICE, "cpp", url_file)
        wait_until("the service serves", url_file.exists)
        url = url_file.read_text().strip()
        self.member("cpp", Clusterd.programs["clusterctl"], "register", TYPE,
                    "--keepalive", f"--ttl={TTL}s", "--id=cpp", f"--url={url}",
                    f"--address={NAME}:{self.port}")
        wait_until("all are registered", self.all_have_spoken)
        self.note(f"members: {', '.join(sorted(self.members))}")

    def member(self, server_id, *command):
        self.members[server_id] = self.program(server_id, *command)

    def program(self, name, *command):
        program = Program(self.directory, name, self.inside(*command), {
            "CLUSTERD_ADDRESS": f"{NAME}:{self.port}", "SERVER_ID": name})
        self.addCleanup(program.kill)
        return program

    def all_have_spoken(self):
        """Whether this clusterd has heard from all, in this life of it."""
        held = self.ctl("status", TYPE)["registrations"]
        return len(held) == len(self.members) and all(
            each["state"] == "REGISTRATION_STATE_REGISTERED" for each in held)

    def look(self):
        """Nobody is missing, and a call reaches all."""
        servers = self.ctl("servers", TYPE)["servers"]
        self.assertEqual({each["serverId"] for each in servers},
                         set(self.members))
        answer = self.ctl("call", TYPE, "GET", "/hello")
        self.assertEqual(answer["verdict"], "VERDICT_COMPLETE", answer)
        self.assertEqual(answer["expectedCount"], len(self.members))

    def look_until(self, what, condition, seconds):
        def looks_well():
            self.look()
            return condition()
        start = time.monotonic()
        wait_until(what, looks_well, seconds)
        return time.monotonic() - start

    def restart(self, silence):
        """Seconds until all have found it again; `silence` lasts so long."""
        self.silence(OLD)
        self.clusterd.kill()
        self.start_clusterd()
        end = time.monotonic() + silence
        self.look_until("it was silent for long",
                        lambda: time.monotonic() > end, silence + 10)
        if silence:
            self.end_silence()
        seconds = self.look_until("all have found it again", self.all_have_spoken,
                                  GRACE - silence)
        end = time.monotonic() + TTL
        self.look_until("all sessions could have ended",
                        lambda: time.monotonic() > end, TTL + 10)
        for log in self.logs:
            self.assertNotIn("a session was not kept alive", log.read_text())
        return seconds

    def test_it_is_deaf_at_first_and_nobody_is_lost(self):
        self.start_members()
        for _ in range(self.either(1, 5)):
            silence = self.either(12, 20)
            seconds = self.restart(silence)
            self.note(f"deaf for {silence} s: all were back {seconds:.1f} s later")

    def test_it_comes_back_elsewhere_and_nobody_is_lost(self):
        self.start_members()
        self.name(NEW)
        self.note(f"at another address: all were back within "
                  f"{self.restart(0):.1f} s")


def run(*command):
    subprocess.run(command, check=True)
