"""What clusterd has to reach, and whether it does."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Bar:
    """For the ratio of one row; None: for every value of it."""
    name: str
    nodes: int | None
    concurrency: int | None
    least: float | None = None
    most: float | None = None

    def is_for(self, row):
        return (row["name"] == self.name and self.nodes in (None, row["nodes"]) and
                self.concurrency in (None, row["concurrency"]))

    def met(self, row):
        if self.least is not None:
            return row["ratio"] >= self.least
        return row["ratio"] <= self.most

    def __str__(self):
        return f"at least {self.least:g} x" if self.least is not None else f"at most {self.most:g} x"


BARS = [
    Bar("fanout_cpu_per_node_vs_bare", 1, 16, most=4.5),
    Bar("fanout_cpu_per_node_vs_bare", 10, 16, most=1.6),
    Bar("fanout_cpu_per_node_vs_bare", 100, 16, most=1.1),
    Bar("fanout_p50_vs_bare", 10, 1, most=2),
    Bar("fanout_calls_vs_reference_silenced", 10, 16, least=8),
    # No setting keeps the package from formatting what it does not print; a bar that
    # counts that work alone is met too easily.
    Bar("fanout_calls_vs_reference_muted", 10, 16, least=8),
    Bar("fanout_calls_vs_reference_default", 10, 16, least=20),
    Bar("fanout_calls_per_cpu_vs_go", 10, 16, least=1.5),
    Bar("fanout_cpu_per_node_1000_vs_100", 1000, 16, most=1.1),
    Bar("fanout_black_hole_in_time", None, None, least=1),
    Bar("control_delay_p99_9", None, None, most=1),
    Bar("control_session_end_late", None, None, most=1),
    Bar("overload_3x_goodput_vs_peak", 10, None, least=0.8),
    Bar("overload_10x_goodput_vs_peak", 100, None, least=0.8),
]


def verdict(row):
    """What to say of a row; empty where it has no bar."""
    return "; ".join(f"{'met' if bar.met(row) else 'MISSED'}: {bar}"
                     for bar in BARS if bar.is_for(row))


def judged(report):
    """(row, verdict) of all rows that have a bar."""
    return [(row, verdict(row)) for row in report if verdict(row)]
