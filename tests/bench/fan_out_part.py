"""Fan-outs through clusterd over real gRPC."""
import contextlib
import socket
import statistics

from harness import CLUSTERD_CORE, OTHER_CORE, cpu_seconds, memory_mib

SMALL = 100  # bytes of a node's answer; rows of other sizes say so in their name
BYTES_IN_FLIGHT = 64 << 20
SUFFIX = {SMALL: "", 10_000: "_10kB", 1_000_000: "_1MB"}


def load(bench, clusterd, *arguments):
    lines = bench.run(OTHER_CORE, "fanout_load", f"--address={clusterd.address}", *arguments)
    return lines[0] if lines else None


def register(bench, clusterd, urls):
    load(bench, clusterd, "--seconds=0", "--register", *urls)


@contextlib.contextmanager
def registered(bench, count, body_bytes=SMALL):
    """Yields a clusterd with one I/O thread, and the nodes that it knows."""
    nodes = bench.nodes(count, body_bytes)
    clusterd = bench.clusterd("--io_threads=1")
    try:
        register(bench, clusterd, nodes.urls())
        yield clusterd, nodes
    finally:
        clusterd.stop()
        nodes.stop()


def call(bench, clusterd, count, concurrency):
    """One run of the load, all of whose answers were complete."""
    before = cpu_seconds(clusterd.pid)
    run = load(bench, clusterd, "--path=/answer", f"--concurrency={concurrency}",
               "--warmup_seconds=0", f"--seconds={bench.seconds}")
    spent = cpu_seconds(clusterd.pid) - before
    if run["errors"] or run["answers_by_results"].get(str(count), 0) != run["calls"]:
        raise RuntimeError(f"incomplete answers: {run}")
    return {**run, "cpu_us_per_call": spent * 1e6 / run["calls"]}


def bare(bench, nodes, concurrency):
    return bench.run(CLUSTERD_CORE, "bare_loop", f"--port={nodes.port}",
                     f"--concurrency={concurrency}", f"--seconds={bench.seconds}",
                     "--path=/answer", "--targets", *nodes.addresses)[0]


def shapes(bench):
    """(body bytes, nodes, calls in flight) of all rows."""
    if bench.quick:
        return [(SMALL, 1, 16), (SMALL, 10, 1), (SMALL, 10, 16), (SMALL, 10, 64),
                (SMALL, 100, 16)]
    return [(body_bytes, count, concurrency)
            for body_bytes in SUFFIX
            for count in (1, 3, 10, 100, 1000)
            for concurrency in (1, 16, 64)
            if count * concurrency * body_bytes <= BYTES_IN_FLIGHT
            and count * concurrency <= bench.sockets]


def fan_out(bench):
    """clusterd beside a bare Beast loop, nodes of the same kind."""
    costs = {}
    for body_bytes, count, concurrency in shapes(bench):
        # Nodes for each, because one process may not hold the sockets of both.
        limit_nodes = bench.nodes(count, body_bytes)
        try:
            with registered(bench, count, body_bytes) as (clusterd, _):
                cost = measure(bench, clusterd, limit_nodes, SUFFIX[body_bytes], count,
                               concurrency)
        finally:
            limit_nodes.stop()
        if (body_bytes, concurrency) == (SMALL, 16):
            costs[count] = cost
    fit(costs)


def measure(bench, clusterd, limit_nodes, suffix, count, concurrency):
    """us of CPU for one call. `limit_nodes`: for the bare loop."""
    call(bench, clusterd, count, concurrency)  # connects
    ours, limit = [], []
    for _ in range(bench.rounds):
        ours.append(call(bench, clusterd, count, concurrency))
        limit.append(bare(bench, limit_nodes, concurrency))

    def add(name, unit, values, baseline=None):
        bench.add(name + suffix, unit, values, baseline, count, concurrency)

    costs = [run["cpu_us_per_call"] for run in ours]
    add("fanout_cpu_per_node_vs_bare", "us", [cost / count for cost in costs],
        [run["cpu_us_per_request"] for run in limit])
    for percentile in ("p50", "p99", "p999"):
        add(f"fanout_{percentile}_vs_bare", "us", [run[f"{percentile}_us"] for run in ours],
            [run[f"{percentile}_us"] for run in limit])
    add("fanout_calls", "calls/s", [run["calls_per_second"] for run in ours])
    add("fanout_peak_memory", "MiB", [memory_mib(clusterd.pid, "VmHWM")])
    return statistics.median(costs)


def fit(costs):
    """Least squares of `a + b * N` over the cost of one call, in us."""
    xs, ys = list(costs), list(costs.values())
    mean_x, mean_y = statistics.mean(xs), statistics.mean(ys)
    b = (sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) /
         sum((x - mean_x) ** 2 for x in xs))
    print(f"cost of one call with 16 in flight: {mean_y - b * mean_x:.1f} + {b:.2f} * N us of CPU")


def linear(bench):
    """A node call of large calls beside one of smaller ones."""
    with registered(bench, 1000) as (large, _), registered(bench, 100) as (small, _):
        call(bench, large, 1000, 16)  # connects
        call(bench, small, 100, 16)
        large_costs, small_costs = [], []
        for _ in range(bench.rounds):
            large_costs.append(call(bench, large, 1000, 16)["cpu_us_per_call"] / 1000)
            small_costs.append(call(bench, small, 100, 16)["cpu_us_per_call"] / 100)
    bench.add("fanout_cpu_per_node_1000_vs_100", "us", large_costs, small_costs, 1000, 16)


def black_hole(bench):
    """One node of 20 (and of 50) accepts and never answers; deadline 500 ms."""
    for count, calls in [(20, 200), (50, 200 if bench.quick else 1000)]:
        nodes = bench.nodes(count - 1)
        hole = socket.socket()
        hole.bind(("127.0.0.1", 0))
        hole.listen(1024)
        clusterd = bench.clusterd()
        try:
            register(bench, clusterd,
                     nodes.urls() + [f"http://127.0.0.1:{hole.getsockname()[1]}"])
            run = load(bench, clusterd, "--path=/answer", f"--calls={calls}", "--concurrency=4",
                       "--deadline_ms=500")
            in_time = run["answers_by_results"].get(str(count - 1), 0)
            bench.add("fanout_black_hole_in_time", f"calls of {calls}", [in_time], [calls], count,
                      4)
        finally:
            clusterd.stop()
            nodes.stop()
            hole.close()
