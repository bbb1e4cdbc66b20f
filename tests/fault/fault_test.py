#!/usr/bin/env python3
"""clusterd under faults, as real processes; README.md tells what is done.

fault_test.py CLUSTERD CLUSTERCTL [--full] [unittest's arguments]. With --full, or
FAULT_FULL in the environment, the long forms. Exits with 77, which ctest takes for
a skip, where no scenario could be run.
"""
import os
import resource
import sys
import tempfile
import unittest
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1] / folder)
             for folder in ("support", "interop")]
from backup_cases import BackupTest
from clock_cases import ClockTest
from chaos_cases import ChaosTest
from crash_cases import CrashTest, RestartTest
from disk_cases import BadDataDirTest, DiskTest
from files_cases import FilesTest
from growth_cases import GrowthTest
from herd_cases import HerdTest, WatchTest
from http_cases import HttpTest
from network_cases import NetworkTest
from operator_cases import OperatorTest
from programs import Clusterd
from reader_cases import ReaderTest
from scene import FaultTest
from session_cases import DeathTest, PauseTest
from silence_cases import SilenceTest
from start_cases import StartTest
from stop_cases import StopTest
from takeover_cases import TakeoverTest
from world import World


def main():
    arguments = sys.argv[1:]
    FaultTest.full = "--full" in arguments or "FAULT_FULL" in os.environ
    if "--full" in arguments:
        arguments.remove("--full")
    Clusterd.programs = dict(zip(("clusterd", "clusterctl"), arguments))
    # A thousand services and as many connections to them.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as output:
        FaultTest.output = World.output = output
        result = unittest.main(argv=[sys.argv[0], *arguments[2:]], verbosity=2,
                               exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    if len(result.skipped) == result.testsRun:
        sys.exit(77)


if __name__ == "__main__":
    main()
