"""What an operator is told: by the command line, by the log, by the metrics."""
import re
import subprocess
import sys
from pathlib import Path

from programs import DEADLINE, Program, exchange, wait_until
from rpc import TYPE
from scene import FaultTest

SERVICE = Path(__file__).with_name("service.py")


class OperatorTest(FaultTest):
    def service(self, server_id):
        """A service that is kept alive here, and its process."""
        service = Program(self.directory, server_id, [
            sys.executable, SERVICE, self.clusterd.address, server_id, "30"], {})
        self.addCleanup(service.stop)
        wait_until(f"{server_id} is registered",
                   lambda: server_id in self.client().servers())
        return service

    def ctl(self, *arguments):
        """(exit code, output, errors) of a clusterctl that may fail."""
        done = subprocess.run(
            [self.clusterd.programs["clusterctl"], *arguments,
             f"--address={self.clusterd.address}"], check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
        return done.returncode, done.stdout, done.stderr

    def evict(self, server_id):
        etag = self.client().servers()[server_id].etag
        return self.ctl("evict", TYPE, server_id, f"--etag={etag}")

    def metric(self, series):
        text = exchange("GET", f"http://{self.clusterd.http_address}/metrics")[2]
        value = re.search(f"^{re.escape(series)} (.*)$", text.decode(), re.M)
        return float(value[1]) if value else None

    def logged(self, message):
        """The only line with this message, once it is there."""
        def lines():
            return [line for line in self.clusterd.log.read_text().splitlines()
                    if f" info {message} " in line]
        wait_until(f"{message} is logged", lines, deadline=10)
        self.assertEqual(len(lines()), 1)
        return lines()[0]

    def test_an_eviction_of_a_live_server_says_that_it_is_back(self):
        self.start()
        self.service("alive")
        code, out, errors = self.evict("alive")
        self.assertIn("alive", self.client().servers())
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(errors, f"^clusterctl: {TYPE}/alive was evicted; it is "
                         "registered here .* and came back; to keep it out, drain")
        self.assertEqual(
            self.metric('clusterd_evictions_total{cause="manual"}'), 1)

    def test_an_eviction_of_a_dead_server_says_that_it_is_gone(self):
        self.start()
        self.service("dead").kill()
        code, out, errors = self.evict("dead")
        self.assertEqual((code, errors), (0, ""))
        self.assertRegex(out, f"^{TYPE}/dead was evicted; it does not answer")
        self.assertNotIn("dead", self.client().servers())
        self.assertRegex(
            self.client().registrations()["dead"].message, "^evicted by hand, and")

    def test_the_log_says_who_asked(self):
        self.start()
        self.service("node")
        who = (r"peer=ipv4:127\.0\.0\.1:\d+ correlation_id=\S+ "
               r'user_agent="grpc-c\+\+')
        self.ctl("drain", TYPE, "node")
        self.assertRegex(self.logged("drain asked for"), who)
        self.ctl("undrain", TYPE, "node")
        self.assertRegex(self.logged("undrain asked for"), who)
        self.evict("node")
        self.assertRegex(self.logged("evicted by hand"), who)
        wait_until("it is back", lambda: "node" in self.client().servers())
        self.ctl("unregister", TYPE, "node")
        line = self.logged("unregister asked for")
        self.assertRegex(line, who)
        self.assertIn(" by=hand ", line)
