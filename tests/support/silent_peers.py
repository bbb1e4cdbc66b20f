"""Addresses at which nobody answers, each to be closed."""
import socket
from pathlib import Path

SYN_SENT = "02"


def port_text(a_socket):
    """The end of its address in /proc/net/tcp."""
    return ":%04X" % a_socket.getsockname()[1]


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
        self.own = {port_text(filler) for filler in self.fillers}

    def is_waited_for(self):
        """Whether anybody else asks for a connection."""
        port = port_text(self.socket)
        return any(
            remote.endswith(port) and state == SYN_SENT
            and local[-len(port):] not in self.own
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for _, local, remote, state, *_ in map(
                str.split, Path(table).read_text().splitlines()[1:]))

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
