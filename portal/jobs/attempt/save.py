"""Saves answers in one short transaction: the worker's fence, the numbers, then the attempt's fence with the counters.

It runs after the network work and never around it. A worker that no longer has its part of the attempt writes nothing.
The job's row comes late, because the attempt's other workers wait for it until the commit.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from operator import itemgetter
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import Connection, Dialect, Table, bindparam, func, literal_column, select, update
from sqlalchemy.types import TypeEngine

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.attempt import step_answers
from portal.jobs.attempt.looked_up import LookedUp
from portal.jobs.core import changes, step_rules
from portal.jobs.core.job_columns import COUNTERS
from portal.jobs.core.job_tables import Number
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import AttemptTaken, Holding, renew
from portal.sources.base import FINAL, Outcome

__all__ = ["LedgerMismatch", "LookedUp", "Seen", "prepare", "save"]

_NUMBERS = cast(Table, Number.__table__)
_WRITE_NUMBER = (
    update(_NUMBERS)
    .where(_NUMBERS.c.job_id == bindparam("of_job"), _NUMBERS.c.no == bindparam("of_no"))
    .where(_NUMBERS.c.outcome == literal_column(f"'{Outcome.WAITING}'"))
    .values(
        outcome=bindparam("new_outcome"),
        reason=bindparam("new_reason"),
        answer=bindparam("new_answer"),
        checked_at=bindparam("now"),
        attempt=bindparam("by_attempt"),
        cost=_NUMBERS.c.cost + bindparam("new_cost"),
    )
)


_JOBS = cast(Table, ScrapingJob.__table__)
_MOMENT = _JOBS.c.last_progress_at.type
# Built once, because a save comes every tenth of a second; the fence is added each time.
_COUNT = (
    update(_JOBS)
    .values(
        {
            "processed_numbers": _JOBS.c.processed_numbers + bindparam("final"),
            "lease_until": bindparam("until"),
            "cost": _JOBS.c.cost + bindparam("new_cost"),
            "updated_at": bindparam("now"),
            # Name the type: coalesce() has none, so the moment would be stored in another form and never compare equal.
            "last_progress_at": func.coalesce(bindparam("progress_at", type_=_MOMENT), _JOBS.c.last_progress_at),
            **{name: _JOBS.c[name] + bindparam(name) for name in (*COUNTERS.values(), "left_alone_count")},
        }
    )
    .returning(_JOBS.c.paused_at, _JOBS.c.not_before)
)
_IN_ORDER = ("new_outcome", "new_reason", "new_answer", "now", "by_attempt", "new_cost", "of_job", "of_no")


class LedgerMismatch(RuntimeError):
    """A number to write has an answer already, so that the counters would no longer match the ledger."""


def _nothing(_: Collection[str]) -> None:
    return None


class Seen(NamedTuple):
    """What a save has seen of the job: whether a person has paused it, and whether one of its workers has met what
    ends the attempt for all of them."""

    paused: bool
    ends: bool


def save(
    holding: Holding,
    looked_up: Sequence[LookedUp],
    now: datetime,
    lease_seconds: float,
    also_write: Callable[[Collection[str]], object] = _nothing,
    *,
    repeated: bool = False,
    erased: Collection[str] = (),
    erased_cost: int = 0,
) -> Seen:
    """Write the answers and whatever `also_write` writes with them, and commit.

    A number that was erased while it was being looked up is left out; `also_write` is told which these are, and writes
    nothing of them. `erased` are those that are known already, and `erased_cost` is what these cost all the same.

    `repeated`: the same save failed before, perhaps only after its commit; what it has written then is not written
    again. Raises AttemptTaken and LedgerMismatch, with nothing written.
    """
    connection = db.session.connection()
    job_id, attempt = holding.job_id, holding.attempt
    renew(holding, now, lease_seconds)
    if repeated and looked_up and _was_written(connection, job_id, attempt, looked_up[0].number.no):
        looked_up, also_write = (), _nothing  # one transaction: all of it was written
    stepped = step_answers.of(holding, looked_up, now) if holding.chain and looked_up else None
    if stepped:
        written = stepped.write(connection)
        counts, progress, left_alone = stepped.counts, stepped.progress, stepped.left_alone
    else:
        written = _write(connection, job_id, attempt, looked_up, now) if looked_up else 0
        counts, progress = Counter(), {}
        for one in looked_up:
            counts[one.answer.outcome] += one.number.cells
        left_alone = sum(one.number.cells for one in looked_up if one.answer.reason == CauseCode.EXCLUDED)
    final = sum(counts[outcome] for outcome in FINAL)
    moved = {name: counts[outcome] for outcome, name in COUNTERS.items()}
    moved["left_alone_count"] = left_alone
    until = now + timedelta(seconds=lease_seconds)
    progress_at = now if looked_up else None
    cost = erased_cost + sum(one.answer.cost for one in looked_up)
    of_all = {**moved, "new_cost": cost, "final": final, "now": now, "until": until, "progress_at": progress_at}
    count = _COUNT.values(progress) if progress else _COUNT
    held = connection.execute(count.where(*holding.fence_of_job), of_all).one_or_none()
    if held is None:
        db.session.rollback()
        raise AttemptTaken
    if written != len(looked_up):
        db.session.rollback()
        if not erased and (gone := _erased(job_id, looked_up)):
            kept = [one for one in looked_up if one.e164 not in gone]
            cost -= sum(one.answer.cost for one in kept)
            again = partial(save, holding, kept, now, lease_seconds, also_write, repeated=repeated)
            return again(erased=gone, erased_cost=cost)
        raise LedgerMismatch(f"job {job_id}: {len(looked_up)} numbers to write, {written} were waiting")
    if stepped:
        stepped.count(erased_cost)
    also_write(erased)
    changes.note(job_id, at_once=False)
    db.session.commit()
    return Seen(held.paused_at is not None, held.not_before is not None)


def _erased(job_id: int, looked_up: Sequence[LookedUp]) -> set[str]:
    """Return those of the numbers that were erased since they were taken. What they cost is theirs all the same."""
    by_no = {one.number.no: one for one in looked_up}
    gone = (_NUMBERS.c.job_id == job_id, _NUMBERS.c.reason == CauseCode.ERASED)
    found: set[str] = set()
    for no in list(by_no):
        if db.session.scalar(select(_NUMBERS.c.no).where(*gone, _NUMBERS.c.no == no)) is not None:
            found.add(by_no[no].e164)
    db.session.rollback()
    return found


def _was_written(connection: Connection, job_id: int, attempt: int, no: int) -> bool:
    mine = (_NUMBERS.c.job_id == job_id, _NUMBERS.c.no == no)
    columns = (_NUMBERS.c.outcome, _NUMBERS.c.attempt, _NUMBERS.c.by_step)
    row = connection.execute(select(*columns).where(*mine)).one_or_none()
    return row is not None and (
        (row.attempt == attempt and row.outcome != Outcome.WAITING)
        or any(said.attempt == attempt for said in step_rules.read(row.by_step).values())
    )


def _write(connection: Connection, job_id: int, attempt: int, looked_up: Sequence[LookedUp], now: datetime) -> int:
    """Write the numbers, and return how many of them were waiting.

    It goes straight to the driver: values that are the same in every row are converted once, which avoids SQLAlchemy's
    processing of each row of an executemany. That costs more than the database itself.
    """
    sql, arranged, ready = _prepared(connection.dialect)
    moment = ready["now"]
    words = {outcome: ready["new_outcome"](outcome) for outcome in Outcome}
    at = moment(now)
    rows: list[Any] = []
    for number, answer, _, _ in looked_up:
        fields = orjson.dumps(answer.fields).decode() if answer.fields else None
        asked_at = at if answer.asked_at is None else moment(answer.asked_at)  # the cache's keep their own date
        rows.append((words[answer.outcome], answer.reason, fields, asked_at, attempt, answer.cost, job_id, number.no))
    return connection.exec_driver_sql(sql, arranged(rows) if arranged else rows).rowcount


def prepare(dialect: Dialect) -> None:
    """Compile what writes the numbers, once for this process and its forks."""
    _prepared(dialect)


@cache
def _prepared(
    dialect: Dialect,
) -> tuple[str, Callable[[Sequence[tuple[Any, ...]]], list[Any]] | None, dict[str, Callable[[Any], Any]]]:
    """Return the statement in this database's dialect, a function that arranges rows whose values are `_IN_ORDER` as
    the driver takes them (None where it takes them so), and a converter for each value."""
    compiled = _WRITE_NUMBER.compile(dialect=dialect)
    converters = {name: _ready(bind.type, dialect) for name, bind in compiled.binds.items()}
    if not compiled.positiontup:
        return str(compiled), lambda rows: [dict(zip(_IN_ORDER, row, strict=True)) for row in rows], converters
    if tuple(compiled.positiontup) == _IN_ORDER:
        return str(compiled), None, converters
    in_order = itemgetter(*map(_IN_ORDER.index, compiled.positiontup))
    return str(compiled), lambda rows: list(map(in_order, rows)), converters


def _ready(of: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any]:
    return of.dialect_impl(dialect).bind_processor(dialect) or (lambda value: value)
