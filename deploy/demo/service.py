#!/usr/bin/env python3
"""A small service as a cluster has many: GET /hello greets, everything else is
a 404. Knows nothing of clusterd.

service.py ID ADDRESS_FILE: serves on a free port of 127.0.0.1 and writes its
base URL to ADDRESS_FILE once it does.
"""
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open
    disable_nagle_algorithm = True
    server_id = ""

    def do_GET(self):
        # What clustered services answer: their data, and who they are.
        me = {"serverId": self.server_id}
        if self.path == "/hello":
            self.answer(200, {"data": [f"hello from {self.server_id}"],
                              "server": me})
        else:
            self.answer(404, {"statusCode": 404, "title": "Not Found",
                              "message": f"no route {self.path}", "server": me})

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format, *arguments):
        pass


def main():
    Service.server_id, address_file = sys.argv[1:]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    with open(address_file + ".new", "w", encoding="utf-8") as file:
        file.write(f"http://127.0.0.1:{server.server_port}\n")
    os.replace(address_file + ".new", address_file)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
