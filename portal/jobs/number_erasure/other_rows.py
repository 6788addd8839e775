"""All other tables: whatever text or JSON has the number, in whichever table, is written without it.

Tables are not listed here: one that is added is looked through as well.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import JSON, Column, String, Table, Text, and_, cast, or_, select, update
from sqlalchemy.types import TypeDecorator

from portal.database import READ_ONLY, ClippedText, EnumColumn, db
from portal.jobs.number_erasure.documents import without_in
from portal.phone.writings import Writings

# By their own verbs: the order itself, and what is deleted whole.
_NOT_HERE = frozenset({"erasures", "replaced_files", "cached_answers", "phone_searches", "source_trials", "secrets"})
_KEYS = frozenset({"storage_key", "sha256"})  # hexadecimal digits, which are nobody's number
_OF_JOBS = ("numbers", "cells")  # large: looked through a few jobs at a time
JOBS_AT_ONCE = 20
WORD = "–"  # in texts that are nobody's file


def tables() -> list[Table]:
    """Return the tables that are looked through whole."""
    return [table for table in _all() if table.name not in _OF_JOBS]


def _all() -> list[Table]:
    return [table for table in db.metadata.sorted_tables if table.name not in _NOT_HERE]


def erase_in_table(table: Table, writings: Writings) -> int:
    """Write the rows of a table without the number, and return how many had it. Commits."""
    return _erase(table, writings)


def erase_in_jobs(after: int, writings: Writings) -> tuple[int, int | None]:
    """Look through the cells and answers of the next jobs after this id; return how many rows had the number, and the
    last job that was looked at, None at the end. Commits."""
    jobs = db.metadata.tables["scraping_jobs"]
    next_ids = select(jobs.c.id).where(jobs.c.id > after).order_by(jobs.c.id).limit(JOBS_AT_ONCE)
    ids = list(db.session.scalars(next_ids))
    db.session.commit()
    if not ids:
        return 0, None
    of_these = [db.metadata.tables[name] for name in _OF_JOBS]
    return sum(_erase(table, writings, table.c.job_id.in_(ids)) for table in of_these), ids[-1]


def _erase(table: Table, writings: Writings, *where: Any) -> int:
    searched = list(_searched(table))
    if not searched:
        return 0
    keys = list(table.primary_key.columns)
    like = or_(*(cast(column, Text).like(writings.like) for column in searched))
    with db.engine.connect().execution_options(**READ_ONLY) as connection:
        rows = connection.execute(select(*keys, *searched).where(like, *where)).all()
    changed = 0
    for row in rows:
        values = {}
        for column, value in zip(searched, row[len(keys) :], strict=True):
            other = without_in(value, writings, WORD)
            if other != value:
                values[column.name] = other
        if values:
            mine = and_(*(key == value for key, value in zip(keys, row, strict=False)))
            db.session.execute(update(table).where(mine).values(values))
            changed += 1
    if changed:
        db.session.commit()
    return changed


def _searched(table: Table) -> Iterator[Column[Any]]:
    """The columns that may have a text of somebody's."""
    for column in table.columns:
        kind = column.type
        if isinstance(kind, EnumColumn) or column.primary_key or column.name in _KEYS:
            continue
        if isinstance(kind, (String, JSON, ClippedText)) and not (
            isinstance(kind, TypeDecorator) and not isinstance(kind, ClippedText)
        ):
            yield column
