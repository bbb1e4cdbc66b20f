"""What the parts of the benchmark share: the programs that run side by side, and
the report."""
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import tempfile
import time

CLUSTERD_CORE, OTHER_CORE = "0", "1"
BODY_100 = json.dumps({"data": {"id": 1, "name": "x" * 62}, "server": {}})


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
        self.address = dict(
            line.split("=") for line in port_file.read_text().split())["grpc"]

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

    def clusterd(self, *flags):
        return Clusterd(self.build, self.folder, *flags)

    def run(self, core, program, *arguments):
        """What a program of this folder prints, line by line as JSON."""
        command = pinned(core, str(self.build / "tests/bench" / program),
                         *(str(a) for a in arguments))
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
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
        print(format_row(row), flush=True)
        return row


def format_row(row):
    where = f"N={row['nodes']}" if row["nodes"] is not None else ""
    if row["concurrency"] is not None:
        where += f"{', ' if where else ''}{row['concurrency']} at once"
    ratio = f"{row['ratio']:8.2f} x of {row['baseline']}" if row["ratio"] is not None else ""
    return (f"{row['name']:34} {where:22} {row['value']:>12} {row['unit']:16} {ratio:28} "
            f"[{row['spread'][0]} .. {row['spread'][1]}]")
