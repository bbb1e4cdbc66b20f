"""A server that answers every request with the same bytes, in a way of its own."""
import collections
import socket
import ssl
import struct
import threading
import time

GIVE_UP = 60  # s, for a client that says nothing


class Habits:
    """How bytes leave, besides what they are."""

    def __init__(self, delay=0, pause=0, piece=None, close=False, reset=False,
                 requests=None, idle=GIVE_UP, tls_delay=0, tls_end=False):
        self.delay = delay  # s, before the first byte
        self.pause = pause  # s, between pieces
        self.piece = piece  # bytes; None: all at once
        self.close = close  # the connection, behind an answer
        self.reset = reset  # it, where it closes
        self.requests = requests  # of one connection that are answered
        self.idle = idle  # s, until a silent connection is closed
        self.tls_delay = tls_delay  # s, before a handshake
        self.tls_end = tls_end  # says by TLS that it closes


class OddServer:
    """Listens at all of `addresses`, on one port."""

    def __init__(self, answer, habits, addresses=("127.0.0.1",), tls=None):
        self.answer = answer
        self.habits = habits
        self.tls = tls
        self.requests = collections.Counter()  # path -> how many
        self.listeners = self._listen(addresses)
        self.port = self.listeners[0].getsockname()[1]
        self.open = set()
        for listener in self.listeners:
            threading.Thread(target=self._accept, args=(listener,),
                             daemon=True).start()

    @staticmethod
    def _listen(addresses):
        """Another address may have the port of the first one taken."""
        while True:
            listeners = []
            try:
                for address in addresses:
                    family = socket.AF_INET6 if ":" in address else socket.AF_INET
                    listener = socket.socket(family)
                    listeners.append(listener)
                    port = listeners[0].getsockname()[1] if listeners[1:] else 0
                    listener.bind((address, port))
                    listener.listen(128)
                return listeners
            except OSError:
                for listener in listeners:
                    listener.close()
                if len(listeners) == 1:
                    raise

    def stop(self):
        for each in [*self.listeners, *list(self.open)]:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        self.open.add(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(self.habits.idle)
            if self.tls is not None:
                connection = self._handshake(connection)
            self._answer_all(connection)
            if self.habits.tls_end:
                connection.unwrap()
            if self.habits.reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
        except (OSError, ValueError):  # the client has gone, or this one stops
            pass
        self.open.discard(connection)
        connection.close()

    def _handshake(self, plain):
        time.sleep(self.habits.tls_delay)
        self.open.discard(plain)
        secure = self.tls.wrap_socket(plain, server_side=True,
                                      do_handshake_on_connect=False)
        self.open.add(secure)
        secure.do_handshake()
        return secure

    def _answer_all(self, connection):
        unread = b""
        answered = 0
        while self.habits.requests is None or answered < self.habits.requests:
            while b"\r\n\r\n" not in unread:
                more = connection.recv(65536)
                if not more:
                    return
                unread += more
            head, _, unread = unread.partition(b"\r\n\r\n")
            self.requests[head.split()[1].decode()] += 1
            self._write(connection)
            answered += 1
            if self.habits.close:
                return

    def _write(self, connection):
        time.sleep(self.habits.delay)
        piece = self.habits.piece or len(self.answer) or 1
        for at in range(0, len(self.answer), piece):
            if at > 0:
                time.sleep(self.habits.pause)
            connection.sendall(self.answer[at:at + piece])


def tls_context(certificate, key, version=None, tickets=True):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context
