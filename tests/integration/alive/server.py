"""Servers of Python's own library: server.py files|stays|wsgi DIRECTORY. Prints
`port <number>`."""
import functools
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from wsgiref.simple_server import make_server


class Stays(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"


def application(_environment, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b'{"data":', b'"ok"}']


def main():
    mode, directory = sys.argv[1:]
    if mode == "wsgi":
        server = make_server("127.0.0.1", 0, application)
    else:
        handler = Stays if mode == "stays" else SimpleHTTPRequestHandler
        server = ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(handler, directory=directory))
    print("port", server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
