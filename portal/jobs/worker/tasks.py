"""The tasks that a message can run: the functions in dispatch.FUNCTIONS. Each runs inside an app context."""

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from portal.clock import utcnow
from portal.database import db, only_read, reading
from portal.documents import intake
from portal.documents.models import Document
from portal.documents.reader.limits import ReadLimits
from portal.jobs import turns
from portal.jobs.admin import operation_runner
from portal.jobs.attempt.ask_journal import AskJournal
from portal.jobs.attempt.database_wait import until_back
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.status import Status
from portal.jobs.dispatch import push_erasure, push_job, push_operation, queue_is_empty, ring_to_join
from portal.jobs.export.copy import look_ahead
from portal.jobs.export.corrected_column import keep_written
from portal.jobs.health import hosts
from portal.jobs.health.processes import WorkerKind, alive_workers
from portal.jobs.merge import runner as merge_runner
from portal.jobs.models import backoff
from portal.jobs.number_erasure import runner as erasure_runner
from portal.jobs.quotas import rows_for_document
from portal.jobs.result import kept
from portal.jobs.spending import balances
from portal.jobs.sweep import steps
from portal.jobs.trials import draft_samples, source_trial
from portal.jobs.turns import TURN_SECONDS, Chosen, next_job

STOP = threading.Event()  # set when the worker has to stop: finish what is in flight, save, hand back
FENCED_EXIT = 3
PASS_ON_SECONDS = 1.0
FRESH = timedelta(seconds=2)  # what was seen of the other workers so lately is taken as it is
LOST_RACES = 5  # for a job that another worker chose too; then the next message has to do


def on_chosen(job_id: int, attempt: int) -> None:
    """Called with the job that is about to be claimed, and its last attempt. The worker sets its own in its fork."""


JOURNAL: AskJournal | None = None  # the worker's own, in its fork


def _end_process() -> None:
    # Runs in the heartbeat's thread. It skips every `except` and hung lookup, because another attempt has the job now.
    os._exit(FENCED_EXIT)


def scrape(job_id: int, attempt: int) -> None:
    """Work on the job whose turn it is. The message names a job, but says only that there is work."""
    others = look_around(utcnow())
    conditions = Conditions(
        worker=f"{current_app.config['PORTAL_MACHINE']}:{os.getpid()}"[-80:],
        lease_seconds=current_app.config["SCRAPING_LEASE_SECONDS"],
        backoff=backoff(),
        stopped=STOP.is_set,
        on_fenced=_end_process,
        turn_seconds=TURN_SECONDS,
        workers=min(others.limit_of_one_person, others.workers),
        on_taken=_Bell().ring_once,
        journal=JOURNAL,
    )
    for _ in range(LOST_RACES):
        chosen = until_back(lambda _: next_job_here(utcnow(), others), stopped=STOP.is_set)
        if chosen is None:
            break
        on_chosen(chosen.job_id, chosen.attempt)
        ended = run(chosen.job_id, chosen.attempt, conditions, join=chosen.join)
        balances.ask_after(chosen.job_id, utcnow())
        if ended is not None:
            if ended == Status.RETRYING:
                push_job(chosen.job_id, utcnow())  # another worker may continue at once, unless it must wait
            else:
                kept.ask_for(chosen.job_id)
            break
    others = look_around(utcnow(), others)
    ring_for_the_next(utcnow(), others)
    pass_on(utcnow(), others)


@dataclass(frozen=True)
class Others:
    """What a worker has to know of the others to choose a job, and when it was so."""

    seen_at: datetime
    workers: int  # that are alive, this one among them
    sources_missing: list[str]  # that another machine offers and this one does not

    @property
    def limit_of_one_person(self) -> int:
        """How many workers one person's long files may have: by default all that are alive but one."""
        return turns.limit_of_one_person(current_app.config["PORTAL_WORKERS_PER_PERSON"], self.workers)


def look_around(now: datetime, before: Others | None = None) -> Others:
    """Return what is so now; `before`, if that was seen a moment ago."""
    if before is not None and now - before.seen_at < FRESH:
        return before
    return Others(now, alive_workers(WorkerKind.SCRAPE, now), hosts.sources_missing(current_app.config, now))


def next_job_here(now: datetime, others: Others) -> Chosen | None:
    """Return the job that this machine should take: not one of a source that only another machine offers."""
    return next_job(now, others.limit_of_one_person, others.sources_missing)


def pass_on(now: datetime, others: Others) -> None:
    """Ring for another machine, when only it offers the source of the job whose turn is next: the message that told us
    of it is used up. After a moment, in which its workers come to wait for messages before us."""
    if not others.sources_missing:
        return
    waiting = next_job(now, others.limit_of_one_person)
    if waiting is not None and not waiting.join and queue_is_empty("scrape") and not STOP.wait(PASS_ON_SECONDS):
        push_job(waiting.job_id, utcnow())


class _Bell:
    """Rings once, when the first share is taken and leaves some: a free worker may take the next."""

    def __init__(self) -> None:
        self._rung = False

    def ring_once(self) -> None:
        if not self._rung:
            self._rung = True
            with suppress(SQLAlchemyError):  # without a ring, this worker does all of it
                ring_for_the_next(utcnow(), look_around(utcnow()))


def ring_for_the_next(now: datetime, others: Others) -> None:
    """Push a message for the job whose turn is next, if none is left: one that was left waiting for somebody else's
    turn has used its own up. An attempt that another worker may join is such a job too."""
    if queue_is_empty("scrape") and (waiting := next_job_here(now, others)) is not None:
        if waiting.join:
            ring_to_join(waiting.job_id, waiting.attempt, now)
        else:
            push_job(waiting.job_id, now)


def read_document(document_id: int) -> None:
    """Read one uploaded file in a guarded child process: the one whose turn it is, which may be another than the one
    that the message is about. There is a message for each."""
    storage = current_app.extensions["storage"]
    country = current_app.config["DEFAULT_COUNTRY"]
    document_id = intake.read_next(storage, _limits_of, utcnow, country, STOP.is_set) or document_id
    db.session.remove()
    with reading() as session:  # no transaction goes on: it takes seconds, and SQLite would keep everybody else waiting
        document = session.get(Document, document_id)
    if document is not None:
        with suppress(OSError):  # the storage is away: the corrections stay in their column
            keep_written(document, storage, country, utcnow())
        look_ahead(document, storage)


def _limits_of(document_id: int) -> ReadLimits:
    return ReadLimits(max_rows=rows_for_document(document_id))


def prepare_result(job_id: int) -> None:
    """Prepare a large result for its page. It reads for seconds, and writes nothing into the database."""
    only_read()
    kept.prepare(job_id, current_app.extensions["storage"])


def compare_lists(merge_id: int) -> None:
    """Compare a new list with an earlier one, for somebody who waits for it on the check page."""
    merge_runner.compare(merge_id, current_app.extensions["storage"], utcnow)


def try_number(token: str) -> None:
    """Ask a source for one number, for an admin who waits for the result."""
    source_trial.run(token)


def take_sample(sample_id: int) -> None:
    """Ask a source whose recipe is being written for one number."""
    draft_samples.run(sample_id)


def sweep() -> None:
    """Run one pass of the sweep."""
    steps.sweep(utcnow())


def operate(operation_id: int) -> None:
    """Run a slice of a bulk operation. The next slice queues behind a sweep that may be due by then."""
    if operation_runner.work(operation_id, stopped=STOP.is_set):
        push_operation(operation_id, utcnow())


def erase_number(order_id: int) -> None:
    """Run a slice of an order to erase a number. The next slice queues behind files that wait to be read."""
    if erasure_runner.work(order_id, current_app.extensions["storage"], stopped=STOP.is_set):
        push_erasure(order_id, utcnow())


__all__ = [
    "STOP", "compare_lists", "erase_number", "operate", "prepare_result", "read_document", "scrape", "sweep",
    "take_sample", "try_number",
]  # fmt: skip
