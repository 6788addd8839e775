"""The cells of an ended job that a person can correct, and what is written beside them already.

A correction waits beside its cell until it is looked up (`commands.correct`), and can be taken back until then. It is
kept with the document, by `documents.corrections`: the next job of the same file begins with it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from portal.database import db
from portal.documents import corrections
from portal.documents.check import BETWEEN, accepted_offer, countries_of_rows
from portal.documents.choice import SheetChoice
from portal.documents.corrections import Cell, CorrectedCell, Refused
from portal.documents.models import Document
from portal.documents.storage import Storage, sheet_part
from portal.jobs import excluded_numbers
from portal.jobs.core.corrected_cells import NOT_TO_FIX, TO_FIX
from portal.jobs.core.derived import cells_to_fix, is_unfinished
from portal.jobs.core.job_tables import CellAnswer, Number
from portal.jobs.models import ScrapingJob
from portal.phone import Reason, parse
from portal.sources.base import Outcome

MOST_READ = 5000  # cells that are looked through for what they may mean
ROWS_SHOWN = 100  # of each reason
ROWS_KEPT = 150  # of each reason, with the result: some of them may be corrected before the page is looked at again
OFFERS_SHOWN = 3


@dataclass
class FixGroup:
    """The cells that have no answer for the same reason. `rows` are the first ones: row, text, reason, the numbers that
    it may mean, and column. `offers` of all cells have one clear offer; `offered` are the first of them, or all."""

    reason: str
    cells: int = 0
    rows: list[tuple[int, str, str, tuple[str, ...], int]] = field(default_factory=list)
    offers: int = 0
    offered: dict[Cell, tuple[str, str]] = field(default_factory=dict)  # text, numbers

    @property
    def first(self) -> list[tuple[str, str]]:
        """The first offers: the text in the cell, and its numbers."""
        return list(self.offered.values())[:OFFERS_SHOWN]


@dataclass(frozen=True)
class Fixes:
    """What can be corrected in a job: the groups, the largest first; what is written and not looked up yet; and how
    many numbers would be looked up now."""

    groups: list[FixGroup]
    written: list[CorrectedCell]
    numbers: int

    @property
    def cells(self) -> int:
        """How many cells are left to be corrected."""
        return sum(group.cells for group in self.groups)


def may_be_corrected(job: ScrapingJob) -> bool:
    """Whether the job is at its end: no worker has it, and none will take it without a person."""
    return not is_unfinished(job)


Places = Sequence[tuple[int, int, int]]
"""Cells, each a row, a column and a place."""


def fixes_of(
    job: ScrapingJob, kept: list[dict[str, Any]] | None = None, places: Callable[[], Places] | None = None
) -> Fixes | None:
    """Return what can be corrected in the job; None when there is nothing, or it is not at its end. `kept` is what
    `to_keep` returned for the same answers. Without it, or when most of it is corrected, the cells are read: those
    that `places` returns, or all."""
    if not may_be_corrected(job) or not job.failed_count + cells_to_fix(job):
        return None
    written = _written(job)
    groups = _left(job, kept, written) if kept is not None else None
    if groups is None:
        there = {(one.row_no, one.column) for one in written}
        groups = _groups(job, places() if places is not None else None, there)
    if not groups and not written:
        return None
    to_ask = numbers_to_look_up(job, {(one.row_no, one.column): one.corrected for one in written})
    return Fixes(sorted(groups, key=lambda group: -group.cells), written, to_ask)


def written_in(job: ScrapingJob) -> list[CorrectedCell]:
    """Return what is written beside the cells of an ended job and not looked up yet."""
    return _written(job) if may_be_corrected(job) else []


def to_keep(job: ScrapingJob, counts: Mapping[str, int], places: Places) -> list[dict[str, Any]]:
    """Return the cells of an ended job that can be corrected as its result keeps them, so that no page has to read them
    all: for each reason the count, from `counts`, and the first rows with what they may mean. `places` are the first
    cells, in the file's order."""
    return [
        {
            "reason": group.reason, "cells": counts[group.reason], "offers": group.offers,
            "rows": group.rows[:ROWS_KEPT],
            "offered": [[*cell, *offer] for cell, offer in list(group.offered.items())[:ROWS_KEPT]],
        }
        for group in _groups(job, places, set(), ROWS_KEPT)
    ]  # fmt: skip


def _left(
    job: ScrapingJob, kept: Iterable[Mapping[str, Any]], written: Collection[CorrectedCell]
) -> list[FixGroup] | None:
    """The kept groups without the cells beside which something is written. None: too few rows of one are left."""
    groups = {
        one["reason"]: FixGroup(
            one["reason"], one["cells"],
            [(row_no, text, reason, tuple(offered), column) for row_no, text, reason, offered, column in one["rows"]],
            one["offers"],
            {(row_no, column): (text, numbers) for row_no, column, text, numbers in one["offered"]},
        )
        for one in kept
    }  # fmt: skip
    there = {(one.row_no, one.column) for one in written}
    countries = countries_of(job, {row_no for row_no, _ in there}) if there else {}
    for cell, (text, reason) in _reasons_of(job, there).items():
        if (group := groups.get(reason)) is None:
            return None
        group.cells -= 1
        if group.offers:
            group.offers -= bool(_clear_offer(text, reason, countries.get(cell[0]) or job.country))
    for group in groups.values():
        group.rows = [row for row in group.rows if (row[0], row[4]) not in there][:ROWS_SHOWN]
        group.offered = {cell: offer for cell, offer in group.offered.items() if cell not in there}
        if len(group.rows) < min(group.cells, ROWS_SHOWN) or len(group.offered) < min(group.offers, OFFERS_SHOWN):
            return None
    return [group for group in groups.values() if group.cells > 0]


def _reasons_of(job: ScrapingJob, cells: Collection[Cell]) -> dict[Cell, tuple[str, str]]:
    """The text and the reason of cells that can be corrected."""
    if not cells:
        return {}
    places = [(row_no, column, 1) for row_no, column in cells]
    found = (
        (one.row_no, one.column, one.text, one.reason or "") for one in reversed(_read(job, places, len(cells) * 99))
    )
    return {(row_no, column): (text, reason) for row_no, column, text, reason in found if (row_no, column) in cells}


def _clear_offer(text: str, reason: str, country: str) -> tuple[str, ...]:
    return accepted_offer(Reason(reason), _offered(text, reason, country)) if reason in tuple(Reason) else ()


def _groups(job: ScrapingJob, places: Places | None, there: set[Cell], most: int = ROWS_SHOWN) -> list[FixGroup]:
    """The cells that can be corrected, by reason: those at `places`, or all, without those that are `there`."""
    groups: dict[str, FixGroup] = {}
    seen = set(there)
    found = db.session.execute(_to_fix(job)).all() if places is None else _read(job, places)
    countries = countries_of(job, {one.row_no for one in found if one.e164 is None})
    for one in found:
        if (cell := (one.row_no, one.column)) in seen:
            continue
        seen.add(cell)
        group = groups.setdefault(one.reason or "", FixGroup(one.reason or ""))
        country = countries.get(one.row_no) or job.country
        offered = _offered(one.text, one.reason, country) if one.e164 is None else ()
        if len(group.rows) < most:
            group.rows.append((one.row_no, one.text, one.reason or "", offered, one.column))
        if one.reason in tuple(Reason) and (numbers := accepted_offer(Reason(one.reason), offered)):
            group.offered[cell] = (one.text, BETWEEN.join(numbers))
            group.offers += 1
        group.cells += 1
    return list(groups.values())


def _to_fix(job: ScrapingJob) -> Any:
    """The first cells that can be corrected, in the file's order, those without a number first."""
    bad = (CellAnswer.job_id == job.id, CellAnswer.outcome.in_(TO_FIX))
    offered = func.coalesce(CellAnswer.reason, "").not_in(NOT_TO_FIX)
    columns = (CellAnswer.row_no, CellAnswer.column, CellAnswer.text, CellAnswer.reason, CellAnswer.e164)
    order = (CellAnswer.e164.is_not(None), CellAnswer.row_no, CellAnswer.column, CellAnswer.place)
    return select(*columns).where(*bad, offered).order_by(*order).limit(MOST_READ)


def _read(job: ScrapingJob, places: Places, most: int = MOST_READ) -> list[Any]:
    """The same of these cells alone."""
    row_nos = sorted({row_no for row_no, _, _ in places})
    found: list[Any] = []
    for first in range(0, len(row_nos), 500):
        some = _to_fix(job).where(CellAnswer.row_no.in_(row_nos[first : first + 500]))
        found += db.session.execute(some).all()
    return sorted(found, key=lambda one: (one.e164 is not None, one.row_no, one.column))[:most]


def _offered(text: str, reason: str | None, country: str) -> tuple[str, ...]:
    """The numbers that a cell may mean. A reason that an earlier parser gave keeps its meaning: then there are none."""
    phone = parse(text, country)
    if reason == Reason.OTHER_COUNTRY and phone.e164:  # its row names a country that is not known
        return (phone.e164,)
    return tuple(phone.offered) if phone.reason == reason else ()


def countries_of(job: ScrapingJob, row_nos: Collection[int]) -> dict[int, str | None]:
    """Return the country of the numbers without a prefix in each of these rows; None where it is not known."""
    if job.country_column is None:
        return dict.fromkeys(row_nos, job.country)
    choice = SheetChoice(job.sheet, job.header_row, job.columns, job.country, job.country_column)
    storage: Storage = current_app.extensions["storage"]
    try:
        return countries_of_rows(storage.fetch(job.document.storage_key, sheet_part(job.sheet)), choice, row_nos)
    except OSError:  # only numbers with a prefix are clear then
        return dict.fromkeys(row_nos)


def read_cells(job: ScrapingJob, typed: Mapping[Cell, str]) -> dict[Cell, str | Refused]:
    """Read what a person wrote for cells, each in its row's country: the numbers, or why there are none."""
    countries = countries_of(job, {row_no for row_no, _ in typed})
    return {cell: corrections.read_typed(text, countries.get(cell[0]), job.country) for cell, text in typed.items()}


def written_beside(job_id: int) -> dict[Cell, str]:
    """Return what is written beside the job's cells, by cell."""
    job = db.session.get(ScrapingJob, job_id, populate_existing=True)
    if job is None:
        return {}
    made = corrections.corrections_of(job.document_id, job.sheet)
    return {cell: numbers for cell, numbers in made.items() if cell[1] in job.columns}


def _written(job: ScrapingJob) -> list[CorrectedCell]:
    """What is written beside cells that can be corrected, and not looked up yet, in the order of the rows."""
    made = [one for one in corrections.made_in(job.document_id, job.sheet) if one.column in job.columns]
    cells = _cells_of(job, {(one.row_no, one.column) for one in made})
    waits = [one for one in made if (there := cells.get((one.row_no, one.column))) and there[1] != one.corrected]
    return [one._replace(text=cells[one.row_no, one.column][0]) for one in waits]


def _cells_of(job: ScrapingJob, wanted: set[Cell]) -> dict[Cell, tuple[str, str | None]]:
    """The text of those of these cells that can be corrected, and the numbers that were written before."""
    if not wanted:
        return {}
    rows = sorted({row_no for row_no, _ in wanted})
    found: dict[Cell, tuple[str, str | None]] = {}
    for first in range(0, len(rows), 500):
        query = select(CellAnswer.row_no, CellAnswer.column, CellAnswer.text, CellAnswer.corrected).where(
            CellAnswer.job_id == job.id,
            CellAnswer.row_no.in_(rows[first : first + 500]),
            CellAnswer.outcome.in_(TO_FIX),
        )
        found |= {(row_no, column): (text, numbers) for row_no, column, text, numbers in db.session.execute(query)}
    return {cell: one for cell, one in found.items() if cell in wanted}


def numbers_to_look_up(job: ScrapingJob, written: Mapping[Cell, str]) -> int:
    """Return how many numbers would be looked up with these corrections: those that the job has no answer for."""
    cells = _cells_of(job, set(written))
    wanted = {e164 for cell in cells for e164 in written[cell].split(BETWEEN) if written[cell] != cells[cell][1]}
    answered: set[str] = set()
    in_order = sorted(wanted)
    for first in range(0, len(in_order), 500):
        known = (Number.job_id == job.id, Number.e164.in_(in_order[first : first + 500]))
        answered |= set(db.session.scalars(select(Number.e164).where(*known, Number.outcome != Outcome.FAILED)))
    new = wanted - answered
    if new and excluded_numbers.are_any():
        new = new - set(excluded_numbers.excluded_among(new, job.source))
    waiting = job.waiting_numbers
    if waiting:
        waiting -= sum(cells for _, cells in excluded_numbers.in_retry(job, ()) or ())
    return len(new) + waiting


def write(job: ScrapingJob, wanted: Mapping[Cell, str], now: datetime) -> set[Cell]:
    """Write numbers beside cells that can be corrected. Returns those that have them now: another correction that
    nobody has looked up yet stays. Commits."""
    document = db.session.get(Document, job.document_id)
    cells = _cells_of(job, set(wanted)) if document is not None and may_be_corrected(job) else {}
    if document is None or not cells:
        return set()
    new = {cell: (text, wanted[cell]) for cell, (text, _) in cells.items()}
    used = {cell: before for cell, (_, before) in cells.items() if before is not None}
    return corrections.correct(document.id, document.storage_key, job.sheet, new, now, instead_of=used)


def take_back(job: ScrapingJob, cell: Cell | None, now: datetime) -> None:
    """Take back what is written beside a cell, or beside all of them, and is not looked up yet. Commits."""
    cells = [(one.row_no, one.column) for one in _written(job) if cell in (None, (one.row_no, one.column))]
    document = db.session.get(Document, job.document_id)
    used = {place: (text, before) for place, (text, before) in _cells_of(job, set(cells)).items() if before}
    if document is None:
        return
    document_id, key = document.id, document.storage_key
    for place in cells:
        corrections.take_back(document_id, job.sheet, place)
    if used:
        corrections.correct(document_id, key, job.sheet, used, now)
