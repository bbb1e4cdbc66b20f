"""A thousand services in one process. From outside each can't be told from a
process of its own: it has an address, and dies with all its connections."""
import asyncio
import json
import socket
import threading

from programs import DEADLINE


class Service:
    """Made by Fleet.start."""

    def __init__(self, fleet, server_id):
        self.fleet = fleet
        self.id = server_id
        self.port = 0
        self.connections = set()
        self.listener = None
        self.grave = None  # of a dead one: holds its port, and listens not

    @property
    def url(self):
        return f"http://{self.fleet.host}:{self.port}"

    @property
    def alive(self):
        return self.listener is not None

    def die(self):
        """Its address refuses from now on."""
        self.fleet.run(self._die())

    def revive(self):
        """A new process at the same address."""
        self.fleet.run(self.listen())

    def move(self):
        """A new process at another address."""
        async def move():
            if self.alive:
                await self._die()
            self.leave_grave()
            self.port = 0
            await self.listen()
        self.fleet.run(move())

    async def listen(self):
        self.leave_grave()
        self.listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), self.fleet.host, self.port, backlog=1024)
        self.port = self.listener.sockets[0].getsockname()[1]

    async def _die(self):
        self.listener.close()
        self.listener = None
        for connection in list(self.connections):
            connection.transport.abort()
        # Nobody else may be given the port, and be taken for this one.
        self.grave = socket.socket()
        self.grave.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.grave.bind((self.fleet.host, self.port))

    def leave_grave(self):
        if self.grave is not None:
            self.grave.close()
            self.grave = None


class Connection(asyncio.Protocol):
    """HTTP as far as clusterd speaks it."""

    def __init__(self, service):
        self.service = service
        self.buffer = b""
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.service.connections.add(self)

    def connection_lost(self, _error):
        self.service.connections.discard(self)

    def data_received(self, data):
        self.buffer += data
        while (request := self._take_request()) is not None:
            self.transport.write(self._answer(request))

    def _take_request(self):
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        size = next((int(line.partition(b":")[2]) for line in head.split(b"\r\n")
                     if line.lower().startswith(b"content-length:")), 0)
        if len(rest) < size:
            return None
        self.buffer = rest[size:]
        return head

    def _answer(self, _request):
        me = {"serverId": self.service.id}
        body = json.dumps({"data": self.service.id, "server": me}).encode()
        return (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n" % len(body)) + body


class Fleet:
    def __init__(self, host="127.0.0.1"):
        self.host = host
        self.services = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(
            coroutine, self.loop).result(DEADLINE)

    def start(self, *server_ids):
        services = [Service(self, server_id) for server_id in server_ids]
        self.services += services

        async def listen():
            for service in services:
                await service.listen()
        self.run(listen())
        return services

    def close(self):
        for service in self.services:
            if service.alive:
                service.die()
            service.leave_grave()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(DEADLINE)
        self.loop.close()
