#!/usr/bin/env python3
"""A service that is one of a cluster; ../README.md tells what it shows."""
import json
import os
import random
import signal
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
from google.protobuf.duration_pb2 import Duration

sys.path.append(str(Path(__file__).parent / "stubs"))
from mimik.cluster.v1 import fan_out_service_pb2 as fan_out
from mimik.cluster.v1 import fan_out_service_pb2_grpc as fan_out_grpc
from mimik.cluster.v1 import registry_service_pb2 as registry
from mimik.cluster.v1 import registry_service_pb2_grpc as registry_grpc
from mimik.cluster.v1 import resources_pb2 as resources

TYPE = "hello"
TTL = 10  # seconds
CALL_TIMEOUT = 5
SHORTEST_WAIT, LONGEST_WAIT = 0.5, 15
# What gRPC does by itself is made for servers that stay where they are.
CHANNEL_OPTIONS = [
    # Gives up an attempt to connect that is not answered after 2 s, not 20.
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1600),
    # Looks up a name again after 1 s, not 30.
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    # Notices a connection that leads nowhere any more.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5000),
    ("grpc.http2.max_pings_without_data", 0),
]
CLUSTERD = os.environ.get("CLUSTERD_ADDRESS", "127.0.0.1:7700")
SERVER_ID = os.environ.get("SERVER_ID") or str(uuid.uuid4())


class SessionOver(Exception):
    """Its first argument is clusterd's reason."""


class Session:
    """Keeps a server registered until close()."""

    def __init__(self, stub, server):
        self.stub = stub
        self.server = server
        self.session_id = ""
        self.closing = threading.Event()
        self.stream = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        wait, at_once = SHORTEST_WAIT, True
        while not self.closing.is_set():
            try:
                self.register()
                for _ in self.keep_alive():
                    wait, at_once = SHORTEST_WAIT, True
            except (SessionOver, grpc.RpcError) as error:
                if self.closing.is_set():
                    return
                reason = reason_of(error)
                print(f"clusterd: {reason}", flush=True)
                if reason == "SESSION_SUPERSEDED":
                    self.session_id = ""
                    return  # registering again would start a fight
                if reason == "LEASE_EXPIRED":
                    self.session_id = ""
                    if at_once:  # clusterd has just answered
                        wait, at_once = SHORTEST_WAIT, False
                        self.closing.wait(random.uniform(0, 0.25))
                        continue
            self.closing.wait(random.uniform(wait / 2, wait))
            wait = min(2 * wait, LONGEST_WAIT)

    def register(self):
        request = registry.RegisterServerRequest(
            server=self.server, ttl=Duration(seconds=TTL),
            session_id=self.session_id)
        answer = self.stub.RegisterServer(request, timeout=CALL_TIMEOUT)
        self.session_id = answer.registration.session_id

    def keep_alive(self):
        answered = threading.Event()
        answered.set()

        def pulses():
            while not self.closing.is_set():
                if not answered.is_set():
                    self.stream.cancel()  # clusterd is silent
                    return
                answered.clear()
                yield registry.KeepAliveRequest(session_id=self.session_id)
                self.closing.wait(TTL / 3 * random.uniform(0.9, 1.1))

        self.stream = self.stub.KeepAlive(pulses())
        try:
            for answer in self.stream:
                answered.set()
                if answer.HasField("error"):
                    raise SessionOver(answer.error.reason)
                yield answer
        finally:
            self.stream.cancel()

    def close(self):
        self.closing.set()
        if self.stream:
            self.stream.cancel()
        self.thread.join()
        if self.session_id:
            self.stub.UnregisterServer(registry.UnregisterServerRequest(
                type=self.server.type, server_id=self.server.server_id,
                session_id=self.session_id), timeout=CALL_TIMEOUT)


def reason_of(error):
    """Why a session, or an attempt to get it back, has failed."""
    if isinstance(error, SessionOver):
        superseded = error.args[0] == "SESSION_SUPERSEDED"
        return error.args[0] if superseded else "LEASE_EXPIRED"
    # Of RegisterServer with a session_id.
    return {grpc.StatusCode.NOT_FOUND: "LEASE_EXPIRED",
            grpc.StatusCode.FAILED_PRECONDITION: "SESSION_SUPERSEDED",
            }.get(error.code(), error.details())


class Service(BaseHTTPRequestHandler):
    fan_out_stub = None

    def do_GET(self):
        me = {"serverId": SERVER_ID}
        if self.path == "/hello":
            self.answer(200, {"data": [f"hello from {SERVER_ID}"], "server": me})
        elif self.path == "/everyone":
            self.everyone()
        else:
            self.answer(404, {"statusCode": 404, "server": me})

    def everyone(self):
        request = fan_out.FanOutRequest(
            type=TYPE, http=fan_out.HttpCall(method="GET", path="/hello"))
        try:
            answer = self.fan_out_stub.FanOut(request, timeout=CALL_TIMEOUT)
        except grpc.RpcError as error:
            self.answer(502, {"statusCode": 502, "message": error.details()})
            return
        self.answer(200, {
            "verdict": fan_out.Verdict.Name(answer.verdict),
            "data": json.loads(answer.data_json),
            "failed": [failure.server_id for failure in answer.failures]})

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


def main():
    channel = grpc.insecure_channel(CLUSTERD, CHANNEL_OPTIONS)
    Service.fan_out_stub = fan_out_grpc.FanOutServiceStub(channel)
    http = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 0))),
                               Service)
    url = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, daemon=True).start()
    session = Session(
        registry_grpc.RegistryServiceStub(channel),
        resources.Server(type=TYPE, server_id=SERVER_ID, cluster_base_url=url))
    print(f"{SERVER_ID} serves at {url}", flush=True)

    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    session.close()
    http.shutdown()


if __name__ == "__main__":
    # Blocked before any thread starts, so that main() is told.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
