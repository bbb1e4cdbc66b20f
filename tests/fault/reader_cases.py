"""Callers that do not read what they asked for, spoken to in raw HTTP/2: the
library would read in their place."""
import gzip
import re
import socket
import struct
import threading
import time

from google.protobuf.duration_pb2 import Duration

from programs import DEADLINE, exchange, wait_until
from rpc import TYPE, fan_out, registry
from scene import FaultTest

MIB = 1 << 20

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW_SIZE = 4


class RawCaller:
    """One connection. With a window of 0 nothing of an answer may be sent."""

    def __init__(self, address, window=0):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=DEADLINE)
        self.sending = threading.Lock()
        self.last_stream = -1
        self.ended = {}  # stream -> the frame that ended it
        self._send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self._frame(
            SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, window)))
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self):
        self.socket.close()

    def call(self, method, message, encoding=None):
        """Sends a request of at most 64 KiB, which is taken without being asked."""
        self.last_stream += 2
        fields = [(":method", "POST"), (":scheme", "http"), (":path", method),
                  (":authority", "test"), ("te", "trailers"),
                  ("content-type", "application/grpc")]
        if encoding:
            fields.append(("grpc-encoding", encoding))
        body = struct.pack(">BI", 1 if encoding else 0, len(message)) + message
        frames = [self._frame(HEADERS, END_HEADERS, self.last_stream,
                              b"".join(self._field(*field) for field in fields))]
        for start in range(0, len(body), 16384):
            piece = body[start:start + 16384]
            last = start + len(piece) == len(body)
            frames.append(self._frame(DATA, END_STREAM if last else 0,
                                      self.last_stream, piece))
        self._send(b"".join(frames))

    def _send(self, frames):
        with self.sending:
            self.socket.sendall(frames)

    @staticmethod
    def _frame(kind, flags, stream, payload):
        return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
                + struct.pack(">I", stream) + payload)

    @staticmethod
    def _field(name, value):
        """A literal that is not indexed, in plain text."""
        return b"\x00" + b"".join(
            bytes([len(text)]) + text.encode() for text in (name, value))

    def _listen(self):
        """Answers what the protocol wants answered, and grants nothing."""
        stream = self.socket.makefile("rb")
        try:
            while len(head := stream.read(9)) == 9:
                size = int.from_bytes(head[:3], "big")
                kind, flags = head[3], head[4]
                number = int.from_bytes(head[5:], "big")
                payload = stream.read(size)
                if kind == SETTINGS and not flags & ACK:
                    self._send(self._frame(SETTINGS, ACK, 0, b""))
                elif kind == PING and not flags & ACK:
                    self._send(self._frame(PING, ACK, 0, payload))
                elif kind == RST_STREAM or flags & END_STREAM and kind in (
                        DATA, HEADERS):
                    self.ended[number] = kind
        except (OSError, ValueError):
            pass


class LargeAnswers:
    """A service whose every answer has `size` bytes. It holds them once."""

    def __init__(self, size):
        body = b'{"data":"' + b"x" * size + b'"}'
        self.answer = memoryview(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n" % len(body) + body)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,),
                                 daemon=True).start()
        except OSError:
            pass

    def _serve(self, connection):
        with connection:
            try:
                while connection.recv(65536):
                    connection.sendall(self.answer)
            except OSError:
                pass


class ReaderTest(FaultTest):
    def serve(self, servers, size):
        service = LargeAnswers(size)
        self.addCleanup(service.close)
        client = self.client()
        for i in range(servers):
            client.register(f"n{i}", service.url, ttl=3600)

    def caller(self, window=0):
        caller = RawCaller(self.clusterd.address, window)
        self.addCleanup(caller.close)
        return caller

    def metric(self, name):
        _, _, text = exchange("GET", f"http://{self.clusterd.http_address}/metrics")
        return float(re.search(rf"^{name} (\S+)$", text.decode(), re.M).group(1))

    def fan_out(self, **fields):
        return fan_out.FanOutRequest(
            type=TYPE, http=fan_out.HttpCall(path="/"), **fields)

    def grown(self, before):
        grown = self.clusterd.peak_bytes() - before
        self.note(f"{grown / MIB:.0f} MiB")
        return grown

    def test_a_stream_that_nobody_reads_holds_its_limit(self):
        self.start()
        self.serve(200, 2_900_000)
        before = self.clusterd.resident_bytes()
        caller = self.caller()
        caller.call("/mimik.cluster.v1.FanOutService/StreamFanOut",
                    fan_out.StreamFanOutRequest(request=self.fan_out(
                    )).SerializeToString())
        wait_until("an answer waits",
                   lambda: self.metric("clusterd_unread_answer_bytes") > 0)
        time.sleep(self.either(3, 20))
        self.assertLess(self.metric("clusterd_unread_answer_bytes"), 7 * MIB)
        self.assertLess(self.grown(before), 64 * MIB)

    def test_answers_that_nobody_reads_are_counted_and_given_up(self):
        self.start("--max_unread_bytes=60000000", "--unread_timeout=500ms")
        self.serve(10, 2_900_000)
        caller = self.caller()
        request = self.fan_out(max_answer_bytes=32 * MIB).SerializeToString()
        for calls in range(1, 4):
            caller.call("/mimik.cluster.v1.FanOutService/FanOut", request)
            wait_until("it is answered", lambda: self.metric(
                "clusterd_unread_answer_bytes") >= calls * 29_000_000
                or self.metric("clusterd_unread_given_up_total") > 0)
        wait_until("those who do not read are given up", lambda: self.metric(
            "clusterd_unread_answer_bytes") == 0)
        wait_until("they are told", lambda: len(caller.ended) == 3)
        self.assertEqual(self.metric("clusterd_unread_given_up_total"), 3)
        answer = self.client().fan_outs.FanOut(self.fan_out(
            body_view=fan_out.BODY_VIEW_NONE), timeout=DEADLINE)
        self.assertEqual(answer.expected_count, 10)

    def test_a_watcher_that_does_not_read_is_given_up(self):
        self.start("--unread-timeout=500ms")
        self.client().register("n0", "http://127.0.0.1:9", ttl=3600)
        caller = self.caller()
        caller.call("/mimik.cluster.v1.RegistryService/WatchCluster",
                    registry.WatchClusterRequest(type=TYPE).SerializeToString())
        wait_until("it is given up", lambda: self.metric(
            "clusterd_unread_given_up_total") == 1)
        wait_until("it is told", lambda: caller.ended)
        self.assertEqual(self.metric("clusterd_unread_answer_bytes"), 0)

    def test_compressed_bombs_are_refused(self):
        self.start()
        before = self.clusterd.resident_bytes()
        bomb = gzip.compress(b"\0" * (60 * MIB))
        self.note(f"{len(bomb)} bytes become {60 * MIB}")
        callers = [self.caller(window=65535) for _ in range(5)]
        for caller in callers:
            caller.call("/mimik.cluster.v1.RegistryService/ListClusters", bomb,
                        encoding="gzip")
        wait_until("all are refused",
                   lambda: all(caller.ended for caller in callers))
        self.assertLess(self.grown(before), 32 * MIB)
