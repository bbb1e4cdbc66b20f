#!/usr/bin/env python3
"""Measures clusterd against what it is made of, side by side in one run.

Machines are shared and noisy, so every figure is a ratio of two programs that
ran in turns (A B A B ...), given as the median with its spread, and CPU time is
preferred over wall time. clusterd runs on one core, nginx (the nodes) and the
load on the other.

  bench.py --build build/bench [--quick] [part ...]
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CLUSTERD_CORE, OTHER_CORE = "0", "1"
BODY_100 = json.dumps({"data": {"id": 1, "name": "x" * 62}, "server": {}})


def pinned(core, *command):
    return ["taskset", "-c", core, *command]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def node_addresses(count):
    return [f"127.0.{1 + i // 250}.{1 + i % 250}" for i in range(count)]


class Nodes:
    """`count` HTTP nodes, each on a loopback address of its own, by one nginx."""

    def __init__(self, folder, count, body=BODY_100):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.addresses = node_addresses(count)
        listen = "\n".join(f"listen {a}:{self.port} backlog=1024;" for a in self.addresses)
        root = pathlib.Path(tempfile.mkdtemp(dir=folder))
        # Served from the root user's own worker: the folder is private.
        (root / "nginx.conf").write_text(f"""
            user root; daemon off; worker_processes 1; worker_rlimit_nofile 65536;
            pid {root}/pid; error_log {root}/error.log;
            events {{ worker_connections 32768; }}
            http {{
              access_log off; keepalive_requests 1000000000; keepalive_timeout 75s;
              client_body_temp_path {root}; proxy_temp_path {root}; fastcgi_temp_path {root};
              uwsgi_temp_path {root}; scgi_temp_path {root};
              server {{ {listen} default_type application/json; root {root}/www; }}
            }}""")
        (root / "www").mkdir()
        (root / "www" / "answer").write_text(body)
        self.process = subprocess.Popen(
            pinned(OTHER_CORE, "nginx", "-p", str(root), "-c", str(root / "nginx.conf")))
        wait_for_port(self.addresses[-1], self.port)

    def urls(self):
        return [f"http://{a}:{self.port}" for a in self.addresses]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wait_for_port(address, port):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
    raise RuntimeError(f"nobody listens on {address}:{port}")


class Clusterd:
    """A clusterd in memory, on one core, with its addresses from the port file."""

    def __init__(self, build, folder, *flags):
        port_file = pathlib.Path(tempfile.mkdtemp(dir=folder)) / "ports"
        self.process = subprocess.Popen(
            pinned(CLUSTERD_CORE, str(build / "server" / "clusterd"),
                   "--grpc_address=127.0.0.1:0", "--http_address=127.0.0.1:0",
                   f"--port_file={port_file}", "--log_level=error", *flags))
        end = time.monotonic() + 10
        while not port_file.exists():
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("clusterd did not start")
        self.address = dict(
            line.split("=") for line in port_file.read_text().split())["grpc"]

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Bench:
    def __init__(self, build, folder, quick):
        self.build, self.folder, self.quick = build, folder, quick
        self.seconds = 1.0 if quick else 3.0
        self.rounds = 3 if quick else 7
        self.report = []

    def add(self, name, unit, values, baseline=None, nodes=None, concurrency=None):
        """One figure; with `baseline` the value's ratio to it, pair by pair."""
        row = {"name": name, "nodes": nodes, "concurrency": concurrency,
               "value": round(statistics.median(values), 3), "unit": unit,
               "baseline": None, "ratio": None,
               "spread": [round(min(values), 3), round(max(values), 3)]}
        if baseline:
            ratios = [v / b for v, b in zip(values, baseline)]
            row["baseline"] = round(statistics.median(baseline), 3)
            row["ratio"] = round(statistics.median(ratios), 3)
            row["spread"] = [round(min(ratios), 3), round(max(ratios), 3)]
        self.report.append(row)
        print(format_row(row), flush=True)
        return row

    def load(self, clusterd, *arguments):
        out = subprocess.run(
            pinned(OTHER_CORE, str(self.build / "tests/bench/fanout_load"),
                   f"--address={clusterd.address}", *arguments),
            check=True, capture_output=True, text=True).stdout
        return json.loads(out) if out.strip() else None

    def register(self, clusterd, urls):
        self.load(clusterd, "--seconds=0", "--register", *urls)

    def bare(self, nodes, concurrency):
        return json.loads(subprocess.run(
            pinned(CLUSTERD_CORE, str(self.build / "tests/bench/bare_loop"),
                   f"--port={nodes.port}", f"--concurrency={concurrency}",
                   f"--seconds={self.seconds}", "--path=/answer",
                   "--targets", *nodes.addresses),
            check=True, capture_output=True, text=True).stdout)

    def fanout(self):
        """clusterd over real gRPC beside a bare Beast loop, same nodes."""
        costs = {}
        for count, concurrency in [(1, 16), (3, 16), (10, 1), (10, 16), (10, 64), (100, 16)] + (
                [] if self.quick else [(100, 1), (1000, 1)]):
            nodes = Nodes(self.folder, count)
            clusterd = Clusterd(self.build, self.folder, "--io_threads=1")
            try:
                self.register(clusterd, nodes.urls())
                ours, bare, p50, bare_p50, rate = [], [], [], [], []
                for _ in range(self.rounds):
                    before = cpu_seconds(clusterd.pid)
                    run = self.load(clusterd, "--path=/answer", f"--concurrency={concurrency}",
                                    "--warmup_seconds=0", f"--seconds={self.seconds}")
                    spent = cpu_seconds(clusterd.pid) - before
                    complete = run["answers_by_results"].get(str(count), 0)
                    if complete != run["calls"] or run["errors"]:
                        raise RuntimeError(f"incomplete answers: {run}")
                    ours.append(spent * 1e6 / run["calls"] / count)
                    p50.append(run["p50_us"])
                    rate.append(run["calls_per_second"])
                    limit = self.bare(nodes, concurrency)
                    bare.append(limit["cpu_us_per_request"])
                    bare_p50.append(limit["p50_us"])
                self.add("fanout_cpu_per_node_vs_bare", "us", ours, bare, count, concurrency)
                self.add("fanout_p50_vs_bare", "us", p50, bare_p50, count, concurrency)
                self.add("fanout_calls", "calls/s", rate, None, count, concurrency)
                self.add("fanout_peak_memory", "MiB", [peak_memory_mib(clusterd.pid)], None,
                         count, concurrency)
                if concurrency == 16:
                    costs[count] = statistics.median(ours) * count
            finally:
                clusterd.stop()
                nodes.stop()
        fit(costs)

    def black_hole(self):
        """One node of 20 (and of 50) accepts and never answers; deadline 500 ms."""
        for count, calls in [(20, 200), (50, 200 if self.quick else 1000)]:
            nodes = Nodes(self.folder, count - 1)
            hole = socket.socket()
            hole.bind(("127.0.0.1", 0))
            hole.listen(1024)
            clusterd = Clusterd(self.build, self.folder)
            try:
                self.register(clusterd, nodes.urls() +
                              [f"http://127.0.0.1:{hole.getsockname()[1]}"])
                run = self.load(clusterd, "--path=/answer", f"--calls={calls}",
                                "--concurrency=4", "--deadline_ms=500")
                in_time = run["answers_by_results"].get(str(count - 1), 0)
                self.add("fanout_black_hole_in_time", f"calls of {calls}", [in_time], [calls],
                         count, 4)
            finally:
                clusterd.stop()
                nodes.stop()
                hole.close()


def fit(costs):
    """Least squares of `a + b * N` over the cost of one call, in us."""
    xs, ys = list(costs), list(costs.values())
    mean_x, mean_y = statistics.mean(xs), statistics.mean(ys)
    b = (sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) /
         sum((x - mean_x) ** 2 for x in xs))
    print(f"cost of one call with 16 in flight: {mean_y - b * mean_x:.1f} + {b:.2f} * N us of CPU")


def format_row(row):
    where = f"N={row['nodes']}, {row['concurrency']} at once" if row["nodes"] else ""
    ratio = f"{row['ratio']:8.2f} x of {row['baseline']}" if row["ratio"] is not None else ""
    return (f"{row['name']:32} {where:22} {row['value']:>12} {row['unit']:16} {ratio:28} "
            f"[{row['spread'][0]} .. {row['spread'][1]}]")


def main():
    parts = ["fanout", "black_hole"]
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/bench", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="about two minutes")
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(parts))
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(parts)
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are: {', '.join(parts)}")
    folder = tempfile.mkdtemp(prefix="clusterd-bench-")
    bench = Bench(arguments.build.resolve(), folder, arguments.quick)
    try:
        for part in arguments.parts or parts:
            print(f"\n# {part}: {getattr(bench, part).__doc__}", flush=True)
            getattr(bench, part)()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    out = arguments.build / "report.json"
    out.write_text(json.dumps(bench.report, indent=1))
    print(f"\nall figures: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
