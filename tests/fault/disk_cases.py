"""Disks that are full or fail, and a data_dir that clusterd can't work with."""
import hashlib
import os
import sqlite3
import subprocess
from pathlib import Path

import grpc

from programs import Clusterd, wait_until
from rpc import Client, reason_of
from scene import FaultTest

HOUR = 3600  # s
NOBODY = "http://127.0.0.1:1"
LIBRARY = Path(__file__).with_name("failing_fsync.c")


class DiskTest(FaultTest):
    def mount(self, *options):
        self.data_dir.mkdir(mode=0o700)
        done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs",
                               self.data_dir], stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            self.skipTest(f"may not mount: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.data_dir], check=True)

    def register_until_refused(self, prefix, most=5000):
        """What was acknowledged, before the store refused."""
        client, held = self.client(), {}
        for number in range(most):
            server_id = f"{prefix}-{number}"
            try:
                held[server_id] = client.register(
                    server_id, NOBODY, ttl=HOUR, wait=False).session_id
            except grpc.RpcError as error:
                self.assertEqual(
                    (error.code(), reason_of(error)),
                    (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"))
                return held
        self.fail(f"the store took {most} registrations")

    def check_that_all_are_held(self, held, but_not=()):
        client = self.client()
        listed = set(client.registrations())
        self.assertEqual(set(held) - listed, set())
        self.assertEqual(listed & set(but_not), set())
        self.assertEqual(set(client.keep_alive(held.values()).values()), {""})

    def registers_again(self):
        try:
            return self.client().register("again", NOBODY, ttl=HOUR, wait=False)
        except grpc.RpcError:
            return None

    def test_full_disk_loses_nothing_and_heals(self):
        self.mount("-o", "size=2m")
        self.start_lasting()
        filler = self.data_dir / "filler"
        filler.write_bytes(bytes(1 << 20))
        held = self.register_until_refused("first")
        self.check_that_all_are_held(held, [f"first-{len(held)}"])
        filler.unlink()
        again = wait_until("there is room again", self.registers_again)
        held["again"] = again.session_id
        held.update(self.register_until_refused("second"))
        self.clusterd.kill()
        # What recovery needs to start.
        subprocess.run(["mount", "-o", "remount,size=8m", self.data_dir], check=True)
        self.start_lasting()
        self.check_that_all_are_held(held)
        self.note(f"{len(held)} registrations before and between two full disks, "
                  "all there after a kill")

    def test_disk_that_takes_nothing_loses_nothing_and_heals(self):
        self.need_program("cc")
        library, order = self.directory / "failing.so", self.directory / "fail"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, LIBRARY, "-ldl"],
                       check=True)
        env = {"LD_PRELOAD": str(library), "FAILING_FSYNC": str(order),
               "ASAN_OPTIONS": "verify_asan_link_order=0"}
        self.start_lasting(env=env)
        client = self.client()
        held = {f"first-{i}": client.register(f"first-{i}", NOBODY, ttl=HOUR)
                .session_id for i in range(50)}
        order.touch()
        self.assertEqual(self.register_until_refused("second"), {})
        self.check_that_all_are_held(held, ["second-0"])
        order.unlink()
        again = wait_until("the disk works again", self.registers_again)
        held["again"] = again.session_id
        self.clusterd.kill()
        self.start_lasting()
        self.check_that_all_are_held(held)


class BadDataDirTest(FaultTest):
    """It says what to do, exits with 1 and leaves the files alone."""

    def setUp(self):
        super().setUp()
        self.file = self.data_dir / "clusterd.db"
        self.start_lasting()
        with Client(self.clusterd.address) as client:
            for i in range(200):
                client.register(f"s-{i}", NOBODY, ttl=HOUR, wait=False)
        self.clusterd.stop()

    def check_refusal(self, *texts, command=()):
        before = self.contents()
        done = subprocess.run(
            [*command, Clusterd.programs["clusterd"], "--grpc_address=127.0.0.1:0",
             "--http_address=127.0.0.1:0", f"--data_dir={self.data_dir}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
            check=False)
        self.note(done.stdout.strip().rpartition("\n")[2])
        self.assertEqual(done.returncode, 1)
        for text in (f"clusterd: open {self.data_dir}", *texts):
            self.assertIn(text, done.stdout)
        self.assertEqual(self.contents(), before)

    def contents(self):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.data_dir.iterdir()}

    def test_held_by_another(self):
        self.start_lasting(name="another")
        self.check_refusal("locked by another process", "choose another data_dir")

    def test_no_permission(self):
        command = ()
        if os.geteuid() == 0:
            self.need_program("setpriv")
            command = ("setpriv", "--reuid=65534", "--clear-groups")
        for folder in (self.data_dir, self.directory, self.directory.parent):
            folder.chmod(0o755)
        self.file.chmod(0o444)
        self.data_dir.chmod(0o555)
        self.check_refusal("no permission to write", command=command)
        self.data_dir.chmod(0o755)

    def test_empty_file(self):
        self.file.write_bytes(b"")
        self.check_refusal("is empty", "restore it from a backup")

    def test_cut_file(self):
        whole = self.file.read_bytes()
        for size in (16, 5000, len(whole) // 2):
            with self.subTest(size=size):
                self.file.write_bytes(whole[:size])
                self.check_refusal("move")

    def test_corrupt_file(self):
        with open(self.file, "r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (self.file.stat().st_size - 4096))
        self.check_refusal("damaged", "restore it from a backup")

    def test_foreign_files(self):
        for name, make in (("text", lambda: self.file.write_text("hello\n" * 1000)),
                           ("database", self.make_foreign_database)):
            with self.subTest(name):
                self.file.unlink()
                make()
                self.check_refusal("not a database of clusterd",
                                   "choose another data_dir")

    def make_foreign_database(self):
        with sqlite3.connect(self.file) as db:
            db.execute("CREATE TABLE somebodys (thing TEXT)")
        db.close()

    def test_newer_schema(self):
        with sqlite3.connect(self.file) as db:
            db.execute("PRAGMA user_version = 1000000")
        db.close()
        self.check_refusal("written by a newer clusterd", "run that version")
