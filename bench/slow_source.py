"""A source for the benchmarks: an HTTP server that answers every GET after 50 ms. `python -m bench.slow_source` prints
its port and serves until its input ends. It does nothing else, so that only the client is measured.
"""

import asyncio
import os
import sys

LATENCY_SECONDS = 0.05
BODY = b'{"status": "ok", "operator": "Ejemplo", "ported": false, "kind": "mobile", "network": "21407", "note": "-"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(LATENCY_SECONDS)
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve on a free port of 127.0.0.1."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    os._exit(0)  # else each connection that is still open would print an error


if __name__ == "__main__":
    asyncio.run(main())
