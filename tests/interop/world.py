"""One cluster to test with: the stand-in authority, genuine nodes, and services
that clusterd registers, all of one type."""
import json
import re
import secrets
import tempfile
import unittest
from pathlib import Path

from processes import GenuineNode, PlainService, StandIn
from programs import DEADLINE, Clusterd, CtlError, http_json, wait_until

BASE_PATH = "/echo/v1"
PUBLIC_DOMAIN = "echo.example.test"
PUBLIC_URL = f"http://{PUBLIC_DOMAIN}{BASE_PATH}"
TYPE = "echo"
REQUEST_TIMEOUT = 1500  # ms
HOUR = 3_600_000  # ms
AUDIENCE = "https://echo.example.test/audience"


class Account:
    """What services of the type prove themselves by. Every instance has values
    of its own, so that a leak is found whoever it comes from."""
    issued = []

    def __init__(self, client_id="echo-client"):
        self.client_id = client_id
        self.client_secret = f"secret-{secrets.token_hex(16)}"
        self.generic_key = f"key-{secrets.token_hex(16)}"
        self.previous_key = f"old-key-{secrets.token_hex(16)}"
        self.mit_key = f"mit-key-{secrets.token_hex(16)}"
        self.issued += [self.client_secret, self.generic_key,
                        self.previous_key, self.mit_key]

    def env(self, stand_in):
        return {
            "MIT_URL": stand_in.facts["mitUrl"], "MIT_AUDIENCE": "mIT",
            "OAUTH_ISSUER": stand_in.facts["issuer"],
            "OAUTH_CLIENT_ID": self.client_id,
            "OAUTH_CLIENT_SECRET": self.client_secret,
            "OAUTH_CLIENT_AUDIENCE": AUDIENCE,
            "OAUTH_CLIENT_ACCESS_KEY": self.generic_key,
            "OAUTH_GENERIC_AUDIENCE": AUDIENCE,
            "OAUTH_GENERIC_KEY": self.generic_key,
            "OAUTH_GENERIC_PREVIOUS_KEY": self.previous_key,
        }


class World:
    output = None  # directory of all output, set by main

    def __init__(self, **settings):
        self.directory = tempfile.mkdtemp(dir=self.output)
        self.programs = []
        self.account = Account()
        self.nodes = []  # genuine ones
        self.clusterds = []
        self.mit = self._keep(self.start_authority(**settings))

    def start_authority(self, **settings):
        """The stand-in, with these of its settings."""
        mit = StandIn(self.directory)
        mit.admit(TYPE, self.account)
        mit.settings(audiences={"mIT": self.account.mit_key,
                                AUDIENCE: self.account.generic_key}, **settings)
        return mit

    def _keep(self, program):
        self.programs.append(program)
        return program

    def stop(self):
        for program in reversed(self.programs):
            program.stop()

    def env(self, **more):
        return {**self.account.env(self.mit),
                "CLUSTER_MANAGEMENT": "on",
                "REQUEST_TIMEOUT": str(REQUEST_TIMEOUT),
                "REGISTRATION_RETRY": "300", **more}

    def service_env(self, server_id, **more):
        return self.env(**{"SERVER_TYPE": TYPE, "SERVER_ID": server_id,
                           "SERVER_BASE_PATH": BASE_PATH,
                           "SERVER_PUBLIC_PROTOCOL": "http",
                           "SERVER_PUBLIC_DOMAIN_NAME": PUBLIC_DOMAIN,
                           "LOG_MODE": "none", "CONSOLE_LEVEL": "error",
                           "NO_STACK": "yes", **more})

    def genuine(self, server_id, **more):
        node = self._keep(GenuineNode(self.directory, server_id,
                                      self.service_env(server_id, **more)))
        self.nodes.append(node)
        return node

    def registered_genuine(self, *server_ids):
        nodes = [self.genuine(server_id) for server_id in server_ids]
        for node in nodes:
            node.register()
        for node in nodes:
            wait_until(f"{node.id} is registered",
                       lambda node=node: node.registration() == "registered")
        return nodes

    def clusterd(self, *flags, without=(), **more):
        """`without`: what the names of settings begin with that it doesn't get."""
        env = {name: value for name, value in self.env(**more).items()
               if not name.startswith(tuple(without))}
        clusterd = self._keep(Clusterd(
            self.directory, f"clusterd-{len(self.programs)}", env,
            "--registry=mit", *flags))
        self.clusterds.append(clusterd)
        return clusterd

    def service(self, server_id):
        return self._keep(PlainService(self.directory, server_id,
                                       self.service_env(server_id)))

    def register(self, clusterd, service, *options, server_type=TYPE):
        """Has clusterd register a service; returns the registration."""
        hand_on(service, clusterd, server_type)
        return clusterd.ctl(
            "register", server_type, f"--id={service.id}", f"--url={service.url}",
            f"--public-url={PUBLIC_URL}", "--node-api", *options)["registration"]

    def token(self, **members):
        """A token of the type's own client, asked for with these members."""
        status, answer = http_json("POST", self.mit.facts["issuer"], {
            "client_id": self.account.client_id,
            "client_secret": self.account.client_secret,
            "audience": AUDIENCE, "grant_type": "client_credentials", **members})
        if status != 200:
            raise AssertionError(f"the token service said {status}")
        return answer["data"]["access_token"]

    def forget(self, *programs):
        """They are gone, or no longer part of the cluster."""
        self.nodes = [node for node in self.nodes if node not in programs]
        self.clusterds = [each for each in self.clusterds
                          if each not in programs]

    def lists(self):
        """What each one believes: name -> {serverId: clusterBaseUrl}."""
        return {"mIT": {server_id: server["clusterBaseUrl"] for
                        server_id, server in self.mit.servers().items()},
                **{node.id: node.servers() for node in self.nodes},
                **{clusterd.name: servers_of(clusterd)
                   for clusterd in self.clusterds}}

    def wait_for_rest(self, *services, deadline=DEADLINE):
        """Until everyone knows exactly these, where they are now."""
        wanted = {service.id: service.url for service in services}
        lists = {}

        def at_rest():
            lists.update(self.lists())
            return all(known == wanted for known in lists.values())

        try:
            wait_until(f"all know {sorted(wanted)}", at_rest, deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}; {json.dumps(lists)}") from None


def hand_on(service, clusterd, server_type=TYPE):
    """Where the service finds its node routes."""
    service.control("clusterd", {
        "url": f"http://{clusterd.http_address}/{server_type}/{service.id}"})


def servers_of(clusterd, server_type=TYPE):
    """serverId -> clusterBaseUrl, as clusterd knows them."""
    try:
        servers = clusterd.ctl("servers", server_type)["servers"]
    except CtlError:
        return {}
    return {server["serverId"]: server["clusterBaseUrl"] for server in servers}


def registration(clusterd, server_id):
    return {each["server"]["serverId"]: each for each in
            clusterd.ctl("status")["registrations"]}[server_id]


def call(clusterd, method, path, *options, server_type=TYPE):
    return clusterd.ctl("call", *options, server_type, method, path)


class WorldTest(unittest.TestCase):
    maxDiff = None
    full = False  # the long forms; set by main
    world_class = World

    def make_world(self, **settings):
        world = self.world_class(**settings)
        self.addCleanup(world.stop)
        return world


TOKEN = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}")
BODY_MARK = "body-that-nobody-logs"


def leaks(output):
    """(file, what) of everything in the output that is nobody's business."""
    found = []
    for log in sorted(Path(output).rglob("*.log")):
        text = log.read_text(errors="replace")
        if any(secret in text for secret in Account.issued):
            found.append((log.name, "secret"))
        if TOKEN.search(text):
            found.append((log.name, "token"))
        if BODY_MARK in text:
            found.append((log.name, "body"))
    return found


