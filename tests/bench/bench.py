#!/usr/bin/env python3
"""Measures clusterd against what it is made of, side by side in one run.

Machines are shared and noisy, so every figure that can be is a ratio of two
programs that ran in turns (A B A B ...), given as the median with its spread, and
CPU time is preferred over wall time. clusterd runs on one core, nginx (the nodes)
and the load on the other.

  bench.py --build build/bench [--quick] [part ...]
"""
import argparse
import json
import pathlib
import shutil
import sys
import tempfile

from control_part import control, scale, watch
from fan_out_part import black_hole, fan_out
from harness import Bench

PARTS = {"fanout": fan_out, "black_hole": black_hole, "control": control, "watch": watch,
         "scale": scale}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/bench", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="about two minutes")
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    folder = tempfile.mkdtemp(prefix="clusterd-bench-")
    bench = Bench(arguments.build.resolve(), folder, arguments.quick)
    try:
        for name in arguments.parts or PARTS:
            print(f"\n# {name}: {PARTS[name].__doc__}", flush=True)
            PARTS[name](bench)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    out = arguments.build / "report.json"
    out.write_text(json.dumps(bench.report, indent=1))
    print(f"\nall figures: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
