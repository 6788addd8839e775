"""The files and jobs of `seed`: one in every status, made with the same functions as real ones, at given moments.

Waiting jobs wait long enough to be seen; the plain pending job is processed as soon as the portal runs.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext
from xlsxwriter import Workbook

from portal.accounts import User
from portal.causes import CauseCode
from portal.database import db
from portal.documents import intake
from portal.documents.choice import SheetChoice
from portal.documents.models import Document, Reading
from portal.documents.reader.limits import ReadLimits
from portal.documents.storage import Storage
from portal.jobs import commands, shares
from portal.jobs.attempt.save import LookedUp, save
from portal.jobs.core import ledger
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.models import ScrapingJob
from portal.sources import get as get_source
from portal.sources.base import Answer, Outcome

HEADER = ("Nombre", "Teléfono", "Ciudad", "Nota")
NAMES = ("Ana García", "Luis Pérez", "Marta Gómez", "Jordi Vila", "Itziar Etxeberria", "Iván Núñez", "Noa Castro")
CITIES = ("Madrid", "Barcelona", "Bilbao", "València", "Sevilla", "Vigo")
LONG_SECONDS = 30 * 24 * 3600.0  # a lease that does not end before the examples have been seen
LATER = Backoff(base_seconds=12 * 3600, cap_seconds=12 * 3600, spread=0)
WORKER = "seed"


def sample_rows(count: int, start: int) -> list[list[Any]]:
    """Make rows as in real lists: numbers in every format, some twice, some missing, some broken."""
    rows: list[list[Any]] = []
    for n in range(count):
        mobile, fixed = f"6{(start + n * 1_234_567) % 10**8:08d}", f"91{(start + n * 7_919) % 10**7:07d}"
        ways = (
            mobile,
            f"+34 {mobile[:3]} {mobile[3:6]} {mobile[6:]}",
            f"0034{mobile}",
            int(mobile),
            fixed,
            f"'{mobile}",
        )
        number: Any = ways[n % len(ways)]
        if n % 23 == 22:
            number = ("", "no tiene", "6,12E+08", "12345")[n // 23 % 4]
        elif n % 17 == 16:
            number = rows[n - 5][1]
        rows.append([NAMES[n % len(NAMES)], number, CITIES[n % len(CITIES)], "=1+1" if n == 3 else None])
    return rows


def workbook(rows: list[list[Any]]) -> bytes:
    """Return an .xlsx file with the rows below a header; texts are not turned into formulas or numbers."""
    out = io.BytesIO()
    with Workbook(out, {"strings_to_formulas": False, "strings_to_numbers": False}) as book:
        sheet = book.add_worksheet("Clientes")
        for row_no, row in enumerate([HEADER, *rows]):
            sheet.write_row(row_no, 0, row)
    return out.getvalue()


def upload(user: User, name: str, content: bytes, now: datetime) -> Document:
    """Upload and read a file; return its document, ready or refused."""
    storage: Storage = current_app.extensions["storage"]
    stored = storage.put(io.BytesIO(content))
    document = Document(
        user_id=user.id, file_name=name, storage_key=stored.key, sha256=stored.sha256,
        size_bytes=stored.size_bytes, state=Reading.READING, created_at=now,
    )  # fmt: skip
    db.session.add(document)
    db.session.commit()
    limits = ReadLimits(max_rows=current_app.config["MAX_ROWS"])
    intake.read_document(document.id, storage, limits, now + timedelta(seconds=2))
    db.session.refresh(document)
    return document


@dataclass
class Example:
    """A job that is moved from step to step; each step advances its clock, `now`."""

    job: ScrapingJob
    actor: str
    now: datetime

    def claim(self) -> "Example":
        """Claim the job for a worker."""
        self._moved(
            ScrapingJob.claim(self.job.id, self.job.attempt, self._later(5), worker=WORKER, lease_seconds=LONG_SECONDS)
        )
        self.job.next_no = None  # no worker joins it: it shows how such a job looks
        return self

    def look_up(self, share: float = 1.0, failing: int = 0) -> "Example":
        """Look up this share (0–1) of the waiting numbers; the last `failing` of them get no answer."""
        job_id, source = self.job.id, get_source(self.job.source)
        holding = shares.hold(self.job, WORKER, self._later(5), LONG_SECONDS)
        waiting = list(ledger.waiting(job_id).items())
        db.session.commit()  # each save is its own transaction
        chosen = waiting[: round(len(waiting) * share)]
        for start in range(0, len(chosen), 20):
            piece = [LookedUp(rows, self._answer(source.lookup, e164, start + n >= len(chosen) - failing))
                     for n, (e164, rows) in enumerate(chosen[start : start + 20])]  # fmt: skip
            save(holding, piece, self._later(20), LONG_SECONDS)
        db.session.refresh(self.job)
        return self

    def then(self, verb: Callable[[int, int, datetime], ScrapingJob | None], seconds: float = 30) -> "Example":
        """Call a function that takes the job's id, its attempt and the moment."""
        self._moved(verb(self.job.id, self.job.attempt, self._later(seconds)))
        return self

    def fail(self) -> "Example":
        """End the attempt with unanswered numbers."""
        return self.then(
            lambda job, attempt, now: ScrapingJob.fail(job, attempt, CauseCode.NUMBERS_UNANSWERED, now, LATER)
        )

    def limit(self, retries: int, minutes: int) -> "Example":
        """Set the limits of retries and of minutes without an answer, as an admin does."""
        return self.then(lambda job, _, now: ScrapingJob.set_limits(job, retries, minutes, self.actor, now), 1)

    def _answer(self, lookup: Callable[[str], Answer], e164: str, fails: bool) -> Answer:
        return Answer(Outcome.FAILED, reason=CauseCode.TEMPORARY) if fails else lookup(e164)

    def _later(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def _moved(self, job: ScrapingJob | None) -> None:
        if job is None:
            raise RuntimeError(f"job {self.job.id} did not move from {self.job.status}")
        db.session.commit()
        db.session.refresh(self.job)


def _start_example(user: User, name: str, count: int, now: datetime) -> Example:
    """Upload and start a file with `count` rows."""
    document = upload(user, name, workbook(sample_rows(count, now.microsecond + count * 31)), now)
    choice = SheetChoice(0, 1, (1,), "ES")
    at = now + timedelta(seconds=40)
    return Example(commands.start(document, choice, "offline", user, at, push=False), user.email, at)


def make_examples(ana: User, luis: User, now: datetime) -> Iterator[tuple[str, ScrapingJob]]:
    """Make one job in every status and every kind of waiting; each comes with what it shows."""

    def ago(**span: float) -> datetime:
        return now - timedelta(**span)

    job = _start_example(ana, "Clientes Madrid.xlsx", 120, ago(days=3)).claim().look_up().then(ScrapingJob.complete)
    yield gettext("all rows have an answer"), job.job
    job = _start_example(ana, "Campaña otoño.xlsx", 90, ago(days=2)).claim().look_up(failing=12).fail()
    job.then(lambda id, _, at: ScrapingJob.retry_when_due(id, at, at_once=True)).claim().look_up()
    yield gettext("all rows have an answer, at the second attempt"), job.then(ScrapingJob.complete).job
    job = _start_example(ana, "Socios.xlsx", 80, ago(hours=30)).limit(0, 30).claim().look_up(failing=9).fail()
    yield gettext("no retries left"), job.job
    yield (
        gettext("failed, will be retried"),
        _start_example(ana, "Proveedores.xlsx", 70, ago(hours=2)).claim().look_up(failing=7).fail().job,
    )
    job = _start_example(luis, "Leads web.xlsx", 100, ago(hours=4)).claim().look_up(0.4)
    seen = job.job.last_progress_at
    job.then(lambda id, attempt, at: ScrapingJob.time_out(id, attempt, seen, at, LATER), 31 * 60)
    yield gettext("no answers for too long"), job.job
    job = _start_example(ana, "Encuesta.xlsx", 110, ago(hours=3)).claim().look_up(0.6)
    job.then(lambda id, _, at: ScrapingJob.pause(id, ana.email, at))
    yield (
        gettext("paused by its owner"),
        job.then(lambda id, attempt, at: ScrapingJob.hand_back(id, attempt, CauseCode.PAUSED, at), 2).job,
    )
    job = _start_example(luis, "Recordatorios.xlsx", 60, ago(minutes=50)).claim().look_up(0.3)
    until = now + timedelta(hours=6)
    yield (
        gettext("waiting for its source"),
        job.then(lambda id, attempt, at: ScrapingJob.hand_back(id, attempt, CauseCode.SOURCE_BUSY, at, until)).job,
    )
    job = _start_example(luis, "Equivocado.xlsx", 50, ago(hours=20)).claim().look_up(0.5)
    yield gettext("cancelled by its owner"), job.then(lambda id, _, at: ScrapingJob.cancel(id, luis.email, at)).job
    job = _start_example(ana, "Toda España.xlsx", 400, ago(minutes=6)).limit(3, 30 * 24 * 60).claim().look_up(0.55)
    yield gettext("a worker is processing it"), job.job
    yield gettext("waiting for a worker"), _start_example(ana, "Nuevo.xlsx", 40, ago(minutes=1)).job
