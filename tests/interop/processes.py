"""The processes of the interoperability tests besides clusterd: each a program in
Node.js whose state is asked for over HTTP."""
import functools
import json
import socket
from pathlib import Path

from programs import DEADLINE, Program, http_json, wait_until

HERE = Path(__file__).resolve().parent


class NodeProgram(Program):
    """One of the *.js here, which tells its port on its first line. Who only
    makes it doesn't wait for that: several start at the same time."""

    def __init__(self, output, name, script, env):
        super().__init__(output, name, ["node", HERE / script], env)
        self.grave = None  # of one that was killed: holds its port, listens not

    def kill(self):
        port = self.facts["port"]
        super().kill()
        # Nobody else may be given the port, and be taken for this one.
        self.grave = socket.socket()
        self.grave.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.grave.bind(("127.0.0.1", port))

    def stop(self):
        super().stop()
        if self.grave is not None:
            self.grave.close()

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

    def admit(self, server_type, account):
        self.control("clients", {account.client_id: {
            "secret": account.client_secret, "type": server_type}})

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
