"""Servers as they come with languages and distributions, each with the habits that
it has. Those whose program is not on this machine are left out, and say so."""
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from odd_rows import BODY
from programs import Program, wait_until

HERE = Path(__file__).resolve().parent
BUILDING = threading.Lock()
PATIENCE = 240  # s, for whatever is built or starts
TOMCAT = Path("/usr/share/java/tomcat10-embed-core.jar")  # Debian's


class Missing(Exception):
    """What is needed is not on this machine."""


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed")


class Genuine:
    """`command(directory)` is what runs it, which prints `port <number>`; Missing
    where it can't run."""
    fails = why = ""

    def __init__(self, name, command):
        self.name = name
        self.command = command

    def start(self, directory):
        """The program."""
        return Program(directory, self.name.replace(" ", "-"),
                       self.command(directory),
                       {"HOME": os.environ.get("HOME", str(directory))})

    def await_port(self, program):
        return wait_until(f"{self.name} listens", lambda: self._port(program),
                          PATIENCE)

    @staticmethod
    def _port(program):
        program.check_alive()
        for line in program.log.read_text(errors="replace").splitlines():
            if line.startswith("port "):
                return int(line.split()[1])
        return None


def free_port():
    """For programs that can't choose; nobody else is given it for a moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def files(directory):
    """What servers of files are to serve."""
    root = directory / "files"
    for path in ("probed", "held", "proxied"):
        (root / path).mkdir(parents=True, exist_ok=True)
        (root / path / "call").write_bytes(BODY)
    return root


def node(mode):
    def command(_directory):
        need("node")
        return ["node", HERE / "server.js", mode]
    return command


def python(mode):
    def command(directory):
        return ["/usr/bin/python3", HERE / "server.py", mode, files(directory)]
    return command


def go(mode):
    def command(directory):
        need("go")
        program = directory / "go-server"
        with BUILDING:
            if not program.exists():
                subprocess.run(["go", "build", "-o", program, HERE / "server.go"],
                               check=True, timeout=PATIENCE,
                               env={**os.environ, "GO111MODULE": "off"})
        return [program, mode]
    return command


def java(directory):
    need("javac", "java")
    subprocess.run(["javac", "-d", directory, HERE / "JdkServer.java"], check=True,
                   timeout=PATIENCE)
    return ["java", "-Xshare:auto", "-cp", directory, "JdkServer"]


def tomcat(directory):
    need("javac", "java")
    if not TOMCAT.exists():
        raise Missing("libtomcat10-embed-java is not installed")
    path = f"{directory}:{TOMCAT}"
    subprocess.run(["javac", "-cp", path, "-d", directory,
                    HERE / "TomcatServer.java"], check=True, timeout=PATIENCE)
    return ["java", "-Xshare:auto", "-cp", path, "TomcatServer"]


def busybox(directory):
    need("busybox")
    port = free_port()
    return ["sh", "-c", 'echo "port $0"; exec busybox httpd -f -p "127.0.0.1:$0" '
            '-h "$1"', str(port), files(directory)]


def nginx(options):
    def command(directory):
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        need(program)
        port = free_port()
        home = directory / f"nginx-{port}"
        home.mkdir()
        (home / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {home}/pid; error_log stderr;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {options}
    location / {{ default_type application/json; return 200 '{BODY.decode()}'; }}
  }}
}}
""")
        return ["sh", "-c", 'echo "port $0"; exec "$1" -p "$2" -c "$2/nginx.conf"',
                str(port), program, home]
    return command


GENUINE = [
    Genuine("Node.js", node("plain")),
    Genuine("Node.js in chunks", node("chunked")),
    Genuine("Node.js idle for 0.3 s", node("impatient")),
    Genuine("Node.js without a reason", node("nameless")),
    Genuine("Python http.server 1.0", python("files")),
    Genuine("Python http.server 1.1", python("stays")),
    Genuine("Python wsgiref", python("wsgi")),
    Genuine("Go net-http", go("plain")),
    Genuine("Go net-http flushed", go("flushed")),
    Genuine("Go net-http idle for 0.3 s", go("impatient")),
    Genuine("Java com.sun.net.httpserver", java),
    Genuine("Tomcat", tomcat),
    Genuine("busybox httpd", busybox),
    Genuine("nginx", nginx("")),
    Genuine("nginx idle for 1 s", nginx("keepalive_timeout 1s;")),
    Genuine("nginx three requests", nginx("keepalive_requests 3;")),
    Genuine("nginx that closes", nginx("keepalive_timeout 0;")),
]
