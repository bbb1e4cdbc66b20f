"""Registrations, sessions and watches."""
import json
import subprocess
import tempfile
import time

from delay_part import delay
from harness import OTHER_CORE, cpu_seconds, memory_mib, pinned


def load(bench, clusterd, *arguments):
    return bench.run(OTHER_CORE, "control_load", *arguments, f"--address={clusterd.address}")[-1]


def control(bench):
    """Registrations and keep-alives, acknowledged one by one; how late the control loop is."""
    for place, flags in [("memory", []),
                         ("disk", [f"--data_dir={tempfile.mkdtemp(dir=bench.folder)}"])]:
        for clients in (1, 64):
            clusterd = bench.clusterd(*flags, "--on_shutdown=keep")
            try:
                rates(bench, clusterd, place, clients)
            finally:
                clusterd.stop()
    delay(bench)


def rates(bench, clusterd, place, clients):
    count = 500 if clients == 1 else 5000
    registered, register_cpu, kept, keep_cpu = [], [], [], []
    for turn in range(bench.rounds):
        before = cpu_seconds(clusterd.pid)
        run = load(bench, clusterd, "register", f"--clients={clients}", f"--count={count}",
                   f"--first={turn * count}")
        spent = cpu_seconds(clusterd.pid) - before
        registered.append(run["per_second"])
        register_cpu.append(spent * 1e6 / run["count"])
        before = cpu_seconds(clusterd.pid)
        run = load(bench, clusterd, "keepalive", f"--clients={clients}",
                   f"--seconds={bench.seconds}", "--type=kept")
        spent = cpu_seconds(clusterd.pid) - before
        kept.append(run["per_second"])
        keep_cpu.append(spent * 1e6 / run["count"])
    bench.add(f"register_{place}", "1/s", registered, None, None, clients)
    bench.add(f"register_cpu_{place}", "us", register_cpu, None, None, clients)
    bench.add(f"keepalive_{place}", "1/s", kept, None, None, clients)
    bench.add(f"keepalive_cpu_{place}", "us", keep_cpu, None, None, clients)


def watch(bench):
    """A change seen by all watchers of a cluster: from its request to each arrival."""
    for watchers in (1, 100, 1000 if bench.quick else 10_000):
        clusterd = bench.clusterd()
        try:
            before = memory_mib(clusterd.pid, "VmRSS")
            command = pinned(OTHER_CORE, str(bench.build / "tests/bench/control_load"), "watch",
                             f"--address={clusterd.address}", f"--watchers={watchers}",
                             "--count=20")
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                process.stdout.readline()  # all of them watch
                grown = memory_mib(clusterd.pid, "VmRSS") - before
                run = json.loads(process.stdout.readline())
            bench.add("watch_delivery_p50", "us", [run["p50_us"]], None, None, watchers)
            bench.add("watch_delivery_p99", "us", [run["p99_us"]], None, None, watchers)
            bench.add("watch_memory_each", "KiB", [grown * 1024 / watchers], None, None, watchers)
        finally:
            clusterd.stop()


def scale(bench):
    """Many servers in one embedded registry: memory, cost at rest, restart."""
    count = 10_000 if bench.quick else 100_000
    data_dir = tempfile.mkdtemp(dir=bench.folder)
    flags = [f"--data_dir={data_dir}", f"--max_registrations={count}"]
    clusterd = bench.clusterd(*flags)
    before = memory_mib(clusterd.pid, "VmRSS")
    run = load(bench, clusterd, "register", "--clients=64", f"--count={count}")
    bench.add("scale_register", "1/s", [run["per_second"]], None, count)
    grown = memory_mib(clusterd.pid, "VmRSS") - before
    bench.add("scale_memory_each", "bytes", [grown * 1024 * 1024 / count], None, count)
    rested = cpu_seconds(clusterd.pid)
    time.sleep(10)
    bench.add("scale_cpu_at_rest", "ms each s", [(cpu_seconds(clusterd.pid) - rested) * 100], None,
              count)
    clusterd.kill()
    started = time.monotonic()
    clusterd = bench.clusterd(*flags)
    bench.add("scale_restart", "s", [time.monotonic() - started], None, count)
    bench.add("scale_memory_each_after_restart", "bytes",
              [memory_mib(clusterd.pid, "VmRSS") * 1024 * 1024 / count], None, count)
    clusterd.kill()
