#!/usr/bin/env python3
"""Serves every row of odd_rows.py: odd_server.py CERTIFICATE KEY.

First prints the port of each row, then, for each line that it is told, how often
each row was asked for each path; both as JSON, in a line. Ends with its input. A
process of its own, so that the servers are not late when their caller is busy.
"""
import asyncio
import collections
import json
import os
import socket
import ssl
import struct
import subprocess
import sys

from odd_rows import ROWS

READING = 0.05  # s, for what has left, before a reset throws it away


class OddServers:
    """That process, as its caller sees it."""

    def __init__(self, certificate, key):
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(certificate), str(key)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = json.loads(self.process.stdout.readline())

    def requests(self):
        """Name of a row -> path -> how often it was asked for."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class OddServer:
    """One row: answers every request with the same bytes."""

    def __init__(self, row, tls):
        self.answer = row.answer
        self.habits = row.habits
        self.tls = tls
        self.requests = collections.Counter()  # path -> how many
        self.listeners = listen(row.addresses)
        self.port = self.listeners[0].getsockname()[1]
        self.tasks = set()

    def start(self):
        for listener in self.listeners:
            self._spawn(self._accept(listener))

    def _spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _accept(self, listener):
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            self._spawn(self._serve(connection))

    async def _serve(self, connection):
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.sleep(self.habits.tls_delay)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self.tls)
        except OSError:  # the client gave up
            connection.close()
            return
        # What is drained has left. (A limit of 0 is never met with TLS.)
        transport.set_write_buffer_limits(high=1, low=0)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await self._answer_all(reader, writer)
        except (OSError, EOFError, asyncio.TimeoutError):
            pass  # the client has gone, or is silent
        if self.tls is None and not self.habits.reset or self.habits.tls_end:
            transport.close()
            return
        if self.habits.reset:
            await asyncio.sleep(READING)
            if not transport.is_closing():
                transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    async def _answer_all(self, reader, writer):
        answered = 0
        while self.habits.requests is None or answered < self.habits.requests:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"),
                                          self.habits.idle)
            self.requests[head.split()[1].decode()] += 1
            await self._write(writer)
            answered += 1
            if self.habits.close:
                return

    async def _write(self, writer):
        await asyncio.sleep(self.habits.delay)
        piece = self.habits.piece or len(self.answer)
        for at in range(0, len(self.answer), piece):
            if at > 0:
                await asyncio.sleep(self.habits.pause)
            writer.write(self.answer[at:at + piece])
            await writer.drain()


def listen(addresses):
    """At one port of all; another address may have that of the first one taken."""
    while True:
        listeners = []
        try:
            for address in addresses:
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                listener = socket.socket(family)
                listeners.append(listener)
                listener.setblocking(False)
                port = listeners[0].getsockname()[1] if listeners[1:] else 0
                listener.bind((address, port))
                listener.listen(128)
            return listeners
        except OSError:
            for listener in listeners:
                listener.close()
            if len(listeners) == 1:
                raise


def tls_context(row, certificate, key):
    if row.tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if row.tls is not True:
        context.minimum_version = context.maximum_version = row.tls
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not row.tickets:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


async def serve(certificate, key):
    servers = {row.name: OddServer(row, tls_context(row, certificate, key))
               for row in ROWS}
    for server in servers.values():
        server.start()
    print(json.dumps({name: server.port for name, server in servers.items()}),
          flush=True)
    ended = asyncio.Event()

    def on_input():
        if not os.read(0, 4096):
            ended.set()
        else:
            print(json.dumps({name: server.requests
                              for name, server in servers.items()}), flush=True)
    asyncio.get_running_loop().add_reader(0, on_input)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
