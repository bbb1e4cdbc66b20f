"""Two pictures of the figures as SVG, for whoever reads the report."""
import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 70, 20, 40, 50
COLOURS = ("#1f77b4", "#9ecae1", "#d62728", "#2ca02c")


def write(report, folder):
    """The paths of the pictures that there are figures for."""
    pictures = {
        "latency.svg": log_chart(
            "Latency of a fan-out, 16 calls at once, answers of 100 B", "nodes", "us",
            lines(report, "nodes", lambda row: row["concurrency"] == 16,
                  [("fanout_p50_vs_bare", "value", "clusterd p50"),
                   ("fanout_p99_vs_bare", "value", "clusterd p99"),
                   ("fanout_p50_vs_bare", "baseline", "bare loop p50")])),
        "cost.svg": log_chart(
            "CPU of one node call, 10 nodes, answers of 100 B", "calls at once", "us",
            lines(report, "concurrency", lambda row: row["nodes"] == 10,
                  [("fanout_cpu_per_node_vs_bare", "value", "clusterd"),
                   ("fanout_cpu_per_node_vs_bare", "baseline", "bare loop")])),
    }
    written = []
    for name, picture in pictures.items():
        if picture:
            (folder / name).write_text(picture)
            written.append(folder / name)
    return written


def lines(report, x, wanted, figures):
    """label -> [(x, y)] of the figures (name, column, label)."""
    return {label: sorted((row[x], row[column]) for row in report
                          if row["name"] == name and wanted(row) and row[column])
            for name, column, label in figures}


class Scale:
    """A logarithmic one from data to pixels, with a tick at each power of ten and at
    its double and fivefold."""

    def __init__(self, values, start, end):
        self.low, self.high = min(values) / 1.2, max(values) * 1.2
        self.start, self.end = start, end

    def __call__(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self):
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        every = [step * 10.0 ** power for power in powers for step in (1, 2, 5)]
        return [tick for tick in every if self.low <= tick <= self.high]


def log_chart(title, x_name, y_name, series):
    """An SVG document; None when there is no point."""
    points = [point for line in series.values() for point in line]
    if not points:
        return None
    x = Scale([point[0] for point in points], LEFT, WIDTH - RIGHT)
    y = Scale([point[1] for point in points], HEIGHT - BOTTOM, TOP)
    parts = [text(WIDTH / 2, 20, title, "middle", 14),
             text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_name, "middle"),
             text(LEFT - 8, TOP - 8, y_name, "end")]
    for tick in x.ticks():
        parts += [rule(x(tick), TOP, x(tick), HEIGHT - BOTTOM),
                  text(x(tick), HEIGHT - BOTTOM + 16, f"{tick:g}", "middle")]
    for tick in y.ticks():
        parts += [rule(LEFT, y(tick), WIDTH - RIGHT, y(tick)),
                  text(LEFT - 8, y(tick) + 4, f"{tick:,.10g}", "end")]
    for number, (label, line) in enumerate(series.items()):
        parts += curve(label, [(x(a), y(b)) for a, b in line], number)
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'font-family="sans-serif" font-size="11">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n')


def curve(label, points, number):
    colour = COLOURS[number]
    path = " ".join(f"{a},{b}" for a, b in points)
    height = TOP + 16 + 16 * number
    return ([f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'] +
            [f'<circle cx="{a}" cy="{b}" r="3" fill="{colour}"/>' for a, b in points] +
            [f'<rect x="{LEFT + 10}" y="{height - 8}" width="12" height="4" fill="{colour}"/>',
             text(LEFT + 28, height - 2, label, "start")])


def rule(x1, y1, x2, y2):
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#ddd"/>'


def text(x, y, words, anchor, size=11):
    return (f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}">'
            f'{html.escape(words)}</text>')
