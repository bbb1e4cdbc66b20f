"""Real processes for tests: each one a program on free ports, its output kept in
a file, whatever is waited for bounded."""
import http.client
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

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

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def resident_bytes(self):
        """What it holds of the machine's memory."""
        return self._memory("VmRSS")

    def peak_bytes(self):
        """The most that it ever held of it."""
        return self._memory("VmHWM")

    def _memory(self, field):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0]) * 1024

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


class Clusterd(Program):
    programs = {}  # "clusterd" and "clusterctl" -> path; set by main

    def __init__(self, output, name, env, *flags, host="127.0.0.1", grpc_port=0,
                 http_port=0, wrapper=()):
        """`wrapper`: a command that becomes the one which it is given."""
        ports = Path(output, f"{name}.ports")
        ports.unlink(missing_ok=True)
        super().__init__(
            output, name,
            [*wrapper, self.programs["clusterd"],
             f"--grpc_address={host}:{grpc_port}",
             f"--http_address={host}:{http_port}", f"--port_file={ports}",
             "--log_level=debug", *flags], env)
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
