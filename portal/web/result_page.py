"""What a job's page shows of its result: how often each value was answered, as bars that choose rows, and the person's
own table with a column for each answer. Read-only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import current_app, request
from flask_babel import gettext

from portal.documents.comparison.two_lists import RowKind
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import header_of, rows_at
from portal.documents.shown_cells import shown_cell
from portal.documents.words import fix_words
from portal.jobs import queries
from portal.jobs.core import derived
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.status import CellStatus
from portal.jobs.corrections import MOST_READ, TO_FIX, Fixes
from portal.jobs.export import CHANGE, TITLES, answer_headings, beside_own, columns_of, fields_of_job, own_names
from portal.jobs.merge.changed_rows import changes_at
from portal.jobs.models import ScrapingJob
from portal.jobs.result.builder import NUMBER, OWN, ROW_CHANGE, column_of, field_of, own_columns, sheet_of
from portal.jobs.result.index_file import STATUS, Place, ResultIndex, Wanted
from portal.jobs.words.merges import change_words, kind_alone_words
from portal.jobs.words.statuses import reason_words
from portal.phone import Reason
from portal.sources.words import value_words

NO_VALUE = "\u2013"  # stands in an address for answers without a value
ONE_PER_NUMBER = ("e164", "national")  # nothing to choose by
MOST_BARS = 6  # of a field, before those that are folded away
MOST_VALUES = 60  # of a field that tells rows apart
MOST_ANSWERS = 8  # columns of the table
ALL = "all"
KINDS = tuple(kind for kind in RowKind if kind != RowKind.GONE)  # of the rows of a file, in their order
STATUSES_IN_ORDER = [status.value for status in CellStatus]


@dataclass(frozen=True)
class ValueBar:
    """One value of the answers. `address` has what an address needs to choose its rows, or not to choose them any
    more; `only` what it needs to download them alone."""

    words: str
    count: int
    percent: int  # of the largest
    is_chosen: bool
    address: dict[str, str]
    only: dict[str, str]
    is_none: bool = False  # of the cells without this field


@dataclass(frozen=True)
class FieldBars:
    """A field of the answers with its values, the most frequent first."""

    field: str
    label: str
    bars: list[ValueBar]

    @property
    def first(self) -> list[ValueBar]:
        """Those that are seen at once: the most frequent, and the one that is chosen."""
        return [bar for n, bar in enumerate(self.bars) if n < MOST_BARS or bar.is_chosen]

    @property
    def folded(self) -> list[ValueBar]:
        """The others."""
        return [bar for n, bar in enumerate(self.bars) if n >= MOST_BARS and not bar.is_chosen]


@dataclass(frozen=True)
class ChosenValue:
    """A value by which the rows are chosen, in words, and what an address needs without it."""

    label: str
    words: str
    without: dict[str, str]


def choosable(job: ScrapingJob) -> list[str]:
    """The fields of the job's answers by which rows can be chosen."""
    return [field for field in fields_of_job(job) if field not in ONE_PER_NUMBER]


def values_asked(job: ScrapingJob) -> dict[str, str]:
    """By which values of which fields the request chooses rows, as they stand in its address."""
    columns = map(column_of, choosable(job))
    found = {column: value for column in columns if (value := request.values.get(column, ""))}
    kind = request.values.get(ROW_CHANGE, "") if job.merge_id is not None else ""
    return {ROW_CHANGE: kind, **found} if kind in KINDS else found


def as_answered(asked: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The same as fields and values of answers."""
    answered = {field_of(column): value for column, value in asked.items() if column != ROW_CHANGE}
    return tuple((field, "" if value == NO_VALUE else value) for field, value in answered.items())


def change_asked(asked: dict[str, str]) -> RowKind | None:
    """By what the rows are beside an earlier list they are chosen, if they are."""
    return RowKind(asked[ROW_CHANGE]) if ROW_CHANGE in asked else None


def bars_of(job: ScrapingJob, index: ResultIndex | None, asked: dict[str, str]) -> list[FieldBars]:
    """The bars of each field that tells rows apart, and of those that are chosen by; none without an index."""
    if index is None:
        return []
    useful = {column.field for column in columns_of(fields_of_job(job)) if column.is_useful}
    found = _change_bars(index, asked)
    headings = answer_headings(fields_of_job(job), job.all_sources)
    for field in choosable(job):
        column = column_of(field)
        if (field not in useful and column not in asked) or column not in index.columns:
            continue
        counts = {value: count for value, count in (index.counts(column) or {}).items() if value is not None}
        if not any(counts) or len(counts) > MOST_VALUES or (len(counts) == 1 and column not in asked):
            continue
        counted = sorted(counts.items(), key=lambda item: (not item[0], -item[1], item[0]))
        found.append(FieldBars(column, headings[field], list(_bars(column, counted, asked))))
    return found


def _change_bars(index: ResultIndex, asked: dict[str, str]) -> list[FieldBars]:
    """The bars of what has changed since an earlier list, where more than one thing has."""
    counts = (index.counts(ROW_CHANGE) or {}) if ROW_CHANGE in index.columns else {}
    counted = [(kind.value, counts[kind]) for kind in KINDS if counts.get(kind)]
    if len(counted) < 2 and ROW_CHANGE not in asked:
        return []
    return [FieldBars(ROW_CHANGE, _change_heading(), list(_bars(ROW_CHANGE, counted, asked)))]


def _change_heading() -> str:
    return str(TITLES[CHANGE])


def _bars(field: str, counted: list[tuple[str, int]], asked: dict[str, str]) -> Iterable[ValueBar]:
    most = max((count for _, count in counted), default=1)
    others = {name: value for name, value in asked.items() if name != field}
    for value, count in counted:
        only = {field: value or NO_VALUE}
        is_chosen = asked.get(field) == only[field]
        words = _words_of(field, value) if value else gettext("without data")
        yield ValueBar(
            words,
            count,
            -(-count * 100 // most),
            is_chosen,
            others if is_chosen else {**others, **only},
            only,
            not value,
        )


def chosen_values(job: ScrapingJob, asked: dict[str, str]) -> list[ChosenValue]:
    """By which values the rows are chosen, for a line above them."""
    called = answer_headings(fields_of_job(job), job.all_sources)
    headings = {ROW_CHANGE: _change_heading(), **{column_of(field): text for field, text in called.items()}}
    return [
        ChosenValue(
            headings[field],
            gettext("without data") if value == NO_VALUE else _words_of(field, value),
            {name: one for name, one in asked.items() if name != field},
        )
        for field, value in asked.items()
    ]


def _words_of(field: str, value: str) -> str:
    return kind_alone_words(RowKind(value)) if field == ROW_CHANGE else value_words(field_of(field), value)


@dataclass(frozen=True)
class Heading:
    """The heading of a column by which the rows can be put in order. `sort` is what an address needs to do so; where
    they are in its order already, the other way round."""

    words: str
    sort: str
    order: str = ""  # as aria-sort has it


def sort_asked(index: ResultIndex | None, text: str) -> str:
    """The column by which the address puts the rows in order, with `-` before it for the other way round; empty for
    one that there is not."""
    return text if index is not None and text.removeprefix("-") in index.columns else ""


def found_rows(job: ScrapingJob, index: ResultIndex, row_filter: dict[str, Any]) -> queries.NumbersPage:
    """The page of rows that the address asks for; the last one for a page past the end."""
    outcome, sort = row_filter["outcome"], row_filter["sort"]
    asked = ((column, "" if value == NO_VALUE else value) for column, value in row_filter["values"].items())
    values = (*asked, *(() if outcome == ALL else ((STATUS, outcome),)))
    wanted = Wanted(values, row_filter["q"], sort.removeprefix("-"), sort.startswith("-"))
    per_page = queries.NUMBERS_PER_PAGE
    page = row_filter["page"]
    found = index.find(wanted, (page - 1) * per_page, per_page, _seen)
    if not found.positions and page > 1:
        page = max(1, -(-found.total // per_page))
        found = index.find(wanted, (page - 1) * per_page, per_page, _seen)
    return queries.numbers_at(job, index.places(found.positions), page, found.total, more=found.more)


def fix_groups(found: Fixes | None) -> list[dict[str, Any]]:
    """The groups as the template of the check page takes them."""
    groups = []
    for group in found.groups if found else ():
        offers = group.offers
        fix = fix_words(Reason(group.reason), offers) if offers else ""
        groups.append({
            "code": group.reason, "cells": group.cells,
            "sentence": reason_words(group.reason) or gettext("No reason was given."),
            "fix": fix, "first": group.first, "rows": group.rows,
        })  # fmt: skip
    return groups


def places_to_fix(index: ResultIndex) -> list[Place]:
    """Where the first cells stand that can be corrected: as many of each status as a page looks through."""
    wanted = [Wanted(((STATUS, outcome.value),)) for outcome in TO_FIX]
    return [place for one in wanted for place in index.places(index.find(one, 0, MOST_READ).positions)]


def _seen(column: str, value: str) -> str:
    if column == STATUS:
        return str(STATUSES_IN_ORDER.index(value))
    if column == ROW_CHANGE:
        return str(KINDS.index(RowKind(value)))
    return value if column.startswith(OWN) or column == NUMBER else value_words(field_of(column), value)


def table_of(job: ScrapingJob, numbers: list[CellAnswer], index: ResultIndex | None, sort: str) -> dict[str, Any]:
    """The columns of the table beside number and status: the person's own first ones, by their position, and the
    fields of the answers, without those that are empty throughout; the own cells of each row; and the headings."""
    fields = [column.field for column in columns_of(fields_of_job(job)) if column.field and column.is_useful]
    if index is not None:
        fields = [field for field in fields if _has_values(index, column_of(field))]
    elif not derived.is_unfinished(job):
        seen = {field for number in numbers for field, value in (number.answer or {}).items() if value}
        fields = [field for field in fields if field in seen]
    fields = fields[:MOST_ANSWERS]
    of_numbers, own, cells = _own_table(job, {number.row_no for number in numbers})
    called = answer_headings(fields_of_job(job), job.all_sources)
    labels = {
        **{f"{OWN}{column}": name for column, name in own.items()},
        NUMBER: of_numbers or gettext("Number"), STATUS: beside_own(gettext("Status"), own.values()),
        **{column_of(field): beside_own(called[field], own.values()) for field in fields},
        **({ROW_CHANGE: _change_heading()} if job.merge_id is not None else {}),
    }  # fmt: skip
    return {
        "answer_fields": [(field, column_of(field), labels[column_of(field)]) for field in fields],
        "own_columns": own,
        "own_cells": cells,
        "row_changes": _changes_of(job, numbers),
        "headings": {name: _heading(name, words, sort, index) for name, words in labels.items()},
    }


def _changes_of(job: ScrapingJob, numbers: list[CellAnswer]) -> dict[int, str] | None:
    """What each row that is not the same is beside the earlier list, in words; None without one."""
    if job.merge_id is None:
        return None
    found = changes_at(job.merge_id, {number.row_no for number in numbers})
    return {row_no: change_words(change) for row_no, change in found.items()}


def _has_values(index: ResultIndex, field: str) -> bool:
    if field not in index.columns:
        return False
    counts = index.counts(field)
    return counts is None or any(counts)


def _heading(name: str, words: str, sort: str, index: ResultIndex | None) -> Heading:
    if index is None or name not in index.columns:
        return Heading(words, "")
    if sort == name:
        return Heading(words, f"-{name}", "ascending")
    return Heading(words, name, "descending" if sort == f"-{name}" else "")


def _own_table(job: ScrapingJob, row_numbers: set[int]) -> tuple[str, dict[int, str], dict[int, dict[int, str]]]:
    """The name of the column with the numbers, empty where there are several; the names of the person's other columns
    that are shown, and their texts in each row."""
    sheet = sheet_of(job, current_app.extensions["storage"])
    if sheet is None:  # the answers are here, and they are what the page is for
        return "", {}, {}
    shown = own_columns(job, sheet)
    names = own_names([*job.columns, *shown], header_of(sheet, job.header_row))
    of_numbers = [names.pop(column) for column in job.columns]
    facts = next((SheetFacts.from_dict(one) for one in job.document.sheets if one["index"] == job.sheet), None)
    codes = {column: facts.format_of(column, job.header_row) if facts else "" for column in shown}
    texts = {
        row_no: {column: shown_cell(row[column], codes[column]) for column in shown if column < len(row)}
        for row_no, row in rows_at(sheet, row_numbers).items()
    }
    return of_numbers[0] if len(of_numbers) == 1 else "", names, texts
