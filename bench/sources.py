"""A source that takes 50 ms: a whole job with 32 requests in flight against a bare asyncio client, and one with 64
against Scrapy.

The job does everything (ledger, saves, counters, money, heartbeat, rate limiter and circuit breaker in a real Valkey,
the guarded session); the others only send and read. All run in turns and are measured in wall-clock time, most of
which is waiting; a round that a neighbour disturbs is not the best one, and more rounds follow.

With 32 in flight no client can do more than 640 a second. Scrapy comes to three quarters of that on a fast machine, so
the two are compared with 64: there each is as fast as its own work lets it be.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from redis import Redis

from bench.measure import SHORT, Goal, best_of, going_first
from bench.slow_source import LATENCY_SECONDS
from bench.temporary_portal import make_job, numbers, portal
from portal.config import ROOT
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.sources import catalogue
from tests.services import valkey

NUMBERS = 1000 if SHORT else 5000
ROUNDS, MOST_ROUNDS = (2, 15) if SHORT else (3, 9)  # more than the first ones only where a goal is missed after them
IN_FLIGHT, SCRAPY_IN_FLIGHT = 32, 64
# The first request goes alone (a refusal may concern all numbers) and the last round is half empty. With 1,000 numbers
# both weigh five times as much as with 5,000.
FLOOR, SCRAPY_FLOOR = (0.75, 1.25) if SHORT else (0.90, 1.5)
# A rate limit far above what 32 requests in flight can reach: each request takes a slot but does not wait for it.
RECIPE = """
name = "slow-{in_flight}"
kind = "json"
[request]
url = "http://127.0.0.1:{port}/{{digits}}"
[limits]
rate = "5000/s"
concurrency = {in_flight}
[cost]
price = 0.004
currency = "EUR"
[outcome]
success = [{{ json = "status == 'ok'" }}]
[fields]
operator = {{ path = "operator", required = true }}
ported = {{ path = "ported", type = "bool" }}
kind = "kind"
"""


@contextmanager
def _slow_source() -> Iterator[int]:
    """Start the source and yield its port; it ends when its input is closed."""
    command = [sys.executable, "-m", "bench.slow_source"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


@contextmanager
def slow_portal(rows: int, *in_flight: int) -> Iterator[tuple[Flask, int]]:
    """Enter a portal with a Valkey, which has the source as `slow-N`, for each number of requests in flight; yield it
    and the source's port."""
    with (
        _slow_source() as port,
        valkey() as redis_url,
        Redis.from_url(redis_url) as redis,
        portal(rows, REDIS_URL=redis_url) as app,
        tempfile.TemporaryDirectory(prefix="masterfilter-bench-") as folder,
    ):
        for most in in_flight:
            Path(folder, f"slow-{most}.toml").write_text(RECIPE.format(port=port, in_flight=most))
        catalogue.configure(redis, Path(folder), {}, allow_private=["127.0.0.1/32"])
        yield app, port
        catalogue.configure(None, Path(folder, "none"), {})


async def _ask_all(port: int, e164s: list[str]) -> None:
    waiting = iter(e164s)

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for e164 in waiting:
            writer.write(f"GET /{e164[1:]} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            if json.loads(await reader.readexactly(length))["status"] != "ok":
                raise RuntimeError("not the answer that was asked for")
        writer.close()

    await asyncio.gather(*(ask() for _ in range(IN_FLIGHT)))


def _scrapy_python() -> Path | None:
    """Return the Python that `make bench` set up for Scrapy. Without it print a warning, or exit if CI=true."""
    python = ROOT / ".venv-bench" / "bin" / "python"
    if python.exists():
        return python
    sentence = "Scrapy is not installed (`make bench` tries to install it): not compared"
    if os.environ.get("CI") == "true":
        sys.exit(sentence)
    print(f"     {sentence}", flush=True)
    return None


def _scrapy_seconds(python: Path, port: int, e164s: list[str]) -> float:
    command = [str(python), "-m", "bench.scrapy_source", str(port), str(SCRAPY_IN_FLIGHT)]
    done = subprocess.run(command, input="\n".join(e164s), capture_output=True, text=True, check=True, timeout=300)
    return float(done.stdout.split()[-1])


def measure() -> Iterator[Goal]:
    """Measure one goal, and a second one if Scrapy is installed."""
    e164s = numbers(NUMBERS)
    with slow_portal(NUMBERS, IN_FLIGHT, SCRAPY_IN_FLIGHT) as (app, port):

        def whole_job(in_flight: int) -> float:
            job = make_job(app, e164s, f"slow-{in_flight}")
            job_id, attempt = job.id, job.attempt
            given = Conditions(worker="bench", lease_seconds=60, backoff=Backoff())
            began = time.perf_counter()
            ended = run(job_id, attempt, given)
            took = time.perf_counter() - began
            if ended != Status.COMPLETED:
                raise RuntimeError(f"the job ended as {ended}")
            return took

        def bare() -> float:
            began = time.perf_counter()
            asyncio.run(_ask_all(port, e164s))
            return time.perf_counter() - began

        timed = {"bare": bare, "job": lambda: whole_job(IN_FLIGHT)}
        if python := _scrapy_python():
            timed["scrapy"] = lambda: _scrapy_seconds(python, port, e164s)
            timed["wide"] = lambda: whole_job(SCRAPY_IN_FLIGHT)

        def enough(best: dict[str, float]) -> bool:
            return all(goal.holds for goal in _goals(best))

        best = best_of(ROUNDS, most=MOST_ROUNDS, enough=enough, **timed)
    yield from _goals(best)


def _goals(best: dict[str, float]) -> Iterator[Goal]:
    per_second = {name: f"{NUMBERS / took:,.0f}/s" for name, took in best.items()}
    limit, wide = (f"{most / LATENCY_SECONDS:,.0f}/s" for most in (IN_FLIGHT, SCRAPY_IN_FLIGHT))
    detail = f"{per_second['job']} of {per_second['bare']} over {NUMBERS:,} numbers; no client can do over {limit}"
    yield Goal(
        "job at a source of 50 ms against a bare asyncio client", best["bare"] / best["job"], detail, floor=FLOOR
    )
    if "scrapy" in best:
        detail = f"{per_second['wide']} against {per_second['scrapy']}; at {SCRAPY_IN_FLIGHT} in flight {wide} at most"
        yield Goal("job at a source of 50 ms against Scrapy", best["scrapy"] / best["wide"], detail, floor=SCRAPY_FLOOR)


if __name__ == "__main__":
    with going_first():
        lines = list(measure())
    for goal in lines:
        print(goal.line(), flush=True)
    sys.exit(not all(goal.holds for goal in lines))
