"""A copy of the store that is made while clusterd runs."""
import sqlite3
import threading

import grpc

from rpc import Client
from scene import FaultTest

HOUR = 3600  # s
NOBODY = "http://127.0.0.1:1"


class BackupTest(FaultTest):
    def register_until(self, stop, errors):
        with Client(self.clusterd.address) as client:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    client.register(f"later-{number}", NOBODY, ttl=HOUR)
                except grpc.RpcError as error:
                    errors.append(error)
                    return

    def test_a_clusterd_serves_from_it(self):
        self.start_lasting()
        client = self.client()
        held = {f"s-{i}": client.register(f"s-{i}", NOBODY, ttl=HOUR).session_id
                for i in range(self.either(300, 5000))}
        cluster_id = client.cluster().id
        with self.assertRaisesRegex(sqlite3.OperationalError, "locked"):
            sqlite3.connect(self.data_dir / "clusterd.db").execute(
                "SELECT * FROM registrations")

        stop, errors = threading.Event(), []
        busy = threading.Thread(target=self.register_until, args=(stop, errors))
        busy.start()
        copy = self.directory / "copy.db"
        for _ in range(3):
            self.note(self.clusterd.print("backup", str(copy)).strip())
        stop.set()
        busy.join()
        self.assertEqual(errors, [])
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        self.assertEqual([file.name for file in self.directory.iterdir()
                          if file.suffix == ".part"], [])
        later = set(client.registrations()) - set(held)
        self.clusterd.kill()

        with sqlite3.connect(copy) as db:
            stored = {row[0] for row in db.execute(
                "SELECT server_id FROM registrations")}
        db.close()
        self.assertLessEqual(set(held), stored)
        self.assertLessEqual(stored - set(held), later)

        self.data_dir.rename(self.directory / "lost")
        self.data_dir.mkdir(mode=0o700)
        copy.rename(self.data_dir / "clusterd.db")
        self.start_lasting()
        client = self.client()
        self.assertEqual(set(client.registrations()), stored)
        self.assertEqual(set(client.servers()), stored)
        self.assertEqual(client.cluster().id, cluster_id)
        self.assertEqual(set(client.keep_alive(held.values()).values()), {""})

    def test_without_a_data_dir_there_is_none(self):
        self.start()
        with self.assertRaisesRegex(AssertionError, "it is in memory"):
            self.clusterd.print("backup", str(self.directory / "copy.db"))
        self.assertFalse((self.directory / "copy.db").exists())
