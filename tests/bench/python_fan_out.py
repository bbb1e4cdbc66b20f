#!/usr/bin/env python3
"""The same fan-out with asyncio and aiohttp, the answers merged into one JSON
document. A fixed number of calls is in flight, in this process. Prints one JSON
line.

  python_fan_out.py CONCURRENCY SECONDS URL...
"""
import asyncio
import json
import sys
import time

import aiohttp


async def call(session, number, url):
    async with session.get(f"{url}/answer") as response:
        answer = json.loads(await response.read())
        server_id = answer["server"]["serverId"]
        if server_id != f"node-{number}":
            raise RuntimeError(f"{url} is {server_id}")
        return answer["data"], {"serverId": server_id, "statusCode": response.status}


async def fan_out(session, urls):
    """The aggregate as JSON."""
    answers = await asyncio.gather(*(call(session, *node) for node in enumerate(urls)))
    return json.dumps({"data": [data for data, _ in answers],
                       "results": [result for _, result in answers]})


async def run(session, urls, concurrency, seconds):
    """The latencies of all calls in microseconds, sorted."""
    end = time.monotonic() + seconds
    latencies = []

    async def calls():
        while (start := time.monotonic()) < end:
            await fan_out(session, urls)
            latencies.append((time.monotonic() - start) * 1e6)

    await asyncio.gather(*(calls() for _ in range(concurrency)))
    return sorted(latencies)


async def main():
    concurrency, seconds, urls = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    timeout = aiohttp.ClientTimeout(total=10)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await run(session, urls, concurrency, 0.5)
        start, before = time.monotonic(), time.process_time()
        latencies = await run(session, urls, concurrency, seconds)
        cpu, elapsed = time.process_time() - before, time.monotonic() - start
    print(json.dumps({"calls": len(latencies),
                      "calls_per_second": round(len(latencies) / elapsed, 1),
                      "p50_us": round(latencies[len(latencies) // 2]),
                      "cpu_us_per_call": round(cpu * 1e6 / len(latencies), 3)}))


if __name__ == "__main__":
    asyncio.run(main())
