"""Fan-outs through clusterd over real gRPC."""
import socket
import statistics

from harness import CLUSTERD_CORE, OTHER_CORE, Nodes, cpu_seconds, memory_mib


def load(bench, clusterd, *arguments):
    lines = bench.run(OTHER_CORE, "fanout_load", f"--address={clusterd.address}", *arguments)
    return lines[0] if lines else None


def register(bench, clusterd, urls):
    load(bench, clusterd, "--seconds=0", "--register", *urls)


def bare(bench, nodes, concurrency):
    return bench.run(CLUSTERD_CORE, "bare_loop", f"--port={nodes.port}",
                     f"--concurrency={concurrency}", f"--seconds={bench.seconds}",
                     "--path=/answer", "--targets", *nodes.addresses)[0]


def fan_out(bench):
    """clusterd beside a bare Beast loop, same nodes."""
    costs = {}
    for count, concurrency in [(1, 16), (3, 16), (10, 1), (10, 16), (10, 64), (100, 16)] + (
            [] if bench.quick else [(100, 1), (1000, 1)]):
        nodes = Nodes(bench.folder, count)
        clusterd = bench.clusterd("--io_threads=1")
        try:
            register(bench, clusterd, nodes.urls())
            cost = measure(bench, clusterd, nodes, count, concurrency)
            if concurrency == 16:
                costs[count] = cost
        finally:
            clusterd.stop()
            nodes.stop()
    fit(costs)


def measure(bench, clusterd, nodes, count, concurrency):
    """us of CPU for one call."""
    ours, limit, p50, limit_p50, rate = [], [], [], [], []
    for _ in range(bench.rounds):
        before = cpu_seconds(clusterd.pid)
        run = load(bench, clusterd, "--path=/answer", f"--concurrency={concurrency}",
                   "--warmup_seconds=0", f"--seconds={bench.seconds}")
        spent = cpu_seconds(clusterd.pid) - before
        complete = run["answers_by_results"].get(str(count), 0)
        if complete != run["calls"] or run["errors"]:
            raise RuntimeError(f"incomplete answers: {run}")
        ours.append(spent * 1e6 / run["calls"] / count)
        p50.append(run["p50_us"])
        rate.append(run["calls_per_second"])
        alone = bare(bench, nodes, concurrency)
        limit.append(alone["cpu_us_per_request"])
        limit_p50.append(alone["p50_us"])
    bench.add("fanout_cpu_per_node_vs_bare", "us", ours, limit, count, concurrency)
    bench.add("fanout_p50_vs_bare", "us", p50, limit_p50, count, concurrency)
    bench.add("fanout_calls", "calls/s", rate, None, count, concurrency)
    bench.add("fanout_peak_memory", "MiB", [memory_mib(clusterd.pid, "VmHWM")], None, count,
              concurrency)
    return statistics.median(ours) * count


def fit(costs):
    """Least squares of `a + b * N` over the cost of one call, in us."""
    xs, ys = list(costs), list(costs.values())
    mean_x, mean_y = statistics.mean(xs), statistics.mean(ys)
    b = (sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) /
         sum((x - mean_x) ** 2 for x in xs))
    print(f"cost of one call with 16 in flight: {mean_y - b * mean_x:.1f} + {b:.2f} * N us of CPU")


def black_hole(bench):
    """One node of 20 (and of 50) accepts and never answers; deadline 500 ms."""
    for count, calls in [(20, 200), (50, 200 if bench.quick else 1000)]:
        nodes = Nodes(bench.folder, count - 1)
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
