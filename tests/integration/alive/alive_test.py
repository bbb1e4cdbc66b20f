#!/usr/bin/env python3
"""Odd but living servers: alive_test.py CLUSTERD CLUSTERCTL [unittest's arguments].

Whatever curl can reach within the timeout stays in the cluster and is never called
unreachable. Each server of odd_rows.py and genuine.py is first reached by curl.
Then it is registered in each way that there is, and called and probed as often as
in two minutes with clusterd's defaults; the time between is made short.
"""
import collections
import concurrent.futures
import resource
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parents[1] / "support"),
             str(HERE.parents[1] / "fault")]
from genuine import GENUINE, Missing
from odd_rows import ROWS, TIMEOUT
from odd_server import OddServers
from programs import Clusterd, exchange, wait_until
from rpc import Client, fan_out, register_request, registry, resources

# Two minutes of calls and of probes, at one each 10 s.
TIMES = 12
PROBE_INTERVAL = "400ms"
TTL = 3600  # s; nobody has to keep a session alive meanwhile
# How a server is registered, which is also the path of its base URL: without a ttl,
# so that clusterd probes it; with one; with one behind clusterd's own listener.
WAYS = ("probed", "held", "proxied")


class Served:
    """A row whose server runs."""

    def __init__(self, row, url):
        self.row = row
        self.url = url


class AliveTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.faults = collections.defaultdict(set)  # name of a row -> what it met

    def test_whatever_curl_reaches_stays(self):
        self.make_certificate()
        served = self.start_servers()
        self.reach_by_curl(served)
        self.start_clusterd()
        self.register(served)
        seen = self.watch()
        for _ in range(TIMES):
            self.call(served)
        self.await_probes()
        self.check_members(served, seen)
        self.assertEqual(dict(self.faults), {})

    # --- The servers ---

    def make_certificate(self):
        self.certificate = self.directory / "certificate.pem"
        self.key = self.directory / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-days", "2", "-subj", "/CN=odd", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1", "-keyout",
             self.key, "-out", self.certificate],
            check=True, stderr=subprocess.DEVNULL)

    def start_servers(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            genuine = list(pool.map(self.start_genuine, GENUINE))
        served = self.start_odd() + [
            each for each in genuine if each is not None]
        names = [each.row.name for each in served]
        self.assertEqual(len(names), len(set(names)), "names are not unique")
        print(f"  {len(served)} servers", flush=True)
        return served

    def start_odd(self):
        self.odd = OddServers(self.certificate, self.key)
        self.addCleanup(self.odd.stop)
        return [Served(row, f"{'http' if row.tls is None else 'https'}://{row.host}"
                            f":{self.odd.ports[row.name]}") for row in ROWS]

    def start_genuine(self, row):
        try:
            program = row.start(self.directory)
        except Missing as why:
            print(f"  without {row.name}: {why}", flush=True)
            return None
        self.addCleanup(program.stop)
        return Served(row, f"http://127.0.0.1:{row.await_port(program)}")

    def reach_by_curl(self, served):
        """A row that curl can't reach says nothing, and so fails."""
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            unreached = {each.row.name: error for each, error in
                         zip(served, pool.map(self.error_of_curl, served)) if error}
        self.assertEqual(unreached, {}, "curl reaches them")

    def error_of_curl(self, served):
        """Of one that may try again: a busy machine makes the late ones too late."""
        for _ in range(5):
            done = subprocess.run(
                ["curl", "-q", "-sS", "--noproxy", "*", "--cacert", self.certificate,
                 "--max-time", str(TIMEOUT), "--output", "/dev/null",
                 f"{served.url}/probed/call"],
                check=False, stderr=subprocess.PIPE, text=True)
            if done.returncode == 0:
                return ""
        return f"{done.returncode} {done.stderr.strip()}"

    # --- What clusterd makes of them ---

    def start_clusterd(self):
        self.clusterd = Clusterd(
            self.directory, "clusterd", {}, f"--request-timeout={TIMEOUT}s",
            f"--probe-interval={PROBE_INTERVAL}", "--probe-pause=0ms",
            f"--ca-file={self.certificate}")
        self.addCleanup(self.clusterd.stop)
        self.client = Client(self.clusterd.address)
        self.addCleanup(self.client.close)

    def register(self, served):
        for each in served:
            for way in WAYS:
                url = f"{each.url}/{way}"
                request = register_request(
                    self.id_of(each, way), url, None if way == "probed" else TTL,
                    wait=False)
                if way == "proxied":
                    request.server.cluster_base_url = ""
                    request.local_base_url = url
                self.client.registry.RegisterServer(request, timeout=TIMEOUT)
        everybody = len(served) * len(WAYS)
        try:
            wait_until("all are members",
                       lambda: len(self.client.servers()) == everybody,
                       deadline=5 * TIMEOUT)
        except AssertionError:
            self.note_missing(served, "never became a member")

    @staticmethod
    def id_of(each, way):
        letters = "".join(c if c.isalnum() and c.isascii() else "-"
                          for c in each.row.name)
        return f"{letters}.{way}"

    def note_missing(self, served, what):
        servers = self.client.servers()
        for each in served:
            for way in WAYS:
                server = servers.get(self.id_of(each, way))
                if server is None:
                    self.faults[each.row.name].add(f"{way}: {what}")
                elif server.state != resources.SERVER_STATE_ACTIVE:
                    state = resources.ServerState.Name(server.state)
                    self.faults[each.row.name].add(f"{way}: {state}")

    def watch(self):
        """What changes from now on."""
        seen, ready = [], threading.Event()

        def follow():
            try:
                for event in self.client.watch():
                    if event.snapshot.last:
                        ready.set()
                    if event.HasField("change"):
                        seen.append(event.change)
            except Exception:  # the client is closed
                pass
        threading.Thread(target=follow, daemon=True).start()
        self.assertTrue(ready.wait(TIMEOUT))
        return seen

    def call(self, served):
        answer = self.client.fan_out("/call")
        results = {each.server_id for each in answer.results}
        failures = {each.server_id: each for each in answer.failures}
        for each in served:
            for way in WAYS:
                server_id = self.id_of(each, way)
                if server_id in results:
                    met, message = "", "has a result"
                elif server_id in failures:
                    met, message = self.reason_of(failures[server_id])
                else:
                    met, message = "nothing", "was not called"
                if met != self.expected_of(each.row, way):
                    self.faults[each.row.name].add(f"{way}: {met} {message}")

    @staticmethod
    def reason_of(failure):
        reason = fan_out.FailureReason.Name(failure.reason)
        return reason.removeprefix("FAILURE_REASON_"), failure.message

    @staticmethod
    def expected_of(row, way):
        # The listener tells by a 502 that an answer broke off.
        if way == "proxied" and row.fails == "CONNECTION_LOST":
            return "HTTP_STATUS"
        return row.fails

    def await_probes(self):
        """Those that can't count are probed as often as the others."""
        def waiting():
            return {name: asked.get("/probed", 0)
                    for name, asked in self.odd.requests().items()
                    if asked.get("/probed", 0) < TIMES}
        try:
            wait_until("all were probed", lambda: not waiting(),
                       deadline=3 * TIMES * TIMEOUT)
        except AssertionError:
            for name, probes in waiting().items():
                self.faults[name].add(f"only {probes} probes")

    def check_members(self, served, seen):
        self.note_missing(served, "is gone")
        names = {self.id_of(each, way): each.row.name
                 for each in served for way in WAYS}
        for change in seen:
            kind = registry.ChangeType.Name(change.type)
            state = resources.ServerState.Name(change.server.state)
            if kind != "CHANGE_TYPE_JOINED" or state != "SERVER_STATE_ACTIVE":
                self.faults[names[change.server.server_id]].add(f"{kind} {state}")
        for server_id, each in self.client.registrations().items():
            if each.state != resources.REGISTRATION_STATE_REGISTERED:
                state = resources.RegistrationState.Name(each.state)
                self.faults[names[server_id]].add(f"{state} {each.message}")
        self.check_metrics()

    def check_metrics(self):
        _, _, text = exchange("GET", f"http://{self.clusterd.http_address}/metrics")
        for line in text.decode().splitlines():
            if line.startswith(("clusterd_suspicions_total", "clusterd_evictions")):
                name, _, value = line.rpartition(" ")
                if float(value):
                    self.faults["metrics"].add(f"{name} is {value}")


def main():
    Clusterd.programs = dict(zip(("clusterd", "clusterctl"), sys.argv[1:3]))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == "__main__":
    main()
