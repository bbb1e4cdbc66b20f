"""A clusterd that is cut off from servers which others hold, and not from the
authority: in a network namespace of its own."""
import asyncio
import os
import shutil
import subprocess
import time
from urllib.parse import urlsplit

from fleet import Fleet
from programs import Clusterd, wait_until
from rpc import Client, fan_out, resources
from scene import FaultTest
from world import World

SERVERS = 8
TTL = 3600  # s, of the server that the one which is cut off holds
LOOK_AGAIN = 35  # s, at one that is SUSPECTED


class NetworkTest(FaultTest):
    def setUp(self):
        super().setUp()
        if shutil.which("node") is None:
            self.skipTest("needs Node.js, which the stand-in of mIT runs in")
        self.need_program("ip", "nft")
        self.namespace = f"fault-{os.getpid()}"
        net = f"10.213.{os.getpid() % 256}"
        self.test, self.cut_off, self.servers = (f"{net}.{i}" for i in (1, 2, 3))
        self.make_network()
        self.world = World(leaseTime=2000)
        self.addCleanup(self.world.stop)
        relay = self.relay = Fleet(self.test)
        self.addCleanup(relay.close)
        facts = self.world.mit.facts
        self.near = self.world.clusterd("--probe_interval=300ms")
        self.far = Clusterd(
            self.directory, "far", self.world.env(
                MIT_URL=pass_on(relay, facts["mitUrl"]),
                OAUTH_ISSUER=pass_on(relay, facts["issuer"])),
            "--registry=mit", "--probe_interval=300ms", host=self.cut_off,
            wrapper=("ip", "netns", "exec", self.namespace))
        self.addCleanup(self.far.stop)

    def make_network(self):
        host, peer = f"f{os.getpid()}h", f"f{os.getpid()}p"
        done = subprocess.run(["ip", "netns", "add", self.namespace],
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            self.skipTest("may not make a network namespace: "
                          + done.stderr.decode().strip())
        self.addCleanup(run, "ip", "netns", "del", self.namespace)
        run("ip", "link", "add", host, "type", "veth", "peer", "name", peer,
            "netns", self.namespace)
        for address in (self.test, self.servers):
            run("ip", "addr", "add", f"{address}/24", "dev", host)
        run("ip", "link", "set", host, "up")
        self.inside("ip", "addr", "add", f"{self.cut_off}/24", "dev", peer)
        self.inside("ip", "link", "set", peer, "up")

    def inside(self, *command):
        run("ip", "netns", "exec", self.namespace, *command)

    def cut(self, how):
        """"drop": silence; "reject": a refusal at once."""
        self.inside("nft", f"add table ip cut; add chain ip cut out {{ type filter "
                    f"hook output priority 0; }}; add rule ip cut out ip daddr "
                    f"{self.servers} {how}")

    def heal(self):
        self.inside("nft", "delete table ip cut")

    def test_a_cut_evicts_nobody_and_heals(self):
        fleet = Fleet(self.servers)
        self.addCleanup(fleet.close)
        services = fleet.start(*(f"s-{i}" for i in range(SERVERS)))
        with Client(self.near.address) as near:
            for service in services:
                near.register(service.id, service.url)
        far = Client(self.far.address)
        self.addCleanup(far.close)
        own, = self.relay.start("own")
        far.register("own", own.url, TTL)
        everyone = {"own", *(service.id for service in services)}
        wait_until("the far one knows all", lambda: set(far.servers()) == everyone)

        for how in self.either(("drop",), ("drop", "reject with tcp reset")):
            with self.subTest(how):
                self.cut(how)
                mark = self.world.mit.mark()
                answer = far.fan_out(timeout=10)
                self.assertEqual([result.server_id for result in answer.results],
                                 ["own"])
                self.assertEqual(len(answer.failures), SERVERS)
                wait_until("all are suspected", lambda: {
                    server_id for server_id, server in far.servers().items()
                    if server.state == resources.SERVER_STATE_SUSPECTED}
                    == everyone - {"own"})
                self.look_for(self.either(8, 240), everyone)
                self.heal()
                wait_until("nobody is suspected", lambda: {
                    server.state for server in far.servers().values()} == {
                        resources.SERVER_STATE_ACTIVE}, LOOK_AGAIN)
                self.assertEqual(far.fan_out(timeout=10).verdict,
                                 fan_out.VERDICT_COMPLETE)
                self.assertEqual(self.world.mit.requests("DELETE", since=mark), [])
                self.note(f"{how}: {SERVERS} were suspected, nobody was evicted")

    def test_a_cut_ends_none_of_those_it_probes_itself(self):
        fleet = Fleet(self.servers)
        self.addCleanup(fleet.close)
        far = Client(self.far.address)
        self.addCleanup(far.close)
        services = fleet.start(*(f"s-{i}" for i in range(SERVERS)))
        for service in services:
            far.register(service.id, service.url)
        self.cut("drop")
        mark = self.world.mit.mark()
        wait_until("it suspects itself", lambda: all(
            each.status.self_preservation for each in far.registrations().values()))
        self.look_for(self.either(8, 240), {service.id for service in services})
        self.heal()
        wait_until("it suspects itself no longer", lambda: not any(
            each.status.self_preservation for each in far.registrations().values()))
        self.assertEqual(far.fan_out(timeout=10).verdict, fan_out.VERDICT_COMPLETE)
        self.assertEqual(len(far.registrations()), SERVERS)
        self.assertEqual(self.world.mit.requests("DELETE", since=mark), [])

    def look_for(self, seconds, everyone):
        """The authority keeps them all, for so long."""
        end = time.monotonic() + seconds

        def look():
            self.assertEqual(set(self.world.mit.servers()), everyone)
            return time.monotonic() > end

        wait_until("it was cut for long", look, seconds + 5)


def pass_on(relay, url):
    """The same URL at an address of the relay, which hands on every byte."""
    parts = urlsplit(url)

    async def copy(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader, writer):
        far_reader, far_writer = await asyncio.open_connection(
            parts.hostname, parts.port)
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    async def listen():
        server = await asyncio.start_server(serve, relay.host, 0)
        return server.sockets[0].getsockname()[1]

    return parts._replace(netloc=f"{relay.host}:{relay.run(listen())}").geturl()


def run(*command):
    subprocess.run(command, check=True)
