"""More fan-outs than clusterd can serve."""
from fan_out_part import load, registered
from harness import OTHER_CORE, memory_mib

DEADLINE_MS = 1000


def overload(bench):
    """Calls that every server answers within a second, per second, when several
    times the peak of the same run is offered."""
    for count, factor in [(10, 3), (100, 10)]:
        with registered(bench, count) as (clusterd, _):
            measure(bench, clusterd, count, factor)


def measure(bench, clusterd, count, factor):
    peaks, goods, latencies, offered, memory = [], [], [], [], []
    for _ in range(bench.rounds):
        peak = load(bench, clusterd, "--path=/answer", "--concurrency=64",
                    f"--seconds={bench.seconds}", f"--deadline_ms={DEADLINE_MS}")
        peaks.append(peak["answers_by_results"].get(str(count), 0) / peak["seconds"])
        run = bench.run(OTHER_CORE, "overload_load", f"--address={clusterd.address}",
                        "--path=/answer", f"--rate={factor * peaks[-1]}",
                        f"--seconds={bench.seconds}", f"--deadline_ms={DEADLINE_MS}")[0]
        goods.append(run["good_per_second"])
        latencies.append(run["good_p99_us"])
        offered.append(run["offered_per_second"])
        memory.append(memory_mib(clusterd.pid, "VmHWM"))
    bench.add(f"overload_{factor}x_goodput_vs_peak", "calls/s", goods, peaks, count)
    bench.add(f"overload_{factor}x_offered_vs_peak", "calls/s", offered, peaks, count)
    bench.add(f"overload_{factor}x_p99", "us", latencies, None, count)
    # Flat: as much after the last round as after the first.
    bench.add(f"overload_{factor}x_peak_memory", "MiB", memory[-1:], memory[:1], count)
