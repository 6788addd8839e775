"""Starts a file: checks what a person has chosen, opens its ledger or leaves that to a worker, and makes the job.

The file is read while nobody waits for a lock, and one transaction at the end shows the job: what fails before it
leaves nothing behind.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from flask import current_app

from portal import sources
from portal.accounts import User
from portal.causes import CauseCode
from portal.database import db
from portal.database_errors import DatabaseError
from portal.documents.check import CheckFacts
from portal.documents.choice import SheetChoice
from portal.documents.corrections import corrections_of
from portal.documents.models import Document, Reading
from portal.documents.preview import choice_problem
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import header_of
from portal.documents.remembered import remember
from portal.documents.search_text import search_text
from portal.documents.storage import sheet_part
from portal.jobs import opening
from portal.jobs.core import changes, list_merges, steps, timeline
from portal.jobs.core.job_columns import VERSION_LENGTH
from portal.jobs.core.job_tables import EventKind
from portal.jobs.core.merge_tables import Asks
from portal.jobs.core.status import Status
from portal.jobs.core.step_tables import MOST_STEPS, NextSource
from portal.jobs.dispatch import push_job
from portal.jobs.models import ScrapingJob
from portal.jobs.quotas import quota_of
from portal.jobs.uploads import jobs_of, jobs_started


class CannotStart(Exception):
    """The choice cannot be started; `code` is one of jobs.words."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Merge(NamedTuple):
    """A comparison with an earlier list, as the page showed it, and which numbers are looked up."""

    id: int
    compared: str
    asks: Asks


def start(
    document: Document,
    choice: SheetChoice,
    source: str,
    user: User,
    now: datetime,
    *,
    push: bool = True,
    begun: int | None = None,
    first: int | None = None,
    start_at: datetime | None = None,
    cost_cap: int | None = None,
    known_days: int | None = None,
    repeats: tuple[int, datetime] | None = None,
    merge: Merge | None = None,
    then: Sequence[NextSource] = (),
    remembered: bool = True,
    same: Callable[[], int | None] = lambda: None,
    found: CheckFacts | None = None,
    at_once: int = opening.AT_ONCE_CELLS,
) -> ScrapingJob:
    """Create a job that looks the chosen cells up at a source. Raises CannotStart, with nothing left behind. Commits.

    A small file is opened here; the ledger of one with more than `at_once` cells by the job's first worker, so that
    nobody waits for it. `found` are the counts of the same check, where they are known.

    `first`: pause once so many numbers are looked up. `start_at`: look none up before that moment. `cost_cap`: pause
    before it costs more, in billionths of the source's currency. `known_days`: how old an answer of an earlier file may
    be; 0: all numbers are asked about again.
    `repeats`: the repeat that starts it, and the time that it is for. `merge`: the earlier list whose answers it takes
    over. `then`: further sources that are asked after it.
    `begun`: how many jobs of the document its person has seen. When there is a newer one by now, the same form was sent
    twice: that job is returned, and no second one is made. `remembered`: the next file of this shape opens with the
    same choice. `same` gives the id of a job that makes this one needless; it is asked while no other file of this
    person can start.
    """
    _validate(document, choice, source, then)
    if quota_of(user.id, now).spent:
        raise CannotStart("files_spent")
    document_id, user_id, email, key = document.id, user.id, user.email, document.storage_key
    job = _new_job(document, choice, source, user_id, now)
    facts = next(SheetFacts.from_dict(one) for one in document.sheets if one["index"] == choice.sheet)
    job.search_text = search_text(document.file_name, document.labels, facts.name, document.note)
    job.pause_after, job.cost_cap, job.known_days = first, cost_cap, known_days
    if then:
        job.chain, job.currency = steps.names(source, then), next(iter(_currencies(source, then)), "")
    if start_at:
        job.not_before, job.wait_cause = start_at, CauseCode.STARTS_LATER
    if merge:
        job.merge_id = merge.id
    if repeats:
        job.repeat_id, job.repeat_at = repeats
    corrections = corrections_of(document_id, choice.sheet)
    db.session.commit()  # nobody waits while the file is read
    path = current_app.extensions["storage"].fetch(key, sheet_part(choice.sheet))
    new = opening.new_ledger(path, choice, corrections, found or facts.rows * len(choice.columns), at_once)
    if not new.total:
        raise CannotStart("no_rows")
    if new.rows > quota_of(user_id, now).rows:
        raise CannotStart("too_many_rows")
    new.prepare(job, now)
    try:
        newer = _newer_job(document_id, user_id, begun, same, now)
        if newer is None:
            job_id = new.show(job, now)
            if job_id is None:
                raise CannotStart("not_ready")
            if merge and not list_merges.mark_started(merge.id, merge.compared, merge.asks, ScrapingJob):
                raise CannotStart("merge_changed")
            steps.add(job, job_id, then, new.total - new.without)
            timeline.record(job_id, EventKind.CREATED, now, email, total=new.total, source=source)
            changes.note(job_id, user_id)
            if remembered:
                remember(user_id, facts, header_of(path, choice.header_row, facts.columns), choice, source, now)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        with suppress(DatabaseError):  # else the sweep does it
            new.undo()
        raise
    if newer is not None:
        new.undo()
    elif push and not start_at:
        push_job(job.id, now)
    return db.session.get_one(ScrapingJob, job.id if newer is None else newer)


def _new_job(document: Document, choice: SheetChoice, source: str, user_id: int, now: datetime) -> ScrapingJob:
    settings = current_app.config
    return ScrapingJob(
        document_id=document.id,
        user_id=user_id,
        file_name=document.file_name,
        status=Status.PENDING,
        created_at=now,
        updated_at=now,
        max_retries=settings["SCRAPING_MAX_RETRIES"],
        timeout_minutes=settings["SCRAPING_TIMEOUT_MINUTES"],
        source=source,
        currency=sources.facts_of(source).currency,
        source_versions=sources.data_version(source)[:VERSION_LENGTH],
        sheet=choice.sheet,
        header_row=choice.header_row,
        column=choice.columns[0],
        more_columns=choice.columns[1:],
        country=choice.country,
        country_column=choice.country_column,
        left_out=choice.left.code,
        note=document.note,
        labels=document.labels,
    )


def _newer_job(
    document_id: int, user_id: int, begun: int | None, same: Callable[[], int | None], now: datetime
) -> int | None:
    """Return the id of the job that the same form has started meanwhile, or that makes this one needless, if there is
    one; None when the job may begin, until the transaction ends. Raises CannotStart."""
    # The document is locked: of two forms sent at once, the second waits and finds the first one's job.
    document = db.session.get(Document, document_id, with_for_update=True, populate_existing=True)
    if document is None or document.deleted_at is not None:
        raise CannotStart("not_ready")
    if begun is not None and jobs_started(document_id) > begun and (there := jobs_of(document_id)):
        return there[0].id
    quota = quota_of(user_id, now, lock=True)
    if (needless := same()) is not None:
        return needless
    if quota.spent:
        raise CannotStart("files_spent")
    document.first_job_at = document.first_job_at or now
    return None


def _validate(document: Document, choice: SheetChoice, source: str, then: Sequence[NextSource]) -> None:
    if document.state != Reading.READY:
        raise CannotStart("not_ready")
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    if problem := choice_problem(sheets, choice):
        raise CannotStart(problem)
    if not {source, *(one.source for one in then)} <= set(sources.names()):
        raise CannotStart("source_unknown")
    if problem := chain_problem(source, then):
        raise CannotStart(problem)


def chain_problem(source: str, then: Sequence[NextSource]) -> str | None:
    """Return the code of why a job cannot have these further sources, all of which are known; None: it can."""
    names = [source, *(one.source for one in then)]
    if len(names) > MOST_STEPS:
        return "too_many_sources"
    if len(set(names)) < len(names):
        return "source_twice"
    return "other_currency" if len(_currencies(source, then)) > 1 else None


def _currencies(source: str, then: Sequence[NextSource]) -> list[str]:
    """The currencies of these sources' prices, each once."""
    facts = [sources.facts_of(name) for name in (source, *(one.source for one in then))]
    return list(dict.fromkeys(one.currency for one in facts if one.is_priced))
