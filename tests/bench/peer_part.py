"""The same fan-outs by others, to the same nodes: 10 nodes, 16 calls in flight.

clusterd is called over gRPC, the others call from within their own process, so
what they would spend on being asked is not counted against them."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

from fan_out_part import call, registered
from harness import CLUSTERD_CORE, output, pinned

HERE = pathlib.Path(__file__).resolve().parent
INTEROP = HERE.parent / "interop"
PYTHON = "/usr/bin/python3"  # the one that Debian's python3-aiohttp is for
COUNT, CONCURRENCY = 10, 16
# What makes the package silent in the environment of the tests' nodes.
SILENCED = {"LOG_MODE", "CONSOLE_LEVEL", "NO_STACK"}


def beside(bench, clusterd, peers):
    """In turns, clusterd before each of the peers. `peers`: name -> function that
    returns a run."""
    call(bench, clusterd, COUNT, CONCURRENCY)  # connects
    ours, theirs = {name: [] for name in peers}, {name: [] for name in peers}
    for _ in range(bench.rounds):
        for name, run in peers.items():
            ours[name].append(call(bench, clusterd, COUNT, CONCURRENCY))
            theirs[name].append(run())
    for name in peers:
        add = Comparison(bench, name, ours[name], theirs[name]).add
        add("fanout_calls", "calls/s", lambda run: run["calls_per_second"])
        add("fanout_calls_per_cpu", "calls/CPU s", lambda run: 1e6 / run["cpu_us_per_call"])
        add("fanout_p50", "us", lambda run: run["p50_us"])


class Comparison:
    def __init__(self, bench, name, ours, theirs):
        self.bench, self.name, self.ours, self.theirs = bench, name, ours, theirs

    def add(self, what, unit, value):
        self.bench.add(f"{what}_vs_{self.name}", unit, [value(run) for run in self.ours],
                       [value(run) for run in self.theirs], COUNT, CONCURRENCY)


def reference(bench):
    """The npm package @mimik/cluster, silenced by its settings, with its default logging,
    and with a logger muted behind its back."""
    if not (INTEROP / "node_modules").exists():
        print("skipped: tests/interop/node_modules is missing (npm ci)")
        return
    sys.path[:0] = [str(INTEROP), str(INTEROP.parent / "support")]
    from world import World  # its modules are not on the path before
    World.output = bench.folder
    world = World()  # for the tokens that the package wants
    silenced = world.service_env("caller")
    default = {name: value for name, value in silenced.items() if name not in SILENCED}
    with registered(bench, COUNT) as (clusterd, nodes), contextlib.ExitStack() as stack:
        stack.callback(world.stop)
        programs = {
            name: stack.enter_context(Genuine(bench, nodes.urls(), environment, muted))
            for name, environment, muted in [("reference_silenced", silenced, False),
                                             ("reference_default", default, False),
                                             ("reference_muted", silenced, True)]}
        beside(bench, clusterd, {name: program.run for name, program in programs.items()})


class Genuine:
    """The package in a process of its own, warm; idle between its turns."""

    def __init__(self, bench, urls, environment, muted):
        self.seconds = bench.seconds
        answers, out = os.pipe()
        options = {"urls": urls, "concurrency": CONCURRENCY, "muted": muted, "out": out,
                   "warm_up": 600 if bench.quick else 3000}
        self.process = subprocess.Popen(
            pinned(CLUSTERD_CORE, shutil.which("node"), str(HERE / "reference_load.js"),
                   str(INTEROP), json.dumps(options)),
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            pass_fds=[out])
        os.close(out)
        self.answers = os.fdopen(answers)
        self._answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.answers.close()

    def run(self):
        self.process.stdin.write(f"{self.seconds}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.answers.readline()
        if not line:
            raise RuntimeError("the npm package has failed; what it said is above")
        return json.loads(line)


def plain_go(bench):
    """net/http and goroutines."""
    program = bench.build / "tests/bench/go_fan_out"
    subprocess.run(["go", "build", "-o", str(program), str(HERE / "go_fan_out.go")], check=True)
    beside_program(bench, "go", program)


def plain_python(bench):
    """asyncio and aiohttp."""
    beside_program(bench, "python", PYTHON, HERE / "python_fan_out.py")


def beside_program(bench, name, *command):
    """One that takes concurrency, seconds and URLs and prints its figures."""
    with registered(bench, COUNT) as (clusterd, nodes):
        beside(bench, clusterd, {name: lambda: json.loads(
            output(CLUSTERD_CORE, *command, CONCURRENCY, bench.seconds, *nodes.urls()))})
