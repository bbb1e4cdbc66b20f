"""clusterd's gRPC API for the fault tests; the stubs are made at import."""
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc
from google.protobuf.duration_pb2 import Duration

from programs import DEADLINE


def _make_stubs():
    directory = tempfile.TemporaryDirectory()
    protos = Path(__file__).resolve().parents[2] / "proto"
    plugin = subprocess.run(["which", "grpc_python_plugin"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout.strip()
    subprocess.run(
        ["protoc", f"-I{protos}", f"--python_out={directory.name}",
         f"--grpc_out={directory.name}", f"--plugin=protoc-gen-grpc={plugin}",
         *protos.rglob("*.proto")], check=True)
    sys.path.append(directory.name)
    return directory


_stubs = _make_stubs()
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from mimik.cluster.v1 import fan_out_service_pb2 as fan_out
from mimik.cluster.v1 import fan_out_service_pb2_grpc as fan_out_grpc
from mimik.cluster.v1 import registry_service_pb2 as registry
from mimik.cluster.v1 import registry_service_pb2_grpc as registry_grpc
from mimik.cluster.v1 import resources_pb2 as resources

TYPE = "echo"
PAGE = 1000


def reason_of(error):
    """What clusterd says by ErrorInfo; "" where gRPC itself made the error."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                if detail.Unpack(info):
                    return info.reason
    return ""


class Client:
    """One connection to a clusterd, to be closed."""

    def __init__(self, address):
        # Of its own: channels to one address would share a connection.
        self.channel = grpc.insecure_channel(address, options=[
            ("grpc.use_local_subchannel_pool", 1)])
        self.registry = registry_grpc.RegistryServiceStub(self.channel)
        self.fan_outs = fan_out_grpc.FanOutServiceStub(self.channel)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.channel.close()

    def register(self, server_id, url, ttl=None, wait=True, session_id="",
                 timeout=DEADLINE):
        """The registration. Without a ttl clusterd probes `url`."""
        return self.registry.RegisterServer(
            register_request(server_id, url, ttl, wait, session_id),
            timeout=timeout).registration

    def unregister(self, server_id, timeout=DEADLINE):
        return self.registry.UnregisterServer(registry.UnregisterServerRequest(
            type=TYPE, server_id=server_id), timeout=timeout)

    def keep_alive(self, session_ids):
        """session_id -> "", or the reason why it is over."""
        requests = [registry.KeepAliveRequest(session_id=session_id)
                    for session_id in session_ids]
        return {answer.session_id: answer.error.reason for answer in
                self.registry.KeepAlive(iter(requests), timeout=DEADLINE)}

    def registrations(self):
        """server_id -> registration that this clusterd holds."""
        return {each.server.server_id: each for each in self._pages(
            lambda token: self.registry.ListRegistrations(
                registry.ListRegistrationsRequest(
                    type=TYPE, page_size=PAGE, page_token=token),
                timeout=DEADLINE), "registrations")}

    def cluster(self):
        return self.registry.GetCluster(registry.GetClusterRequest(type=TYPE),
                                        timeout=DEADLINE).cluster

    def servers(self):
        """server_id -> server of the cluster; {} where there is none."""
        try:
            return {each.server_id: each for each in self._pages(
                lambda token: self.registry.ListServers(
                    registry.ListServersRequest(
                        type=TYPE, page_size=PAGE, page_token=token),
                    timeout=DEADLINE), "servers")}
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return {}
            raise

    @staticmethod
    def _pages(ask, what):
        token = ""
        while True:
            page = ask(token)
            yield from getattr(page, what)
            token = page.next_page_token
            if not token:
                return

    def fan_out(self, path="/", timeout=DEADLINE):
        return self.fan_outs.FanOut(fan_out.FanOutRequest(
            type=TYPE, http=fan_out.HttpCall(method="GET", path=path)),
            timeout=timeout)

    def watch(self, resume_token=""):
        """The stream of events."""
        return self.registry.WatchCluster(registry.WatchClusterRequest(
            type=TYPE, resume_token=resume_token))


def register_request(server_id, url, ttl=None, wait=True, session_id=""):
    request = registry.RegisterServerRequest(
        server=resources.Server(type=TYPE, server_id=server_id,
                                cluster_base_url=url),
        wait=wait, session_id=session_id)
    if ttl is not None:
        request.ttl.CopyFrom(Duration(
            seconds=int(ttl), nanos=round(ttl % 1 * 1_000_000_000)))
    return request


class Keeper:
    """Speaks for sessions, each third of their ttl, over one stream at a time;
    `address()` tells where."""

    def __init__(self, address, ttl):
        self.address = address
        self.interval = ttl / 3
        self.sessions = {}  # session_id -> server_id
        self.lost = {}  # server_id -> the reason why its session is over
        self.rounds = 0  # in which all were spoken for
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def add(self, registration):
        with self.lock:
            self.sessions[registration.session_id] = registration.server.server_id

    def let_die(self, server_ids):
        """From now on nobody speaks for these."""
        with self.lock:
            self.sessions = {session_id: server_id for session_id, server_id
                             in self.sessions.items()
                             if server_id not in server_ids}

    def close(self):
        self.closing.set()
        self.thread.join(DEADLINE)

    def _run(self):
        while not self.closing.is_set():
            try:
                with Client(self.address()) as client:
                    stream = client.registry.KeepAlive(self._requests())
                    threading.Thread(target=self._cancel_at_the_end,
                                     args=(stream,), daemon=True).start()
                    for answer in stream:
                        self._take(answer)
            except grpc.RpcError:
                self.closing.wait(0.2)

    def _requests(self):
        next_round = time.monotonic()
        while True:
            with self.lock:
                session_ids = list(self.sessions)
            for session_id in session_ids:
                yield registry.KeepAliveRequest(session_id=session_id)
            self.rounds += 1
            next_round += self.interval
            if self.closing.wait(max(0, next_round - time.monotonic())):
                return

    def _cancel_at_the_end(self, stream):
        self.closing.wait()
        stream.cancel()

    def _take(self, answer):
        if not answer.HasField("error"):
            return
        with self.lock:
            server_id = self.sessions.pop(answer.session_id, None)
            if server_id is not None:
                self.lost[server_id] = answer.error.reason
