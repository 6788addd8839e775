"""What the file of a job that has not begun will look like: its first rows with the columns that are added.

No number is looked up for it: the answers are examples, and marked as such. Not even an answer that the portal has from
an earlier file is shown: it may be another person's, and it counts only once a job is started.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path

from flask_babel import get_timezone

from portal import sources
from portal.documents.check import CheckedCell, Corrections, check
from portal.documents.choice import SheetChoice
from portal.documents.comparison.two_lists import RowChange
from portal.documents.reader.sheet_file import Cell, first_rows, text_of
from portal.jobs.export.answer_cells import NumberResult
from portal.jobs.export.column_templates import kept_or_default
from portal.jobs.export.columns import CHANGE, CORRECTED, ROW, TODO, columns_of, named_beside, titles_of
from portal.jobs.export.lines import ExportPlan, RowFilter
from portal.sources.base import Outcome
from portal.sources.several import FOUND_BY, names_of

ROWS = 4
OWN_COLUMNS = 1  # of the person's, besides those with numbers: the answers should be seen beside them
NO_EXAMPLE = "…"


@dataclass(frozen=True)
class ResultRow:
    """One row: the person's cells that are shown, then the texts of the added ones, each with whether it is only an
    example."""

    row_no: int
    own: list[Cell]
    added: list[tuple[str, bool]]


@dataclass(frozen=True)
class ResultPreview:
    """The first rows of the file that comes back."""

    own: list[tuple[int, str]]  # the person's columns that are shown, with their headings
    more: int  # the person's columns that are not shown
    headings: list[str]  # of the added columns
    rows: list[ResultRow]

    @property
    def has_examples(self) -> bool:
        """Whether an answer is an example."""
        return any(is_example for row in self.rows for _, is_example in row.added)


def preview_result(
    user_id: int,
    source: str,
    path: Path,
    header: Sequence[str],
    width: int,
    choice: SheetChoice,
    corrections: Corrections,
    change_of: Callable[[int], RowChange] | None = None,
) -> ResultPreview:
    """Return what the first rows will look like with this person's columns for the source. `path` is the file of the
    sheet's rows, `header` are the texts of the chosen header row, `width` is the number of the sheet's columns.
    `change_of`: what a row is beside an earlier list, where the file is compared with one."""
    absent = set() if corrections else {CORRECTED}
    absent |= set() if change_of else {CHANGE}
    plan = _plan(user_id, source, path, header, choice, {ROW, TODO, *absent})
    by_row = groupby(check(path, choice, corrections), key=attrgetter("row_no"))
    first = [(row_no, list(cells)) for row_no, cells in islice(by_row, ROWS)]
    shown = _shown_columns(choice.columns, width)
    last = first[-1][0] if first else 0
    own = dict(enumerate(first_rows(path, 0, last), start=1)) if last <= 10_000 else {}
    readers, about = plan.cells(typed=False), [(column, one.id) for column, one, _ in plan.added()]
    rows = []
    for row_no, cells in first:
        change = change_of(row_no) if change_of else None
        results = [_result(cell, plan.fields, source)._replace(change=change) for cell in cells]
        texts = [text_of(one) for one in readers.of(results)]
        examples = {cell.column for cell in cells if cell.phone_e164}
        is_example = [
            bool(text) and column in examples and id_ != CHANGE
            for text, (column, id_) in zip(texts, about, strict=True)
        ]
        values = own.get(row_no, [])
        rows.append(
            ResultRow(
                row_no,
                [values[column] if column < len(values) else None for column in shown],
                list(zip(texts, is_example, strict=True)),
            )
        )
    heads = [(column, header[column] if column < len(header) else "") for column in shown]
    return ResultPreview(heads, width - len(shown), plan.labels(), rows)


def _plan(
    user_id: int, source: str, path: Path, header: Sequence[str], choice: SheetChoice, absent: set[str]
) -> ExportPlan:
    fields = sources.fields_of(source)
    columns = {column.id: column for column in columns_of(fields)}
    titles = titles_of(tuple(columns.values()), source)
    picks = kept_or_default(user_id, source).picks_of(tuple(columns.values()))
    shown = [pick for pick in picks if pick.is_shown and pick.id not in absent]
    return ExportPlan(
        job_id=0,
        sheet_path=path,
        sheet_name="",
        width=0,
        header_row=choice.header_row,
        column=choice.columns[0],
        more_columns=choice.columns[1:],
        country=choice.country,
        source=source,
        fields=fields,
        rows=RowFilter.ALL,
        group=None,
        time_zone=str(get_timezone()),
        about="",
        columns=tuple(columns[pick.id] for pick in shown),
        names=named_beside(shown, titles, header, is_several=len(choice.columns) > 1),
        own_headings=tuple(header),
    )


def _shown_columns(numbers: Sequence[int], width: int) -> list[int]:
    """The person's columns that are shown: those with numbers, and the first of the others."""
    others = [column for column in range(width) if column not in numbers][:OWN_COLUMNS]
    return sorted({*numbers, *others})


def _result(cell: CheckedCell, fields: Sequence[str], source: str) -> NumberResult:
    """What the file will say of a cell; for a number, an example."""
    outcome, reason, answer = Outcome.INVALID, str(cell.reason), None
    if cell.phone_e164 is not None:
        first = names_of(source)[0]  # of several the example shows what the first one would have found
        make = sources.facts_of(first).example
        answer = dict(make(cell.phone_e164)) if make else dict.fromkeys(fields, NO_EXAMPLE)
        if first != source:
            answer |= {field: NO_EXAMPLE for field in fields if field not in answer} | {FOUND_BY: first}
        outcome, reason = Outcome.FOUND, ""
    return NumberResult(
        cell.row_no, cell.column, cell.phone_e164, cell.duplicate_of, outcome, reason or None, answer, None, cell.text,
        cell.corrected,
    )  # fmt: skip
