"""How late the control loop is while everything that is large happens at once."""
import concurrent.futures
import http.client
import json
import re
import socket
import subprocess
import threading
import time

from harness import OTHER_CORE, pinned

TYPE = "bench"
PIECE = bytes(1 << 20)
METRIC = "clusterd_control_loop_delay_seconds"
MOST_DELAY_US = 20_000
MOST_LATE_US = 1_000_000  # that a session ends after its ttl


def delay(bench):
    """A client pages through 100,000 registrations, another uploads 1 GB through the
    proxy, 1,000 servers die at once, and sessions end."""
    count, dying, seconds, mib = ((10_000, 100, 20, 256) if bench.quick else
                                  (100_000, 1_000, 60, 1024))
    clusterd = bench.clusterd(f"--max-registrations={count + dying + 2000}",
                              "--probe-interval=1s")
    nodes = bench.nodes(dying)
    sink = Sink()
    try:
        load(bench, clusterd, "register", "--clients=64", f"--count={count}")
        load(bench, clusterd, "register", "--clients=16", f"--count={dying}",
             f"--port={nodes.port}")
        load(bench, clusterd, "register", "--count=1", "--type=sink",
             f"--local-base-url={sink.url}")
        before = buckets(clusterd)
        runs = all_at_once(bench, clusterd, nodes, sink, seconds, mib, dying)
        report(bench, count, runs, before, buckets(clusterd))
    finally:
        sink.close()
        nodes.stop()
        clusterd.stop()


def all_at_once(bench, clusterd, nodes, sink, seconds, mib, dying):
    """What each of them measured, by its name."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = {"page": pool.submit(load, bench, clusterd, "page", f"--seconds={seconds}"),
                "end": pool.submit(load, bench, clusterd, "end", "--type=ending",
                                   f"--seconds={seconds}"),
                "keepalive": pool.submit(load, bench, clusterd, "keepalive", "--type=kept",
                                         f"--seconds={seconds}"),
                "upload": pool.submit(upload, clusterd, mib)}
        time.sleep(seconds / 4)
        nodes.kill()
        runs["call"] = pool.submit(load, bench, clusterd, "call", f"--count={dying}")
        return {name: run.result() for name, run in runs.items()}


def report(bench, count, runs, before, after):
    bench.add("control_pages", "1/s", [runs["page"]["per_second"]], None, count)
    bench.add("control_upload", "MB/s", [runs["upload"]], None, count)
    # From outside: a message to the loop and its answer, gRPC included.
    bench.add("control_round_trip_p50", "us", [runs["keepalive"]["p50_us"]], None, count)
    bench.add("control_round_trip_p99_9", "us", [runs["keepalive"]["p99_9_us"]], None, count)
    bench.add("control_session_end_late", "us", [runs["end"]["max_us"]], [MOST_LATE_US], count)
    if not after:
        return  # a clusterd of old
    seen = {bound: after[bound] - before[bound] for bound in after}
    bench.add("control_delay_p50", "us", [quantile(seen, 0.5)], None, count)
    bench.add("control_delay_p99_9", "us", [quantile(seen, 0.999)], [MOST_DELAY_US], count)


def load(bench, clusterd, *arguments):
    arguments = (f"--address={clusterd.address}", *arguments)
    if not any(argument.startswith("--type=") for argument in arguments):
        arguments += (f"--type={TYPE}",)
    out = subprocess.run(
        pinned(OTHER_CORE, str(bench.build / "tests/bench/control_load"), *arguments),
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out.splitlines()[-1])


def buckets(clusterd):
    """How many delays there were up to each bound in seconds; empty without the metric."""
    host, port = clusterd.http_address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port))
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.findall(rf'{METRIC}_bucket{{le="([^"]+)"}} (\d+)', text)
    return {float(bound): int(count) for bound, count in found}


def quantile(seen, share):
    """In microseconds, between the bounds of its bucket; the upper bound of all for what
    is beyond."""
    wanted = share * max(seen.values())
    low, below = 0.0, 0
    for bound, count in sorted(seen.items()):
        if count >= wanted:
            if bound == float("inf"):
                return low * 1e6
            return (low + (bound - low) * (wanted - below) / (count - below)) * 1e6
        low, below = bound, count
    return low * 1e6


def upload(clusterd, mib):
    """MB/s of one request through the proxy."""
    host, port = clusterd.http_address.rsplit(":", 1)
    started = time.monotonic()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"POST /sink/local/take HTTP/1.1\r\nHost: x\r\n"
                           f"Content-Length: {mib * len(PIECE)}\r\n\r\n".encode())
        for _ in range(mib):
            connection.sendall(PIECE)
        answer = connection.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"upload: {answer!r}")
    return mib * len(PIECE) / (time.monotonic() - started) / 1e6


class Sink:
    """A service without cluster code that swallows what it gets."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            while stream.readline():
                length = 0
                while (line := stream.readline().strip().lower()):
                    if line.startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                while length > 0:
                    length -= len(stream.read(min(length, len(PIECE))))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def close(self):
        self.listener.close()
