"""clusterd is stopped while everything that can wait for an answer waits."""
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import grpc

from programs import DEADLINE, Clusterd, exchange, wait_until
from rpc import TYPE, fan_out, reason_of, register_request, registry
from scene import FaultTest
from silence import Authority, Silent, listen

MARGIN = 2  # s, beyond the drain timeout
SLACK = 4  # s, of a busy machine
PATIENCE = 600  # s, of callers; they are answered long before, or never
# What gRPC says of calls that came when the listener no longer took any.
NOT_TAKEN = ("GOAWAY", "failed to connect", "Connection refused",
             "Failed to connect")


class Callers:
    """Calls that wait, each on a thread of its own."""

    def __init__(self, scene, authority, silent_url):
        self.client = scene.client()
        self.http = f"http://{scene.clusterd.http_address}"
        self.silent_url = silent_url
        self.over = threading.Event()
        self.calls = []  # (kind, thread)
        self.faults = []
        self.answers = []
        self.session = ""
        self.etag = ""
        self.kinds = [self.register, self.keep_alive, self.watch, self.drain,
                      self.fan_out, self.stream_fan_out, self.proxied,
                      self.unregister, self.evict, self.node_route]
        if authority is None:
            self.kinds.append(self.register_by_http)

    def prepare(self, authority):
        """Servers to be called, unregistered and evicted."""
        if authority is not None:
            authority.add({"serverId": "stranger", "location": None,
                           "clusterBaseUrl": self.silent_url,
                           "publicBaseUrl": ""})
        self.session = self.client.register(
            "kept", self.silent_url, ttl=3600).session_id
        self.client.register("leaver", self.silent_url, ttl=3600)
        request = register_request("plain", "", ttl=3600)
        request.local_base_url = self.silent_url
        self.client.registry.RegisterServer(request, timeout=DEADLINE)
        victim = "leaver" if authority is None else "stranger"
        self.etag = self.client.servers()[victim].etag
        self.victim = victim

    def start(self, call):
        thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self.calls.append((call.__name__, thread))
        thread.start()

    def wait_for_answers(self):
        """Which kinds were left without one."""
        self.over.set()
        end = time.monotonic() + DEADLINE
        for _, thread in self.calls:
            thread.join(max(0, end - time.monotonic()))
        return [kind for kind, thread in self.calls if thread.is_alive()]

    def _run(self, call):
        try:
            answer = call() or "OK"
        except grpc.RpcError as error:
            answer = reason_of(error)
            if not answer and not any(
                    text in error.details() for text in NOT_TAKEN):
                self.faults.append(
                    f"{call.__name__}: {error.code()} {error.details()}")
        except ConnectionRefusedError:
            answer = "refused"
        except (OSError, http.client.HTTPException) as error:
            answer = ""
            self.faults.append(f"{call.__name__}: {error!r}")
        self.answers.append((call.__name__, answer))

    def register(self):
        self.client.registry.RegisterServer(
            register_request("new", self.silent_url, ttl=3600), timeout=PATIENCE)

    def unregister(self):
        self.client.unregister("leaver", timeout=PATIENCE)

    def drain(self):
        self.client.registry.DrainServer(registry.DrainServerRequest(
            type=TYPE, server_id="kept"), timeout=PATIENCE)

    def evict(self):
        self.client.registry.EvictServer(registry.EvictServerRequest(
            type=TYPE, server_id=self.victim, etag=self.etag), timeout=PATIENCE)

    def keep_alive(self):
        def requests():
            yield registry.KeepAliveRequest(session_id=self.session)
            self.over.wait()
        for _ in self.client.registry.KeepAlive(requests()):
            pass

    def watch(self):
        for _ in self.client.watch():
            pass

    def fan_out(self):
        self.client.fan_out("/x", timeout=PATIENCE)

    def stream_fan_out(self):
        call = fan_out.FanOutRequest(
            type=TYPE, http=fan_out.HttpCall(method="GET", path="/x"))
        for _ in self.client.fan_outs.StreamFanOut(
                fan_out.StreamFanOutRequest(request=call), timeout=PATIENCE):
            pass

    def proxied(self):
        return exchange("GET", f"{self.http}/{TYPE}/plain/x", timeout=PATIENCE)[0]

    def node_route(self):
        return exchange(
            "DELETE", f"{self.http}/{TYPE}/kept/itResources/-/servers/-",
            timeout=PATIENCE)[0]

    def register_by_http(self):
        record = {"type": TYPE, "serverId": "by-http", "location": None,
                  "clusterBaseUrl": self.silent_url, "publicBaseUrl": ""}
        return exchange("POST", f"{self.http}/mIT/v1/itResources",
                        json.dumps(record).encode(), timeout=PATIENCE)[0]


class StopTest(FaultTest):
    def setUp(self):
        super().setUp()
        self.services = self.fleet()
        port = listen(self.services, Silent)
        self.silent_url = f"http://127.0.0.1:{port}"

    def seconds_until_ended(self, bound):
        """After the signal. The process is killed where it does not end."""
        start = time.monotonic()
        try:
            self.clusterd.process.wait(bound + SLACK)
        except subprocess.TimeoutExpired:
            self.clusterd.process.kill()
            raise AssertionError(f"clusterd has not ended within {bound} s") from None
        return time.monotonic() - start

    def test_everybody_is_answered(self):
        seed = int(os.environ.get("FAULT_SEED", random.randrange(1 << 32)))
        self.note(f"seed {seed}")
        chance = random.Random(seed)
        latest, calls = 0, 0
        for number in range(self.either(20, 200)):
            with self.subTest(number=number):
                late, count = self.stop_once(chance, number)
                latest, calls = max(latest, late), calls + count
        self.note(f"{calls} calls were answered, the slowest stop took "
                  f"{latest:.2f} s more than the drain timeout")

    def stop_once(self, chance, number):
        """By how much it ended after its drain timeout; how many calls it had."""
        drain = chance.choice((0, 0.2, 1))
        authority = chance.choice((None, Authority(self.services)))
        flags = [f"--drain_timeout={drain * 1000:.0f}ms", "--max_calls=2",
                 "--max_queue_time=10s"]
        if authority is None:
            flags.append("--serve_mit=on")
        if chance.random() < 0.5:
            flags.append(f"--data_dir={self.directory}/data-{number}")
        if chance.random() < 0.3:
            flags.append(
                f"--on_shutdown={chance.choice(('keep', 'unregister'))}")
        self.start(*flags, env=authority.env if authority else {})
        callers = Callers(self, authority, self.silent_url)
        callers.prepare(authority)
        if authority is not None:
            authority.silent = True
        for call in chance.choices(callers.kinds, k=chance.randint(1, 12)):
            callers.start(call)
        time.sleep(chance.choice((0, chance.uniform(0, 0.3))))
        self.clusterd.process.send_signal(signal.SIGTERM)
        took = self.seconds_until_ended(drain + MARGIN)
        self.assertEqual(callers.wait_for_answers(), [], flags)
        self.assertEqual(callers.faults, [], (flags, callers.answers))
        self.assertEqual(self.clusterd.process.returncode, 0)
        return took - drain, len(callers.calls)

    def test_a_second_signal_ends_it_at_once(self):
        self.start("--drain_timeout=1h")
        callers = Callers(self, None, self.silent_url)
        callers.prepare(None)
        callers.start(callers.fan_out)
        wait_until("the call is under way", lambda: b"calls_in_flight 1" in exchange(
            "GET", f"http://{self.clusterd.http_address}/metrics")[2])
        self.clusterd.process.send_signal(signal.SIGTERM)
        wait_until("it says that it stops", lambda: "a second signal stops at once"
                   in self.clusterd.log.read_text())
        self.clusterd.process.send_signal(signal.SIGTERM)
        self.seconds_until_ended(0)
        self.assertEqual(self.clusterd.process.returncode, 1)

    def test_a_stop_during_the_start(self):
        """Held up by a file that nobody writes, and at random moments."""
        fifo = self.directory / "ca.pem"
        os.mkfifo(fifo)
        for flags in (f"--ca_file={fifo}",), *[()] * self.either(10, 50):
            process = subprocess.Popen(
                [Clusterd.programs["clusterd"], "--grpc_address=127.0.0.1:0",
                 "--http_address=127.0.0.1:0", *flags],
                stderr=subprocess.DEVNULL)
            self.addCleanup(process.kill)
            wait_until("it takes signals", lambda: self.blocks_sigterm(process))
            if not flags:
                time.sleep(random.uniform(0, 0.1))
            process.send_signal(signal.SIGTERM)
            code = process.wait(MARGIN + SLACK)
            self.assertIn(code, (1,) if flags else (0, 1))

    @staticmethod
    def blocks_sigterm(process):
        status = Path(f"/proc/{process.pid}/status").read_text()
        blocked = int(status.split("SigBlk:")[1].split()[0], 16)
        return blocked >> (signal.SIGTERM - 1) & 1
