"""The processes of the interoperability tests: each one a program on free ports,
its output kept in a file, its state asked for over HTTP."""
import functools
import http.client
import json
import os
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
DEADLINE = 60  # s, for whatever is waited for


def wait_until(what, condition, deadline=DEADLINE):
    """Returns the first true value of `condition()`."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"gave up waiting until {what}")
        time.sleep(0.03)


def exchange(method, url, body=b"", timeout=DEADLINE, headers=None):
    """(status, headers, body). Raises OSError when there is no answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    try:
        connection.request(
            method, parts.path + (f"?{parts.query}" if parts.query else ""),
            body, {"content-type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def http_json(method, url, body=None, **options):
    """(status, JSON)."""
    text = b"" if body is None else json.dumps(body).encode()
    status, _, answer = exchange(method, url, text, **options)
    return status, json.loads(answer or "null")


class Program:
    """Runs until stopped; both outputs go to `<output>/<name>.log`."""

    def __init__(self, output, name, command, env):
        self.name = name
        self.log = Path(output, f"{name}.log")
        number = 1
        while self.log.exists():
            number += 1
            self.log = Path(output, f"{name}.{number}.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.PIPE,
                stdout=log, stderr=log,
                env={"PATH": os.environ["PATH"], **env})

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self._wait()

    def kill(self):
        """As if its machine had lost power."""
        self.process.kill()
        self._wait()

    def _wait(self):
        self.process.stdin.close()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def check_alive(self):
        if self.process.poll() is not None:
            raise AssertionError(
                f"{self.name} ended with {self.process.returncode}:\n"
                + self.log.read_text(errors="replace")[-2000:])


class NodeProgram(Program):
    """One of the *.js here, which tells its port on its first line. Who only
    makes it doesn't wait for that: several start at the same time."""

    def __init__(self, output, name, script, env):
        super().__init__(output, name, ["node", HERE / script], env)

    @functools.cached_property
    def facts(self):
        return wait_until(f"{self.name} listens", self._announcement)

    @property
    def url(self):
        return self.facts["clusterBaseUrl"]

    def _announcement(self):
        self.check_alive()
        line, end, _ = self.log.read_text().partition("\n")
        return json.loads(line) if end else None

    def control(self, what, body=None, **options):
        method = "GET" if body is None else "POST"
        url = f"http://127.0.0.1:{self.facts['port']}/control/{what}"
        return http_json(method, url, body, **options)[1]

    def state(self):
        return self.control("state")


class StandIn(NodeProgram):
    """mIT and mST."""

    def __init__(self, output):
        super().__init__(output, "stand_in", "stand_in_mit.js", {})

    def settings(self, **settings):
        self.control("settings", settings)

    def faults(self, **faults):
        """mit=…, mst=…; None: all is well."""
        self.control("faults", faults)

    def servers(self):
        """serverId -> record, over all clusters."""
        return {server["serverId"]: server
                for cluster in self.state()["clusters"]
                for server in cluster["servers"]}

    def requests(self, method=None, service="mit", since=0):
        return [request for request in self.state()["requests"][since:]
                if request["service"] == service
                and method in (None, request["method"])]

    def mark(self):
        """For `since`."""
        return len(self.state()["requests"])


class GenuineNode(NodeProgram):
    def __init__(self, output, server_id, env):
        self.id = server_id
        super().__init__(output, f"genuine-{server_id}", "genuine_node.js", env)

    def register(self):
        self.control("register", {})

    def unregister(self):
        return self.control("unregister", {})

    def registration(self):
        return self.state()["registration"]

    def fan_out(self, method, path, body=None, note="", timeout=DEADLINE):
        options = {"method": method, "url": path, "headers": {"x-note": note}}
        if body is not None:
            options["data"] = body
        return self.control("fan_out", options, timeout=timeout)

    def servers(self):
        """serverId -> clusterBaseUrl, as this node knows them."""
        cluster = self.state()["itResource"] or {"servers": []}
        return {server["serverId"]: server["clusterBaseUrl"]
                for server in cluster["servers"]}


class PlainService(NodeProgram):
    """What clusterd registers in these tests."""

    def __init__(self, output, server_id, env):
        self.id = server_id
        super().__init__(output, f"plain-{server_id}", "plain_service.js", env)


class Clusterd(Program):
    programs = {}  # "clusterd" and "clusterctl" -> path; set by main

    def __init__(self, output, name, env, *flags):
        ports = Path(output, f"{name}.ports")
        super().__init__(
            output, name,
            [self.programs["clusterd"], "--registry=mit",
             "--grpc_address=127.0.0.1:0", "--http_address=127.0.0.1:0",
             f"--port_file={ports}", "--log_level=debug", *flags], env)
        self.output = output
        wait_until("clusterd serves", lambda: self._has_started(ports))
        self.address, self.http_address = (
            line.split("=", 1)[1] for line in ports.read_text().splitlines())

    def _has_started(self, ports):
        self.check_alive()
        return ports.exists()

    def ctl(self, *arguments):
        """What clusterctl answers with."""
        return json.loads(self.print(*arguments, "--json"))

    def print(self, *arguments):
        """What clusterctl prints. Raises CtlError where it fails, which calls
        that some servers did not answer well don't."""
        done = subprocess.run(
            [self.programs["clusterctl"], *arguments,
             f"--address={self.address}", "--timeout=30s"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
            timeout=DEADLINE, text=True)
        with open(Path(self.output, "clusterctl.log"), "a",
                  encoding="utf-8") as log:
            log.write(done.stderr)
        if done.returncode in (1, 2):
            raise CtlError(f"clusterctl {arguments}: {done.stderr}")
        return done.stdout


class CtlError(AssertionError):
    """clusterctl has failed."""
