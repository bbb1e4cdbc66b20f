"""The cluster to test with where clusterd is mIT and mST."""
import contextlib
import json
import random
import socket
from pathlib import Path

from programs import Clusterd
from world import AUDIENCE, REQUEST_TIMEOUT, TYPE, World


def free_port():
    """One that nobody gets by asking for any free one: for a server that has to
    know its port before it starts."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ClusterdAuthority(Clusterd):
    """Has what the tests use of the stand-in, over a store in `output`, so that
    another one may follow it at the same address."""

    def __init__(self, output, env, *flags, http_port):
        base = f"http://127.0.0.1:{http_port}"
        self.facts = {"mitUrl": f"{base}/mIT/v1",
                      "issuer": f"{base}/mST/v1/oauth/token"}
        super().__init__(
            output, "authority",
            {**env, "MIT_AUDIENCE": "mIT", "OAUTH_ISSUER": self.facts["issuer"]},
            "--serve_mit=on", f"--data_dir={Path(output, 'data')}", *flags,
            http_port=http_port)

    def servers(self):
        """serverId -> record, over all clusters."""
        return {server["serverId"]: server
                for cluster in self.ctl("clusters")["clusters"]
                for server in self.ctl("servers", cluster["type"])["servers"]}


class ServedWorld(World):
    """`mit` is a clusterd, with which services can be registered, too."""

    def start_authority(self, leaseTime=2000, tokenLife=3600, flags=()):
        self.http_port = free_port()
        self.flags = (f"--lease={leaseTime}ms", f"--token_life={tokenLife}s",
                      f"--credentials_file={self._write_credentials()}", *flags)
        return self._serve()

    def restart_authority(self):
        """Dies without a word and comes back with what it has kept."""
        self.mit.kill()
        self.mit = self._keep(self._serve())

    def _serve(self):
        return ClusterdAuthority(
            self.directory, {"REQUEST_TIMEOUT": str(REQUEST_TIMEOUT),
                             "REGISTRATION_RETRY": "300"},
            *self.flags, http_port=self.http_port)

    def _write_credentials(self):
        file = Path(self.directory, "credentials.json")
        file.write_text(json.dumps({TYPE: {
            "client_id": self.account.client_id,
            "client_secret": self.account.client_secret,
            "generic_audience": AUDIENCE,
            "generic_key": self.account.generic_key}}), encoding="utf-8")
        return file
