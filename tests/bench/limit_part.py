"""What the limits themselves are worth."""
import re
import resource

from fan_out_part import bare, load
from harness import CLUSTERD_CORE, Served, cpu_seconds, output


def limit(bench):
    """The bare Beast loop beside wrk, one node; a bare gRPC call that answers nothing."""
    nodes = bench.nodes(1)
    try:
        for concurrency in (16, 64):
            ours, theirs = [], []
            for _ in range(bench.rounds):
                ours.append(bare(bench, nodes, concurrency)["cpu_us_per_request"])
                theirs.append(wrk(bench, nodes, concurrency))
            bench.add("bare_cpu_vs_wrk", "us", ours, theirs, 1, concurrency)
    finally:
        nodes.stop()
    echo = GrpcEcho(bench)
    try:
        for concurrency in (1, 16, 64):
            echo_cost(bench, echo, concurrency)
    finally:
        echo.stop()


def wrk(bench, nodes, concurrency):
    """us of CPU for one request."""
    before = children_cpu_seconds()
    said = output(CLUSTERD_CORE, "wrk", "-t1", f"-c{concurrency}",
                  f"-d{max(1, round(bench.seconds))}s", f"{nodes.urls()[0]}/answer")
    spent = children_cpu_seconds() - before
    return spent * 1e6 / int(re.search(r"(\d+) requests in", said)[1])


def children_cpu_seconds():
    """Of those that have ended and been waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class GrpcEcho(Served):
    def __init__(self, bench):
        super().__init__(bench.build, CLUSTERD_CORE, "grpc_echo")
        self.address = self.facts["address"]


def echo_cost(bench, echo, concurrency):
    costs, rates, p50 = [], [], []
    for _ in range(bench.rounds):
        before = cpu_seconds(echo.pid)
        run = load(bench, echo, f"--concurrency={concurrency}", "--warmup_seconds=0",
                   f"--seconds={bench.seconds}")
        costs.append((cpu_seconds(echo.pid) - before) * 1e6 / run["calls"])
        rates.append(run["calls_per_second"])
        p50.append(run["p50_us"])
    bench.add("grpc_echo_cpu", "us", costs, None, 0, concurrency)
    bench.add("grpc_echo_calls", "calls/s", rates, None, 0, concurrency)
    bench.add("grpc_echo_p50", "us", p50, None, 0, concurrency)
