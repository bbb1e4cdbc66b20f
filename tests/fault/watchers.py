#!/usr/bin/env python3
"""Many watchers of one cluster: watchers.py CLUSTERD COUNT CHANGES. Prints `ready`
when each has its snapshot; then, when each has seen so many changes, what they saw
as JSON, once for all who saw the same, with their number."""
import asyncio
import collections
import json
import os
import sys
from pathlib import Path

import grpc

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from rpc import TYPE, registry, registry_grpc

CONNECTIONS = 12


async def follow(stub, changes, on_ready):
    seen = []
    async for event in stub.WatchCluster(registry.WatchClusterRequest(type=TYPE)):
        if event.snapshot.last:
            on_ready()
        if event.HasField("change"):
            seen.append((event.change.type, event.change.server.server_id,
                         event.change.revision))
        if event.HasField("reset") or len(seen) == changes:
            break
    return json.dumps(seen)


async def main():
    address, count, changes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    stubs = [registry_grpc.RegistryServiceStub(grpc.aio.insecure_channel(
        address, options=[("grpc.use_local_subchannel_pool", 1)]))
        for _ in range(CONNECTIONS)]
    left = count

    def on_ready():
        nonlocal left
        left -= 1
        if left == 0:
            print("ready", flush=True)

    seen = await asyncio.gather(*(
        follow(stubs[i % CONNECTIONS], changes, on_ready) for i in range(count)))
    for sequence, times in collections.Counter(seen).items():
        print(json.dumps({"seen": json.loads(sequence), "by": times}), flush=True)
    # grpc.aio of Debian hangs where it should end.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
