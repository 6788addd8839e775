"""Counting a job's end, in the transaction in which it ends, and taking it back in the one in which it is retried.

The caller holds the job's row locked by its own UPDATE, so that no end is counted twice. Whoever writes sums has them
to itself until it commits: two that end several jobs at once would else wait for each other. So a caller that moves
several jobs has all of their rows before it moves the first. It knows no job's verbs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm.attributes import set_committed_value

from portal.database import changed_rows, db
from portal.jobs.core.columns import JobColumns
from portal.jobs.core.derived import moves_by_itself
from portal.jobs.core.tables import Attempt
from portal.jobs.metrics.ends import MEASURES, End, Tried
from portal.jobs.metrics.models import EVER, EVERYBODY, Figure, JobEnd, Spread

KEYS = {Figure: ("user_id", "grain", "day", "part", "source", "outcome"),
        Spread: ("user_id", "grain", "day", "part", "source", "kind", "bin")}  # fmt: skip
SUMS = {Figure: ("jobs", *MEASURES, "deleted_jobs"), Spread: ("jobs",)}

Rows = dict[tuple[Any, ...], Counter[str]]

# Any number that nobody else of this database locks by. SQLite's transactions are alone by themselves.
_ALONE = select(func.pg_advisory_xact_lock(literal_column("5270116")))


def keep_count(job: JobColumns, now: datetime) -> None:
    """Let the figures say of this job what is true of it now. Doing it twice changes nothing."""
    ended = not moves_by_itself(job)
    before = db.session.get(JobEnd, job.id, populate_existing=True) if job.ended_at is not None else None
    if ended == (before is not None) and (before is None or before.outcome == job.status):
        return
    changes: list[tuple[End, int]] = []
    if before is not None:
        changes.append((End.kept(before), -1))
        db.session.delete(before)
        db.session.flush()
    if ended:
        tried = select(Attempt.started_at, Attempt.ended_at, Attempt.end).where(Attempt.job_id == job.id)
        end = End.of(job, [Tried(*row) for row in db.session.execute(tried)], now)
        changes.append((end, 1))
        db.session.add(JobEnd(**end.as_row()))
    write(changes)
    _note_end(job, now if ended else None)


def keep_deletion(job: JobColumns, now: datetime) -> None:
    """Note that a job which has ended is deleted: it stays counted, but is no longer there."""
    keep_count(job, now)
    if job.ended_at is not None:
        write([], deleted=[End.kept(db.session.get_one(JobEnd, job.id))])


def _note_end(job: JobColumns, ended_at: datetime | None) -> None:
    """Not by the object's attribute: what SQLAlchemy writes for it would also touch `updated_at`."""
    model: Any = type(job)
    noted = update(model).where(model.id == job.id).values(ended_at=ended_at, updated_at=model.updated_at)
    changed_rows(noted)
    set_committed_value(job, "ended_at", ended_at)


def write(changes: Iterable[tuple[End, int]], deleted: Iterable[End] = ()) -> None:
    """Add ends to the sums (1), or take them out (-1); note those of deleted jobs."""
    figures: Rows = {}
    spreads: Rows = {}
    for end, sign in changes:
        added = {name: sign * getattr(end, name) for name in MEASURES}
        for place in end.places():
            sums = figures.setdefault((*place, end.source, end.outcome), Counter())
            sums.update(added)
            sums["jobs"] += sign
            for kind, place_in_spread in end.bins():
                spreads.setdefault((*place, end.source, kind, place_in_spread), Counter())["jobs"] += sign
    for end in deleted:
        for person in (EVERYBODY, end.user_id):
            gone = figures.setdefault((person, EVER, 0, 0, end.source, end.outcome), Counter())
            gone["deleted_jobs"] += 1
    if figures and db.session.connection().dialect.name == "postgresql":
        db.session.execute(_ALONE)
    _add(Figure, figures)
    _add(Spread, spreads)


def _add(model: type[Figure] | type[Spread], rows: Mapping[tuple[Any, ...], Counter[str]]) -> None:
    keys, names = KEYS[model], SUMS[model]
    given = [
        {**dict(zip(keys, place, strict=True)), **{name: sums[name] for name in names}}
        for place, sums in sorted(rows.items())
        if any(sums.values())
    ]
    if given:
        db.session.execute(_statement(model, db.session.connection().dialect.name), given)


def _statement(model: type[Figure] | type[Spread], dialect: str) -> Any:
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    table: Any = model.__table__
    statement = insert(table)
    added = {name: table.c[name] + statement.excluded[name] for name in SUMS[model]}
    return statement.on_conflict_do_update(index_elements=list(KEYS[model]), set_=added)
