"""Bytes that are no good HTTP, sent to the listener of a real clusterd."""
import http.client
import socket
import threading
import time

from programs import wait_until
from scene import FaultTest

PATIENCE = 60  # s, of whoever waits for the listener


class HttpTest(FaultTest):
    """What is wrong is refused with a 4xx or by closing, and meanwhile everybody
    else is served."""

    def setUp(self):
        super().setUp()
        self.start()
        host, _, port = self.clusterd.http_address.rpartition(":")
        self.address = host, int(port)
        self.served, self.slowest = 0, 0.0
        self.done = threading.Event()
        self.other = threading.Thread(target=self.ask_all_the_time)
        self.other.start()
        self.addCleanup(self.other.join)
        self.addCleanup(self.done.set)

    def ask_all_the_time(self):
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        while not self.done.is_set():
            start = time.monotonic()
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            if answer.read() != b"ok\n":
                return
            self.served += 1
            self.slowest = max(self.slowest, time.monotonic() - start)
            self.done.wait(0.01)
        connection.close()

    def tearDown(self):
        served = self.served
        wait_until("somebody else is served", lambda: self.served > served)
        self.assertLess(self.slowest, 2)
        self.clusterd.check_alive()

    def send(self, *pieces):
        """The status, or 0 when the connection was closed without."""
        with socket.create_connection(self.address, timeout=PATIENCE) as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
            except OSError:  # closed before all was sent; the answer may be there
                pass
            return self.status(connection)

    @staticmethod
    def status(connection):
        answer = b""
        try:
            while b"\r\n" not in answer:
                piece = connection.recv(4096)
                if not piece:
                    break
                answer += piece
        except ConnectionError:
            pass
        return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0

    def test_malformed_requests_are_refused(self):
        post = b"POST /echo/a/itResources HTTP/1.1\r\nhost: a\r\n"
        for name, pieces in {
                "two lengths": (post + b"content-length: 2\r\n"
                                b"content-length: 3\r\n\r\n{}",),
                "length and chunks": (post + b"content-length: 2\r\n"
                                      b"transfer-encoding: chunked\r\n\r\n{}",),
                "bad length": (post + b"content-length: -1\r\n\r\n",),
                "huge length": (post + b"content-length: 99999999999999999999\r\n\r\n",),
                "folded header": (post + b"a: b\r\n c\r\ncontent-length: 0\r\n\r\n",),
                "bare LF": (b"GET /healthz HTTP/1.1\nhost: a\n\n",),
                "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",),
                "100,000 headers": (post, *[b"a: b\r\n" * 1000] * 100, b"\r\n"),
                "one huge header": (post + b"a: ", *[b"b" * 65536] * 16, b"\r\n\r\n"),
        }.items():
            with self.subTest(name):
                status = self.send(*pieces)
                self.note(f"{name}: {status or 'closed'}")
                self.assertTrue(status == 0 or 400 <= status < 500, status)

    def test_no_length_is_no_body(self):
        self.assertEqual(self.send(
            b"POST /echo/a/itResources HTTP/1.1\r\nhost: a\r\n\r\n") // 100, 4)

    def test_slow_ones_are_let_go(self):
        """A hundred of each kind, which send a byte now and then."""
        kinds = {"headers": b"GET /healthz HTTP/1.1\r\nhost: a\r\nx-a: ",
                 "body": b"POST /echo/a/itResources HTTP/1.1\r\nhost: a\r\n"
                         b"content-length: 1000\r\n\r\n"}
        open_ = []
        for head in kinds.values():
            for _ in range(100):
                connection = socket.create_connection(self.address, timeout=PATIENCE)
                self.addCleanup(connection.close)
                connection.sendall(head)
                open_.append(connection)
        start = time.monotonic()
        while open_ and time.monotonic() - start < PATIENCE:
            open_ = [connection for connection in open_ if self.drips(connection)]
            self.done.wait(0.5)
        self.assertEqual(len(open_), 0)
        self.note(f"all were let go after {time.monotonic() - start:.0f} s")

    @staticmethod
    def drips(connection):
        """Whether it is still open."""
        try:
            connection.send(b"x")
            connection.settimeout(0.001)
            return connection.recv(4096) != b""
        except TimeoutError:
            return True
        except OSError:
            return False
