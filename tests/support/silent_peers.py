"""Addresses at which nobody answers, each to be closed."""
import socket
from pathlib import Path

SYN_SENT = "02"


class Swallowing:
    """Packets that ask for a connection are dropped: its queue is full."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.fillers = [socket.socket() for _ in range(4)]
        for filler in self.fillers:
            filler.setblocking(False)
            filler.connect_ex(self.socket.getsockname())
        self.before = self.attempts()

    def attempts(self):
        port = "%04X" % self.socket.getsockname()[1]
        return sum(
            remote.endswith(":" + port) and state == SYN_SENT
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for _, _, remote, state, *_ in map(
                str.split, Path(table).read_text().splitlines()[1:]))

    def is_waited_for(self):
        return self.attempts() > self.before

    def close(self):
        for each in (self.socket, *self.fillers):
            each.close()


class Accepting:
    """Connections are accepted, and nothing is said on them."""
    greeting = b""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.socket.setblocking(False)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.connections = []

    def is_waited_for(self):
        try:
            self.connections.append(self.socket.accept()[0])
            self.connections[-1].sendall(self.greeting)
        except BlockingIOError:
            pass
        return bool(self.connections)

    def close(self):
        for each in (self.socket, *self.connections):
            each.close()


class Speechless(Accepting):
    """Speaks HTTP/2 as far as to open a connection; answers no request."""
    SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
    ACKNOWLEDGED = b"\0\0\0\x04\x01\0\0\0\0"
    greeting = SETTINGS + ACKNOWLEDGED
