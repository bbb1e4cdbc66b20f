#!/usr/bin/env python3
"""A service as a process of its own, to be killed: service.py CLUSTERD ID [TTL].
Registers and, with a ttl, keeps its session alive. Tells its URL on its first
line, and on the next the reason why its session is over."""
import sys
import threading
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from fleet import Fleet
from rpc import Client, Keeper


def main():
    address, server_id, *ttl = sys.argv[1:]
    ttl = float(ttl[0]) if ttl else None
    service, = Fleet().start(server_id)
    with Client(address) as client:
        registration = client.register(server_id, service.url, ttl)
    print(service.url, flush=True)
    if ttl is None:
        threading.Event().wait()
    keeper = Keeper(lambda: address, ttl)
    keeper.add(registration)
    while server_id not in keeper.lost:
        keeper.closing.wait(0.05)
    print(keeper.lost[server_id], flush=True)
    with Client(address) as client:
        client.register(server_id, service.url, ttl,
                        session_id=registration.session_id)


if __name__ == "__main__":
    main()
