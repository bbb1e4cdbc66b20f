"""What every scenario has: a clusterd, clients, services, and an end."""
import shutil
import tempfile
import unittest
from pathlib import Path

from fleet import Fleet
from programs import Clusterd
from rpc import Client, Keeper


class FaultTest(unittest.TestCase):
    # Set by main.
    output = None
    full = False
    maxDiff = None

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(dir=self.output))
        self.data_dir = self.directory / "data"
        self.clusterd = None  # the one that was started last

    def either(self, short, full):
        return full if self.full else short

    def note(self, text):
        """What was seen, for whoever reads the log."""
        print(f"  {self.id().rsplit('.', 1)[1]}: {text}", flush=True)

    def start(self, *flags, name="clusterd", env=None, **options):
        self.clusterd = Clusterd(self.directory, name, env or {}, *flags, **options)
        self.addCleanup(self.clusterd.stop)
        return self.clusterd

    def start_lasting(self, *flags, **options):
        """With a data_dir that the next one finds."""
        return self.start(f"--data_dir={self.data_dir}", *flags, **options)

    def client(self, clusterd=None):
        client = Client((clusterd or self.clusterd).address)
        self.addCleanup(client.close)
        return client

    def fleet(self):
        fleet = Fleet()
        self.addCleanup(fleet.close)
        return fleet

    def keeper(self, ttl):
        """Speaks to whichever clusterd runs."""
        keeper = Keeper(lambda: self.clusterd.address, ttl)
        self.addCleanup(keeper.close)
        return keeper

    def need_program(self, *names):
        for name in names:
            if shutil.which(name) is None:
                self.skipTest(f"needs {name}, which is not installed")
