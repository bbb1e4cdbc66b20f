#!/usr/bin/env python3
"""The examples do what their README says: examples_test.py LANGUAGE CLUSTERD
CLUSTERCTL, where LANGUAGE is python, node or go. Exits with 77, which ctest takes
for a skip, where the example isn't built (./dev test does).
"""
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "client/examples"
sys.path += [str(ROOT / "tests/support"), str(EXAMPLES / "python/stubs")]
from programs import Clusterd, Program, exchange, wait_until
from silent_peers import Swallowing

COMMANDS = {
    "python": ("/usr/bin/python3", EXAMPLES / "python/hello.py"),
    "node": (shutil.which("node"), EXAMPLES / "node/hello.mjs"),
    "go": (EXAMPLES / "go/hello",),
}
NEEDS = {
    "python": EXAMPLES / "python/stubs",
    "node": EXAMPLES / "node/node_modules",
    "go": EXAMPLES / "go/hello",
}
TTL = 10  # s, of each example
# s, between LEASE_EXPIRED and the next registration: 250 ms, and what a busy
# machine takes. Far from the waits of 4 s and more that come before it here.
AT_ONCE = 2
QUIET = 3  # s, in which one that must do nothing does nothing


class Script:
    """A clusterd that says what a test tells it to."""

    def __init__(self):
        self.registered = queue.Queue()  # (time, session_id of the request)
        self.unregistered = queue.Queue()  # session_id
        self.sessions = 0
        self.refusals = 0  # of the registrations that come next
        self.answer = lambda session_id: ""  # the reason; None: no answer
        service = type("Registry", (stubs.RegistryServiceServicer,), {
            "RegisterServer": lambda _, *arguments: self.register(*arguments),
            "UnregisterServer": lambda _, *arguments: self.unregister(*arguments),
            "KeepAlive": lambda _, *arguments: self.keep_alive(*arguments)})
        self.server = grpc.server(ThreadPoolExecutor(8))
        stubs.add_RegistryServiceServicer_to_server(service(), self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def register(self, request, context):
        self.registered.put((time.monotonic(), request.session_id))
        if self.refusals > 0:
            self.refusals -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        if not request.session_id:
            self.sessions += 1
        return messages.RegisterServerResponse(registration=resources.Registration(
            server=request.server, session_id=f"session-{self.sessions}"))

    def unregister(self, request, _context):
        self.unregistered.put(request.session_id)
        return messages.UnregisterServerResponse()

    def keep_alive(self, requests, _context):
        for request in requests:
            reason = self.answer(request.session_id)
            if reason is None:
                continue
            answer = messages.KeepAliveResponse(session_id=request.session_id)
            if reason:
                answer.error.reason = reason
                answer.error.message = "it is over"
            else:
                answer.success.state = resources.REGISTRATION_STATE_REGISTERED
            yield answer


class ExamplesTest(unittest.TestCase):
    command = None  # set by main

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def script(self):
        script = Script()
        self.addCleanup(script.server.stop, None)
        return script

    def start(self, address, server_id="one"):
        example = Program(self.directory, server_id, self.command, {
            "CLUSTERD_ADDRESS": address, "SERVER_ID": server_id})
        self.addCleanup(example.kill)
        return example

    def url(self, example):
        def printed():
            example.check_alive()
            first, _, _ = example.log.read_text().partition("\n")
            return first.partition(" serves at ")[2]
        return wait_until("it says where it serves", printed)

    def test_it_is_one_of_its_cluster_until_it_ends(self):
        clusterd = Clusterd(self.directory, "clusterd", {})
        self.addCleanup(clusterd.stop)
        first, second = (self.start(clusterd.address, server_id)
                         for server_id in ("one", "two"))
        wait_until("both are registered", lambda: self.servers(clusterd) == {
            "one", "two"})
        status, _, body = exchange("GET", self.url(first) + "/everyone")
        self.assertEqual(status, 200, body)
        self.assertEqual(json.loads(body), {
            "verdict": "VERDICT_COMPLETE", "failed": [],
            "data": ["hello from one", "hello from two"]})
        second.stop()
        self.assertEqual(second.process.returncode, 0)
        self.assertEqual(self.servers(clusterd), {"one"})

    @staticmethod
    def servers(clusterd):
        try:
            answer = clusterd.ctl("servers", "hello")
        except AssertionError:  # there is no such cluster yet
            return set()
        return {server["serverId"] for server in answer["servers"]}

    def test_it_registers_at_once_when_its_session_is_over(self):
        script = self.script()
        script.refusals = 4
        over = queue.Queue()

        def answer(session_id):
            if session_id != "session-1":
                return ""
            over.put(time.monotonic())
            return "LEASE_EXPIRED"

        script.answer = answer
        self.start(script.address)
        for _ in range(5):
            self.assertEqual(script.registered.get(timeout=60)[1], "")
        registered, session_id = script.registered.get(timeout=60)
        self.assertEqual(session_id, "")
        self.assertLess(registered - over.get(), AT_ONCE)

    def test_it_ends_when_it_is_superseded(self):
        script = self.script()
        script.answer = lambda _: "SESSION_SUPERSEDED"
        example = self.start(script.address)
        script.registered.get(timeout=60)
        with self.assertRaises(queue.Empty):
            script.registered.get(timeout=QUIET)
        example.stop()
        self.assertEqual(example.process.returncode, 0)
        self.assertTrue(script.registered.empty())

    def test_it_gives_up_a_stream_that_is_silent(self):
        script = self.script()
        script.answer = lambda _: None
        self.start(script.address)
        self.assertEqual(script.registered.get(timeout=60)[1], "")
        self.assertEqual(script.registered.get(timeout=TTL)[1], "session-1")

    def test_it_can_be_ended_while_nobody_answers(self):
        script = self.script()
        script.refusals = 1000
        example = self.start(script.address)
        script.registered.get(timeout=60)
        example.stop()
        self.assertEqual(example.process.returncode, 0)
        self.assertTrue(script.unregistered.empty())

    def test_it_can_be_ended_while_its_address_is_silent(self):
        address = Swallowing()
        self.addCleanup(address.close)
        example = self.start(address.address)
        wait_until("it tries to connect", address.is_waited_for)
        example.stop()
        self.assertEqual(example.process.returncode, 0)


def main():
    language, clusterd, clusterctl = sys.argv[1:4]
    generated = subprocess.run([EXAMPLES / "python/generate.sh"], check=False)
    if generated.returncode != 0 or not NEEDS[language].exists():
        print(f"skipped: the {language} example is not built; ./dev test builds it")
        return 77
    global messages, resources, stubs
    from mimik.cluster.v1 import registry_service_pb2 as messages
    from mimik.cluster.v1 import registry_service_pb2_grpc as stubs
    from mimik.cluster.v1 import resources_pb2 as resources
    Clusterd.programs = {"clusterd": clusterd, "clusterctl": clusterctl}
    ExamplesTest.command = COMMANDS[language]
    return unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)


if __name__ == "__main__":
    sys.exit(main())
