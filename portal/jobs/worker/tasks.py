"""The tasks that a message can run: the functions in dispatch.FUNCTIONS. Each runs inside an app context."""

import os
import socket
import threading

from flask import current_app

from portal.clock import utcnow
from portal.database import db
from portal.documents import intake
from portal.documents.models import Document
from portal.documents.reader.limits import ReadLimits
from portal.jobs import source_trial
from portal.jobs.admin import operation_runner
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.attempt.turn import TURN_SECONDS
from portal.jobs.core.status import Status
from portal.jobs.dispatch import push_job, push_operation
from portal.jobs.export.copy import look_ahead
from portal.jobs.models import backoff
from portal.jobs.quotas import rows_for_document
from portal.jobs.sweep import steps

STOP = threading.Event()  # set when the worker has to stop: finish what is in flight, save, hand back
FENCED_EXIT = 3


def _end_process() -> None:
    # Runs in the heartbeat's thread. It skips every `except` and hung lookup, because another attempt has the job now.
    os._exit(FENCED_EXIT)


def scrape(job_id: int, attempt: int) -> None:
    """Run one attempt of a job."""
    conditions = Conditions(
        worker=f"{socket.gethostname()}:{os.getpid()}"[:80],
        lease_seconds=current_app.config["SCRAPING_LEASE_SECONDS"],
        backoff=backoff(),
        stopped=STOP.is_set,
        on_fenced=_end_process,
        turn_seconds=TURN_SECONDS,
    )
    if run(job_id, attempt, conditions) == Status.RETRYING:
        push_job(job_id, utcnow())  # handed back: another worker may continue at once, unless the job has to wait


def read_document(document_id: int) -> None:
    """Read one uploaded file in a guarded child process: the one whose turn it is, which may be another than the one
    that the message is about. There is a message for each."""
    storage = current_app.extensions["storage"]
    country = current_app.config["DEFAULT_COUNTRY"]
    document_id = intake.read_next(storage, _limits_of, utcnow, country, STOP.is_set) or document_id
    if (document := db.session.get(Document, document_id)) is not None:
        look_ahead(document, storage)
    db.session.remove()


def _limits_of(document_id: int) -> ReadLimits:
    return ReadLimits(max_rows=rows_for_document(document_id))


def try_number(token: str) -> None:
    """Ask a source for one number, for an admin who waits for the result."""
    source_trial.run(token)


def sweep() -> None:
    """Run one pass of the sweep."""
    steps.sweep(utcnow())


def operate(operation_id: int) -> None:
    """Run a slice of a bulk operation. The next slice queues behind a sweep that may be due by then."""
    if operation_runner.work(operation_id, stopped=STOP.is_set):
        push_operation(operation_id, utcnow())


__all__ = ["STOP", "operate", "read_document", "scrape", "sweep", "try_number"]
