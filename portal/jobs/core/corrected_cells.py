"""Writes into a job's ledger what a person corrected in its cells after the job has ended. It must not know a job's
verbs: `lifecycle` has the job's row locked, and counts.

A corrected cell keeps its text. Its old number goes, and the numbers that its person wrote take its place: those that
the job knows already with the answer that they have, new ones to be looked up.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import delete, func, select, tuple_, update

from portal.causes import CauseCode
from portal.database import changed_rows, db, insert_many
from portal.documents.check import BETWEEN
from portal.jobs.core.job_tables import CellAnswer, Number, NumberCell
from portal.phone import Reason
from portal.sources.base import FINAL, Outcome

T = TypeVar("T")
PIECE = 200  # cells in one statement
TO_FIX = (Outcome.FAILED, Outcome.INVALID, Outcome.REJECTED)
"""The outcomes of cells that can be corrected."""
LEFT_ALONE = (CauseCode.EXCLUDED.value, CauseCode.ERASED.value)
"""Reasons of cells whose number is right and is not looked up. `left_alone_count` of the job counts them."""
NOT_TO_FIX = (Reason.BLANK.value, *LEFT_ALONE)
"""Reasons of cells that are not offered: nothing can be read there, or the number is left alone."""

Place = tuple[int, int]
"""A cell's row, as Excel counts, and its column, from 0."""


class Change(NamedTuple):
    """What was written: how many cells were corrected, and by how much the cells of each outcome are more or fewer."""

    cells: int
    counts: Counter[Outcome]
    left_alone: int = 0  # by how many more cells have a number that is left alone
    filled: int = 0  # how many of them were blank


def write(job_id: int, wanted: Mapping[Place, str]) -> Change:
    """Give these cells their corrected numbers, in the session's transaction. A cell whose numbers all have an answer
    stays as it is, and so does one that has this correction already."""
    before = _cells(job_id, wanted)
    places = {
        place: corrected
        for place, corrected in sorted(wanted.items())
        if any(one.outcome in TO_FIX for one in before.get(place, ()))
        and any(one.corrected != corrected for one in before[place])
    }
    counts: Counter[Outcome] = Counter()
    if not places:
        return Change(0, counts)
    left_alone = filled = 0
    for place in places:
        counts.subtract(one.outcome for one in before[place])
        left_alone -= sum(one.reason in LEFT_ALONE for one in before[place])
        filled += sum(one.reason == Reason.BLANK for one in before[place])
    _remove(job_id, places, Counter(one.number_no for place in places for one in before[place] if one.number_no))
    more, more_left_alone = _add(job_id, places, {place: before[place][0].text for place in places})
    counts.update(more)
    return Change(len(places), counts, left_alone + more_left_alone, filled)


def _pieces(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield the items in lists that fit into one statement."""
    rest = iter(items)
    while some := list(islice(rest, PIECE)):
        yield some


def _cells(job_id: int, places: Iterable[Place]) -> dict[Place, list[CellAnswer]]:
    found: dict[Place, list[CellAnswer]] = {}
    for some in _pieces(places):
        query = select(CellAnswer).where(
            CellAnswer.job_id == job_id, tuple_(CellAnswer.row_no, CellAnswer.column).in_(some)
        )
        for one in db.session.scalars(query, execution_options={"populate_existing": True}):
            found.setdefault((one.row_no, one.column), []).append(one)
    return found


def _remove(job_id: int, places: Iterable[Place], numbers: Counter[int]) -> None:
    """Delete the cells, and the numbers that stand nowhere any more and were never answered. `numbers` says in how many
    of the cells each stands. Where the first cell of a number goes, the next one becomes the first."""
    for some in _pieces(places):
        own = tuple_(NumberCell.row_no, NumberCell.column).in_(some)
        changed_rows(delete(NumberCell).where(NumberCell.job_id == job_id, own))
    for nos in _pieces(numbers):
        first = _first_cells(job_id, nos)
        for no in nos:
            own_number = (Number.job_id == job_id, Number.no == no)
            if no not in first:
                changed_rows(delete(Number).where(*own_number, Number.outcome.not_in(FINAL)))
                changed_rows(update(Number).where(*own_number).values(cells=0))
                continue
            row_no, column, place = first[no]
            left = {"cells": Number.cells - numbers[no], "first_row": row_no}
            changed_rows(update(Number).where(*own_number).values(**left))
            key = (NumberCell.row_no == row_no, NumberCell.column == column, NumberCell.place == place)
            changed_rows(update(NumberCell).where(NumberCell.job_id == job_id, *key).values(repeats=False))


def _first_cells(job_id: int, nos: Iterable[int]) -> dict[int, tuple[int, int, int]]:
    """Return the row, column and place of the first cell of each of these numbers that stands anywhere."""
    standing = select(NumberCell.number_no, NumberCell.row_no, NumberCell.column, NumberCell.place).where(
        NumberCell.job_id == job_id, NumberCell.number_no.in_(nos)
    )
    first: dict[int, tuple[int, int, int]] = {}
    in_order = standing.order_by(NumberCell.row_no, NumberCell.column, NumberCell.place)
    for no, row_no, column, place in db.session.execute(in_order):
        first.setdefault(no or 0, (row_no, column, place))
    return first


def _add(job_id: int, places: Mapping[Place, str], texts: Mapping[Place, str]) -> tuple[Counter[Outcome], int]:
    """Write the cells anew, each with its corrected numbers, and return by how much each outcome has more cells, and
    how many more are left alone."""
    e164s = {e164 for text in places.values() for e164 in text.split(BETWEEN)}
    known = {one.e164: one for one in _known(job_id, e164s)}
    last = db.session.scalar(select(func.max(Number.no)).where(Number.job_id == job_id)) or 0
    counts: Counter[Outcome] = Counter()
    left_alone = 0
    new: dict[str, dict[str, Any]] = {}
    more: Counter[str] = Counter()  # cells of numbers that the job has
    cells = []
    for (row_no, column), corrected in places.items():
        for place, e164 in enumerate(corrected.split(BETWEEN), start=1):
            there = known.get(e164)
            if there is None:
                fresh = {"no": last + len(new) + 1, "e164": e164, "cells": 0, "first_row": row_no}
                number = new.setdefault(e164, fresh)
                no, repeats = number["no"], number["cells"] > 0
                number["cells"] += 1
            else:
                no, repeats = there.no, there.cells > 0
                there.first_row = there.first_row if repeats else row_no
                there.cells += 1
                more[e164] += 1
            cells.append({
                "job_id": job_id, "row_no": row_no, "column": column, "place": place, "text": texts[row_no, column],
                "number_no": no, "repeats": repeats, "reason": None, "corrected": corrected,
            })  # fmt: skip
    for e164, count in more.items():
        number_there = known[e164]
        if number_there.outcome == Outcome.FAILED:  # its person asks for it anew, wherever it stands
            counts[Outcome.FAILED] -= number_there.cells - count
            counts[Outcome.WAITING] += number_there.cells
            number_there.outcome, number_there.reason = Outcome.WAITING, None
        else:
            counts[number_there.outcome] += count
            left_alone += count if number_there.reason in LEFT_ALONE else 0
    db.session.flush()
    counts[Outcome.WAITING] += sum(number["cells"] for number in new.values())
    insert_many(Number, [{"job_id": job_id, **number} for number in new.values()])
    insert_many(NumberCell, cells)
    return counts, left_alone


def _known(job_id: int, e164s: Iterable[str]) -> Iterator[Number]:
    """Yield those of the numbers that the job has, for changing."""
    for some in _pieces(e164s):
        query = select(Number).where(Number.job_id == job_id, Number.e164.in_(some))
        yield from db.session.scalars(query, execution_options={"populate_existing": True})
