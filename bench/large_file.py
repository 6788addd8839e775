"""A large file end to end: read, checked, started, opened, looked up at the offline source and downloaded.

Processor time is measured, of this process and of the child that parses the file, against a bare loop of the lookups.
"""

import resource
import tempfile
from collections.abc import Callable
from math import inf
from pathlib import Path

from flask import Flask

from bench.measure import SHORT, Goal
from bench.temporary_portal import numbers, portal
from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents import intake
from portal.documents.check import CheckFacts
from portal.documents.choice import guessed
from portal.documents.models import Document
from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.parent import SheetFacts
from portal.jobs import commands
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.export import FileFormat, open_download
from portal.jobs.models import ScrapingJob
from portal.jobs.worker.rq_worker import freeze_memory
from portal.sources.offline import OfflineSource, warm

ROWS, FEW = (20_000, 11_000) if SHORT else (100_000, 20_000)
CEILING, START_CEILING = 3.2, 2.5
MOST_ROUNDS = 4


def measure() -> list[Goal]:
    """Measure the whole way, and how much longer the start of a larger file takes."""
    e164s, source = numbers(ROWS), OfflineSource()
    warm()
    freeze_memory()  # as in a worker
    few = many = whole = bare = inf
    for _ in range(MOST_ROUNDS):  # more than one only where a goal is missed: a neighbour takes the caches
        few = min(few, _walk(e164s[:FEW])[0])
        started, steps = _walk(e164s)
        many, whole = min(many, started), min(whole, sum(steps.values()))
        bare = min(bare, _seconds(lambda: [source.lookup(e164) for e164 in e164s]))
        if whole <= CEILING * bare and many <= START_CEILING * few:
            break
    taken = ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps.items())
    return [
        Goal(
            "a large file end to end against the bare loop of its lookups",
            whole / bare,
            f"{taken} s of a processor for {ROWS:,} rows; the lookups alone {bare:.2f} s",
            ceiling=CEILING,
        ),
        Goal(
            "start of a large file against a smaller one",
            many / few,
            f"{many * 1000:.0f} ms with {ROWS:,} rows, {few * 1000:.0f} ms with {FEW:,}",
            ceiling=START_CEILING,
        ),
    ]


def _walk(e164s: list[str]) -> tuple[float, dict[str, float]]:
    """Walk one file from its upload to its download; return the seconds of its start, and those of every step."""
    steps: dict[str, float] = {}
    with portal(len(e164s)) as app:
        document = _uploaded(app, e164s)
        storage, limits = app.extensions["storage"], ReadLimits(max_rows=len(e164s))
        steps["check"] = _seconds(lambda: intake.read_document(document.id, storage, limits, utcnow(), "ES"))
        db.session.refresh(document)
        choice = guessed(SheetFacts.from_dict(document.sheets[0]), "ES")
        found = CheckFacts.from_dict(document.checks[choice.key])
        started: list[ScrapingJob] = []

        def start() -> None:
            user = db.session.get_one(User, 1)
            started.append(commands.start(document, choice, "offline", user, utcnow(), push=False, found=found))

        steps["start"] = _seconds(start)
        job_id, attempt = started[0].id, started[0].attempt
        given = Conditions(worker="bench", lease_seconds=60, backoff=Backoff())
        ended: list[Status | None] = []
        steps["job"] = _seconds(lambda: ended.append(run(job_id, attempt, given)))
        lines: list[int] = []

        def download() -> None:
            with app.test_request_context():
                own = open_download(db.session.get_one(ScrapingJob, job_id), storage, FileFormat.CSV)
                lines.append(sum(piece.count(b"\n") for piece in own.pieces))
                own.close()

        steps["download"] = _seconds(download)
        if (ended, lines) != ([Status.COMPLETED], [len(e164s) + 1]):
            raise RuntimeError(f"the job ended as {ended}, with {lines} lines")
    return steps["start"], steps


def _uploaded(app: Flask, e164s: list[str]) -> Document:
    lines = (f"Cliente {n};{e164};Ciudad {n % 50}\n" for n, e164 in enumerate(e164s))
    with tempfile.TemporaryDirectory(prefix="masterfilter-bench-") as folder:
        path = Path(folder) / "clientes.csv"
        path.write_text("Cliente;Teléfono;Ciudad\n" + "".join(lines))
        with path.open("rb") as file:
            stored = app.extensions["storage"].put(file)
    document = Document(user_id=1, file_name="clientes.csv", storage_key=stored.key, sha256=stored.sha256,
                        size_bytes=stored.size_bytes, created_at=utcnow())  # fmt: skip
    db.session.add(document)
    db.session.commit()
    return document


def _seconds(act: Callable[[], object]) -> float:
    """The processor's seconds of a call, in this process and the children that have ended in it."""
    began = _used()
    act()
    return _used() - began


def _used() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)
