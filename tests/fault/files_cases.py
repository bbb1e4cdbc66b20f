"""A clusterd that may open few files, and far more servers to call."""
import asyncio
import json
from collections import Counter

from fleet import Fleet
from programs import wait_until
from rpc import fan_out, resources
from scene import FaultTest

SERVERS = 1000
FILES = 256
PROBE_TAKES = 0.5  # s
ROUNDS = 3


class Crowd(asyncio.Protocol):
    """All of 127.0.0.0/8 at one port; each address is a server of its own, whose id
    is the address."""
    probes = Counter()  # by address

    def __init__(self):
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        me = self.transport.get_extra_info("sockname")[0]
        body = json.dumps({"data": me, "server": {"serverId": me}}).encode()
        answer = (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                  b"content-length: %d\r\n\r\n" % len(body) + body)
        if data.startswith(b"GET / "):
            self.probes[me] += 1
            asyncio.get_running_loop().call_later(
                PROBE_TAKES, self.transport.write, answer)
        else:
            self.transport.write(answer)


class FilesTest(FaultTest):
    def crowd(self):
        """The port at which they listen."""
        fleet = Fleet()
        self.addCleanup(fleet.close)

        async def listen():
            listener = await asyncio.get_running_loop().create_server(
                Crowd, "0.0.0.0", 0, backlog=4096)
            return listener

        async def close(listener):
            listener.close()
        listener = fleet.run(listen())
        self.addCleanup(lambda: fleet.run(close(listener)))
        return listener.sockets[0].getsockname()[1]

    def test_few_files_are_nobodys_death(self):
        port = self.crowd()
        self.start(
            "--probe-interval=1s", "--probe-misses=2",
            wrapper=("prlimit", f"--nofile={FILES}:{FILES}"))
        client = self.client()
        everyone = {f"127.0.{1 + i // 250}.{1 + i % 250}" for i in range(SERVERS)}
        probed = set(sorted(everyone)[::2])
        for address in everyone:
            client.register(address, f"http://{address}:{port}",
                            None if address in probed else 3600, wait=False)
        wait_until("each has answered once",
                   lambda: set(client.servers()) == everyone)
        for _ in range(self.either(ROUNDS, 20)):
            answer = client.fan_out("/call", timeout=30)
            self.assertEqual(answer.verdict, fan_out.VERDICT_COMPLETE,
                             answer.failures[:3])
            self.assertEqual({each.server_id for each in answer.results}, everyone)
        probes = {address: Crowd.probes[address] for address in probed}
        times = self.either(2, 20)
        wait_until(f"each was probed {times} times more", lambda: all(
            Crowd.probes[address] >= before + times
            for address, before in probes.items()))
        # One that comes only now is served, too.
        servers = self.client().servers()
        self.assertEqual(set(servers), everyone)
        self.assertEqual({each.state for each in servers.values()},
                         {resources.SERVER_STATE_ACTIVE})
        self.note(f"{SERVERS} servers were called with {FILES} files")
