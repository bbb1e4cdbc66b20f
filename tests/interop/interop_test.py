#!/usr/bin/env python3
"""clusterd among nodes of the genuine npm package, all as real processes.

interop_test.py CLUSTERD CLUSTERCTL [--full] [--update] [unittest's arguments]. With
--full, or INTEROP_FULL in the environment, the long forms; with --update the table
in README.md is written anew. Exits with 77, which ctest takes for a skip, where the
package is not installed (./dev test does).
"""
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from authority_cases import AuthorityTest, SettingsTest
from endurance_cases import ChurnTest, OutageTest
from fan_out_cases import FanOutTest
from genuine_cases import GenuineTest
from membership_cases import EvictionTest, MembershipTest, RestartTest
from node_api_cases import KeyRotationTest, NodeApiTest
from programs import Clusterd
from proxy_cases import LocalServiceLifeTest, ProxyTest
from served_cases import (ServedEvictionTest, ServedMembershipTest,
                          ServedRestartTest, ServedTest)
from world import BODY_MARK, Account, World, WorldTest, leaks

HERE = Path(__file__).resolve().parent


class OutputTest(unittest.TestCase):
    """After all the others: what they have printed."""

    def test_search_finds_what_is_secret(self):
        account = Account()
        token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.signature"
        with tempfile.TemporaryDirectory() as output:
            Path(output, "a.log").write_text(
                f"{account.client_secret} {token} {BODY_MARK}", encoding="utf-8")
            self.assertEqual(leaks(output), [
                ("a.log", "secret"), ("a.log", "token"), ("a.log", "body")])

    def test_nothing_secret_was_printed(self):
        self.assertEqual(leaks(World.output), [])


def load_tests(loader, _tests, _pattern):
    return unittest.TestSuite(
        loader.loadTestsFromTestCase(case)
        for case in (GenuineTest, MembershipTest, EvictionTest, RestartTest,
                     AuthorityTest, SettingsTest, KeyRotationTest, NodeApiTest,
                     FanOutTest, ProxyTest, LocalServiceLifeTest, ServedTest,
                     ServedMembershipTest, ServedEvictionTest,
                     ServedRestartTest, OutageTest, ChurnTest, OutputTest))


def main():
    if not (shutil.which("node") and (HERE / "node_modules/@mimik").is_dir()):
        print("skipped: needs Node.js and the packages of tests/interop, which "
              "./dev test installs (npm ci)")
        sys.exit(77)
    arguments = sys.argv[1:]
    WorldTest.full = "--full" in arguments or "INTEROP_FULL" in os.environ
    if "--full" in arguments:
        arguments.remove("--full")
    if "--update" in arguments:
        arguments.remove("--update")
        FanOutTest.update = True
    Clusterd.programs = dict(zip(("clusterd", "clusterctl"), arguments))
    with tempfile.TemporaryDirectory() as World.output:
        unittest.main(argv=[sys.argv[0], *arguments[2:]], verbosity=2)


if __name__ == "__main__":
    main()
