"""What a newly started clusterd says first, where its surroundings are odd."""
from programs import wait_until
from rpc import TYPE, resources
from scene import FaultTest


class StartTest(FaultTest):
    def start_and_read(self, *flags, env=None, wrapper=()):
        """(level, rest) of each line that is logged until it serves."""
        clusterd = self.start(*flags, env=env, wrapper=wrapper)
        wait_until("clusterd says that it serves",
                   lambda: " serving " in clusterd.log.read_text())
        lines = [line.split(" ", 2)[1:]
                 for line in clusterd.log.read_text().splitlines()]
        return [(level, text) for level, text in lines if level != "debug"]

    def test_few_files_lower_the_defaults_and_are_no_warning(self):
        for files, connections, node_calls in ((1024, 69, 279),
                                               (20_000, 1725, 6900)):
            with self.subTest(files=files):
                (level, text), = self.start_and_read(
                    wrapper=("prlimit", f"--nofile={files}:{files}"))
                self.assertEqual(level, "info", text)
                self.assertIn(f"max_files={files} "
                              f"max_http_connections={connections} "
                              f"max_node_calls={node_calls}", text)

    def test_fewer_files_than_were_asked_for_are_a_warning(self):
        lines = self.start_and_read("--max-node-calls=16384",
                                    wrapper=("prlimit", "--nofile=1024:1024"))
        self.assertEqual([level for level, _ in lines], ["warning", "info"])
        self.assertRegex(lines[0][1], "^open files are limited to 1024, the "
                                      "settings may use [0-9]+: raise")

    def test_a_kubernetes_service_called_server_is_told_in_one_line(self):
        lines = self.start_and_read(env={
            "SERVER_TYPE": "orders",
            "SERVER_SERVICE_HOST": "10.43.0.17",
            "SERVER_SERVICE_PORT": "8080",
            "SERVER_PORT": "tcp://10.43.0.17:8080",
            "SERVER_PORT_8080_TCP": "tcp://10.43.0.17:8080"})
        self.assertEqual([level for level, _ in lines], ["info", "info"])
        self.assertEqual(
            lines[0][1], "ignoring a variable by which Kubernetes tells of a "
            "service variable=SERVER_PORT value=tcp://10.43.0.17:8080 "
            "use_instead=--server-port")
        self.assertEqual(self.clusterd.ctl("clusters")["clusters"], [])

    def test_the_service_of_server_type_keeps_its_id_over_a_restart(self):
        own, = self.fleet().start("own")
        flags = (f"--server-type={TYPE}", "--server-local-ipv4=127.0.0.1",
                 f"--server-port={own.port}")
        self.start_lasting(*flags)
        client = self.client()
        wait_until("it is listed", lambda: len(client.servers()) == 1)
        (server_id, _), = client.servers().items()
        self.clusterd.stop()
        self.start_lasting(*flags)
        client = self.client()
        wait_until("it has registered again", lambda: all(
            each.state == resources.REGISTRATION_STATE_REGISTERED
            for each in client.registrations().values()))
        self.assertEqual(set(client.registrations()), {server_id})
        self.assertEqual(set(client.servers()), {server_id})
