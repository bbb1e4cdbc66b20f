#!/usr/bin/env python3
"""Measures clusterd against what it is made of, side by side in one run.

Machines are shared and noisy, so every figure that can be is a ratio of two
programs that ran in turns (A B A B ...), given as the median with its spread, and
CPU time is preferred over wall time. clusterd, or what it is compared with, runs
on one core, the nodes and the load on the other.

  bench.py [--build build/release] [--out build/bench] [--quick] [part ...]
"""
import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile

import plots
from bars import judged
from control_part import control, scale, watch
from fan_out_part import black_hole, fan_out, linear
from harness import Bench, format_row
from limit_part import limit
from overload_part import overload
from peer_part import plain_go, plain_python, reference

PARTS = {"fanout": fan_out, "linear": linear, "reference": reference, "go": plain_go,
         "python": plain_python, "limit": limit, "black_hole": black_hole, "control": control,
         "watch": watch, "scale": scale, "overload": overload}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path,
                        help="where the programs are")
    parser.add_argument("--out", default="build/bench", type=pathlib.Path,
                        help="where the report and its plots go")
    parser.add_argument("--quick", action="store_true", help="three minutes instead of an hour")
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    folder = tempfile.mkdtemp(prefix="clusterd-bench-")
    bench = Bench(arguments.build.resolve(), folder, arguments.quick)
    busy = warning(os.getloadavg()[0], os.cpu_count())
    print(busy, end="")
    try:
        for name in arguments.parts or PARTS:
            print(f"\n# {name}: {PARTS[name].__doc__}", flush=True)
            PARTS[name](bench)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    save(bench.report, arguments.out)
    print(busy, end="")
    return 0


def warning(load, cores):
    """What to say of figures from a machine with this load; empty if it is at rest."""
    if load < cores / 2:
        return ""
    return (f"BUSY MACHINE (load {load:.1f} on {cores} cores before the start): programs with "
            "large code and heaps,\nNode.js above all, suffer more from it than clusterd; "
            "its ratios to them come out too good.\n")


def save(report, folder):
    """Ends with what has to be reached and whether it is."""
    out = folder / "report.json"
    out.write_text(json.dumps(report, indent=1))
    print("\n# bars")
    for row, verdict in judged(report):
        print(f"{format_row(row)} {verdict}")
    print(f"\nall figures: {', '.join(map(str, [out, *plots.write(report, folder)]))}")


if __name__ == "__main__":
    sys.exit(main())
