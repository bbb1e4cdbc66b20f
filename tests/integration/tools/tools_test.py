#!/usr/bin/env python3
"""The tools that people inspect gRPC services with, against the real clusterd.

tools_test.py TOOL CLUSTERD, where TOOL is `grpcurl` or `buf`. Exits with 77,
which ctest takes for a skip, where the tool is not installed (./dev test does).
"""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "mimik.cluster.v1"
SERVICES = {f"{PACKAGE}.RegistryService", f"{PACKAGE}.FanOutService",
            f"{PACKAGE}.NodeService", f"{PACKAGE}.AdminService",
            "grpc.health.v1.Health"}
NOT_FOUND = 5


def read_json(text):
    """JSON whose names are as in the proto, however a tool prints them."""
    return json.loads(text, object_hook=lambda members: {
        re.sub("[A-Z]", lambda c: "_" + c[0].lower(), name): value
        for name, value in members.items()})


class Grpcurl:
    """Each call returns (exit code, what was printed)."""
    PATHS = (ROOT / "build/tools/grpcurl", shutil.which("grpcurl"))

    def __init__(self, program, address):
        self.run = Runner(program, "-plaintext", "-format-error")
        self.address = address

    def services(self):
        return self.run(self.address, "list")

    def methods(self, service):
        return self.run(self.address, "list", service)

    def call(self, method, request):
        return self.run("-d", json.dumps(request), self.address, method)

    @staticmethod
    def code_of(exit_code):
        return exit_code - 64

    @staticmethod
    def reasons(error):
        return [detail["reason"] for detail in error["details"]]


class Buf:
    PATHS = (ROOT / "tests/lint/node_modules/.bin/buf", shutil.which("buf"))

    def __init__(self, program, address):
        self.run = Runner(program, "curl", "--protocol", "grpc",
                          "--http2-prior-knowledge")
        self.url = "http://" + address

    def services(self):
        return self.run("--list-services", self.url)

    def methods(self, service):
        code, out = self.run("--list-methods", self.url)
        return code, "\n".join(line for line in out.splitlines()
                               if line.startswith(service + "/"))

    def call(self, method, request):
        return self.run("-d", json.dumps(request), f"{self.url}/{method}")

    @staticmethod
    def code_of(exit_code):
        return exit_code // 8

    @staticmethod
    def reasons(error):
        # Printed undecoded: the reason is the first field of an ErrorInfo.
        details = [base64.b64decode(detail["value"] + "==")
                   for detail in error["details"]]
        return [detail[2:2 + detail[1]].decode() for detail in details]


class Runner:
    def __init__(self, *command):
        self.command = [str(part) for part in command]

    def __call__(self, *arguments):
        done = subprocess.run([*self.command, *arguments], timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        return done.returncode, done.stdout


TOOLS = {"grpcurl": Grpcurl, "buf": Buf}


class Node(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"data": [{"path": self.path}],
                           "server": {"serverId": "node-1"}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        pass


class Clusterd:
    """A clusterd on free ports, stopped by `stop`."""

    def __init__(self, program):
        self.directory = tempfile.TemporaryDirectory()
        ports = Path(self.directory.name, "ports")
        self.process = subprocess.Popen(
            [program, "--grpc_address=127.0.0.1:0",
             "--http_address=127.0.0.1:0", f"--port_file={ports}"])
        deadline = time.monotonic() + 60
        while not ports.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("clusterd did not start")
            time.sleep(0.02)
        self.address = dict(line.split("=", 1) for line in
                            ports.read_text().splitlines())["grpc"]

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        self.directory.cleanup()


class ToolsTest(unittest.TestCase):
    """Set by main: how to make the tool, and the program under test."""
    make_tool = None
    clusterd_program = None

    @classmethod
    def setUpClass(cls):
        cls.clusterd = Clusterd(cls.clusterd_program)
        cls.addClassCleanup(cls.clusterd.stop)
        cls.node = ThreadingHTTPServer(("127.0.0.1", 0), Node)
        threading.Thread(target=cls.node.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.node.server_close)
        cls.addClassCleanup(cls.node.shutdown)
        cls.tool = cls.make_tool(cls.clusterd.address)
        cls.answer("RegistryService/RegisterServer", {
            "server": {"type": "tools", "server_id": "node-1",
                       "cluster_base_url":
                           f"http://127.0.0.1:{cls.node.server_port}"},
            "ttl": "600s", "wait": True})

    @classmethod
    def answer(cls, method, request):
        """The answer to a call that has to succeed."""
        code, out = cls.tool.call(f"{PACKAGE}.{method}", request)
        if code != 0:
            raise AssertionError(f"{method}: exit code {code}: {out}")
        return read_json(out)

    def test_lists_every_service(self):
        code, out = self.tool.services()
        self.assertEqual(code, 0, out)
        self.assertLessEqual(SERVICES, set(out.split()))

    def test_lists_the_methods_of_a_service(self):
        code, out = self.tool.methods(f"{PACKAGE}.FanOutService")
        self.assertEqual(code, 0, out)
        self.assertEqual({line.replace("/", ".").rsplit(".", 1)[1]
                          for line in out.split()}, {"FanOut", "StreamFanOut"})

    def test_describes_a_message(self):
        if not isinstance(self.tool, Grpcurl):
            self.skipTest("only grpcurl describes")
        code, out = self.tool.run(self.tool.address, "describe",
                                  f"{PACKAGE}.RegisterServerRequest")
        self.assertEqual(code, 0, out)
        self.assertIn("google.protobuf.Duration ttl = 2;", out)

    def test_lists_what_is_registered(self):
        servers = self.answer("RegistryService/ListServers",
                              {"type": "tools"})["servers"]
        self.assertEqual([s["server_id"] for s in servers], ["node-1"])

    def test_fans_out(self):
        answer = self.answer("FanOutService/FanOut", {
            "type": "tools", "http": {"path": "/hello", "query": "a=1"}})
        self.assertEqual(answer["verdict"], "VERDICT_COMPLETE")
        self.assertEqual(json.loads(answer["data_json"]),
                         [{"path": "/hello?a=1"}])

    def test_streams_a_fan_out(self):
        code, out = self.tool.call(f"{PACKAGE}.FanOutService/StreamFanOut", {
            "request": {"type": "tools", "http": {"path": "/hello"}}})
        self.assertEqual(code, 0, out)
        self.assertLess(out.index('"result"'), out.index('"summary"'))

    def test_health_is_serving(self):
        code, out = self.tool.call("grpc.health.v1.Health/Check", {})
        self.assertEqual(code, 0, out)
        self.assertEqual(json.loads(out)["status"], "SERVING")

    def test_shows_reason_of_an_error(self):
        code, out = self.tool.call(f"{PACKAGE}.RegistryService/GetCluster",
                                   {"type": "nobody"})
        self.assertEqual(self.tool.code_of(code), NOT_FOUND, out)
        error = read_json(out)
        self.assertIn("nobody", error["message"])
        self.assertEqual(self.tool.reasons(error), ["CLUSTER_NOT_FOUND"])


def main():
    name, ToolsTest.clusterd_program = sys.argv[1:]
    tool = TOOLS[name]
    program = next((p for p in tool.PATHS if p and os.access(p, os.X_OK)), None)
    if program is None:
        print(f"skipped: {name} is not installed; ./dev test installs it")
        return 77
    ToolsTest.make_tool = staticmethod(lambda address: tool(program, address))
    return unittest.main(argv=sys.argv[:1], verbosity=2)


if __name__ == "__main__":
    sys.exit(main())
