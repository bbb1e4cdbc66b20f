"""What the parts of the benchmark share: the programs that run side by side, and
the report."""
import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import tempfile
import time

from bars import verdict

CLUSTERD_CORE, OTHER_CORE = "0", "1"


def pinned(core, *command):
    return ["taskset", "-c", core, *command]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid, which):
    """`which`: VmHWM, the peak, or VmRSS, what is resident now."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(which):
            return int(line.split()[1]) / 1024
    return 0.0


def node_addresses(count):
    return [f"127.0.{1 + i // 250}.{1 + i % 250}" for i in range(count)]


class Served:
    """A program of the build that says where it serves on its first line."""

    def __init__(self, build, core, program, *arguments):
        self.process = subprocess.Popen(
            pinned(core, str(build / "tests/bench" / program), *(str(a) for a in arguments)),
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{program} did not start")
        self.facts = json.loads(line)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def kill(self):
        self.process.kill()


class Nodes(Served):
    """`count` HTTP nodes node-0, node-1, ... on loopback addresses of their own."""

    def __init__(self, build, count, body_bytes):
        self.addresses = node_addresses(count)
        super().__init__(build, OTHER_CORE, "nodes", f"--body_bytes={body_bytes}",
                         "--addresses", *self.addresses)
        self.port = self.facts["port"]

    def urls(self):
        return [f"http://{a}:{self.port}" for a in self.addresses]


class Clusterd:
    """A clusterd on one core, in memory unless flags say otherwise, with its
    address from the port file."""

    def __init__(self, build, folder, *flags):
        port_file = pathlib.Path(tempfile.mkdtemp(dir=folder)) / "ports"
        self.process = subprocess.Popen(
            pinned(CLUSTERD_CORE, str(build / "server" / "clusterd"),
                   "--grpc_address=127.0.0.1:0", "--http_address=127.0.0.1:0",
                   f"--port_file={port_file}", "--log_level=error", *flags))
        end = time.monotonic() + 60
        while not port_file.exists():
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("clusterd did not start")
            time.sleep(0.001)
        ports = dict(line.split("=") for line in port_file.read_text().split())
        self.address, self.http_address = ports["grpc"], ports["http"]

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Bench:
    """Runs programs of the build and keeps the figures."""

    def __init__(self, build, folder, quick):
        self.build, self.folder, self.quick = build, folder, quick
        self.seconds = 1.0 if quick else 3.0
        self.rounds = 3 if quick else 7
        self.report = []
        self.sockets = allow_sockets()

    def clusterd(self, *flags):
        return Clusterd(self.build, self.folder, *flags)

    def nodes(self, count, body_bytes=100):
        return Nodes(self.build, count, body_bytes)

    def run(self, core, program, *arguments):
        """What a program of the build prints, line by line as JSON."""
        out = output(core, self.build / "tests/bench" / program, *arguments)
        return [json.loads(line) for line in out.splitlines()]

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
        print(f"{format_row(row)} {verdict(row)}", flush=True)
        return row


def output(core, *command):
    """What a program prints; it fails if that does."""
    return subprocess.run(pinned(core, *(str(part) for part in command)), check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def allow_sockets():
    """As many files as may be, for all programs; how many sockets that leaves to one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(16_000, hard - 2_000)  # nodes listen as well


def format_row(row):
    where = f"N={row['nodes']}" if row["nodes"] is not None else ""
    if row["concurrency"] is not None:
        where += f"{', ' if where else ''}{row['concurrency']} at once"
    ratio = f"{row['ratio']:8.2f} x of {row['baseline']}" if row["ratio"] is not None else ""
    return (f"{row['name']:38} {where:22} {row['value']:>12} {row['unit']:16} {ratio:28} "
            f"[{row['spread'][0]} .. {row['spread'][1]}]")
