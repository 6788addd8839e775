"""What a job's page shows of its result: how often each value was answered, as bars that choose rows, and the person's
own table with a column for each answer. Read-only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import current_app, request
from flask_babel import gettext

from portal.documents.reader.sheet_file import DISPLAY_CHARACTERS, header_of, rows_at, text_of
from portal.documents.storage import sheet_part
from portal.jobs.core import derived
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.export import columns_of, counts_by_value, fields_of_job, own_names
from portal.jobs.models import ScrapingJob
from portal.sources.words import heading_of, value_words

NO_VALUE = "\u2013"  # stands in an address for answers without a value
ONE_PER_NUMBER = ("e164", "national")  # nothing to choose by
NOT_FIELDS = (
    "outcome",
    "find",
    "after",
    "rows",
    "group",
    "columns",
    "summary",
    "reasons",
    "chosen",
    "v",
)  # of addresses
MOST_BARS = 6  # of a field, before those that are folded away
MOST_OWN, MOST_ANSWERS = 4, 8  # columns of the table


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
    return [field for field in fields_of_job(job) if field not in ONE_PER_NUMBER and field not in NOT_FIELDS]


def values_asked(job: ScrapingJob) -> dict[str, str]:
    """By which values of which fields the request chooses rows, as they stand in its address."""
    return {field: value for field in choosable(job) if (value := request.values.get(field, ""))}


def as_answered(asked: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The same as fields and values of answers."""
    return tuple((field, "" if value == NO_VALUE else value) for field, value in asked.items())


def bars_of(job: ScrapingJob, asked: dict[str, str]) -> list[FieldBars]:
    """The bars of each field that tells rows apart, and of those that are chosen by; none while the job runs."""
    if derived.is_unfinished(job):
        return []
    useful = {column.field for column in columns_of(fields_of_job(job)) if column.is_useful}
    fields = [field for field in choosable(job) if field in useful or field in asked]
    return [
        FieldBars(field, heading_of(field, job.source), list(_bars(field, counted, asked)))
        for field, counted in counts_by_value(job, fields).items()
        if len(counted) > 1 or field in asked
    ]


def _bars(field: str, counted: list[tuple[str, int]], asked: dict[str, str]) -> Iterable[ValueBar]:
    most = max(count for _, count in counted)
    others = {name: value for name, value in asked.items() if name != field}
    for value, count in counted:
        only = {field: value or NO_VALUE}
        is_chosen = asked.get(field) == only[field]
        words = value_words(field, value) if value else gettext("without data")
        yield ValueBar(
            words, count, -(-count * 100 // most), is_chosen, others if is_chosen else {**others, **only}, only
        )


def chosen_values(job: ScrapingJob, asked: dict[str, str]) -> list[ChosenValue]:
    """By which values the rows are chosen, for a line above them."""
    return [
        ChosenValue(
            heading_of(field, job.source),
            gettext("without data") if value == NO_VALUE else value_words(field, value),
            {name: one for name, one in asked.items() if name != field},
        )
        for field, value in asked.items()
    ]


def table_of(job: ScrapingJob, numbers: list[CellAnswer], bars: list[FieldBars]) -> dict[str, Any]:
    """The columns of the table beside number and status: the person's own first ones, by their position, and the
    fields of the answers, without those that are empty throughout; and the own cells of each row."""
    fields = [column.field for column in columns_of(fields_of_job(job)) if column.field and column.is_useful]
    if not derived.is_unfinished(job):
        seen = {field for number in numbers for field, value in (number.answer or {}).items() if value}
        told = {one.field for one in bars}
        fields = [field for field in fields if field in seen or field in told]
    own = _own_table(job, {number.row_no for number in numbers})
    return {
        "answer_fields": [(field, heading_of(field, job.source)) for field in fields[:MOST_ANSWERS]],
        **own,
    }


def _own_table(job: ScrapingJob, row_numbers: set[int]) -> dict[str, Any]:
    nothing: dict[str, Any] = {"own_columns": {}, "own_cells": {}}
    try:
        path = current_app.extensions["storage"].fetch(job.document.storage_key, sheet_part(job.sheet))
        heads = header_of(path, job.header_row)
        cells = rows_at(path, row_numbers)
    except OSError:  # the answers are here, and they are what the page is for
        return nothing
    width = max((len(row) for row in cells.values()), default=0)
    others = [column for column in range(max(len(heads), width)) if column not in job.columns]
    texts = {
        row_no: {column: text_of(row[column])[:DISPLAY_CHARACTERS] for column in others if column < len(row)}
        for row_no, row in cells.items()
    }
    filled = [column for column in others if (column < len(heads) and heads[column]) or _is_filled(texts, column)]
    shown = filled[:MOST_OWN]
    names = own_names(shown, heads)
    return {"own_columns": names, "own_cells": texts}


def _is_filled(texts: dict[int, dict[int, str]], column: int) -> bool:
    return any(row.get(column) for row in texts.values())
