"""What takes requests and does not answer: an authority that falls silent, and
services that never say a word. They live on the loop of a Fleet."""
import asyncio
import datetime
import json


class Silent(asyncio.Protocol):
    """Reads and never answers."""

    def data_received(self, _data):
        pass


class Authority:
    """mIT for one cluster, until it is told to be silent."""

    def __init__(self, fleet):
        self.silent = False
        self.records = {}  # server_id -> record
        self.port = listen(fleet, lambda: AuthorityConnection(self))

    @property
    def env(self):
        return {"MIT_URL": f"http://127.0.0.1:{self.port}/mIT/v1",
                "MIT_AUDIENCE": "mIT", "MST_SET": "off"}

    def add(self, record):
        date = datetime.datetime.now(datetime.timezone.utc)
        self.records[record["serverId"]] = {
            **record, "updatedAt": f"{date:%Y-%m-%dT%H:%M:%S.000Z}"}

    def answer(self, method, body):
        if method != "POST":
            return {"data": "gone"}
        record = json.loads(body)
        self.add(record)
        return {"leaseTime": 3_600_000, "itResource": {
            "id": "cluster-1", "type": record["type"], "publicBaseUrl": "",
            "servers": list(self.records.values())}}


class AuthorityConnection(asyncio.Protocol):
    def __init__(self, authority):
        self.authority = authority
        self.transport = None
        self.buffer = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        size = next((int(line.partition(b":")[2]) for line in head.split(b"\r\n")
                     if line.lower().startswith(b"content-length:")), 0)
        if self.authority.silent or not end or len(rest) < size:
            return
        self.buffer = rest[size:]
        answer = json.dumps(self.authority.answer(
            head.split(b" ")[0].decode(), rest[:size])).encode()
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n" % len(answer) + answer)


def listen(fleet, protocol):
    """The port of a new listener."""
    async def start():
        server = await asyncio.get_running_loop().create_server(
            protocol, fleet.host, 0, backlog=1024)
        return server.sockets[0].getsockname()[1]
    return fleet.run(start())
