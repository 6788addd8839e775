"""What a choice of columns gives: the heading row and the first rows of a job's file, as they will be written."""

from dataclasses import dataclass
from itertools import islice

from portal.documents.reader.sheet_file import Cell, text_of
from portal.documents.storage import Storage
from portal.jobs.export.column_templates import empty_columns
from portal.jobs.export.columns import ColumnChoice, columns_of
from portal.jobs.export.lines import RowFilter, fields_of_job, lines, plan_for
from portal.jobs.models import ScrapingJob

ROWS = 3


@dataclass(frozen=True)
class ColumnPreview:
    """The added columns below their headings, each row behind its number in the sheet and the person's own cells."""

    own_headings: list[str]  # of the columns with the numbers; empty without a heading row
    headings: list[str]
    rows: list[tuple[int, list[str], list[str]]]
    empty: frozenset[str]  # ids of columns without a value in the whole file


def preview_columns(job: ScrapingJob, storage: Storage, choice: ColumnChoice) -> ColumnPreview | None:
    """The first rows of this choice; None when the file's rows are gone."""
    empty = empty_columns(job, columns_of(fields_of_job(job)))
    plan = plan_for(job, storage, RowFilter.ALL, None, columns=choice, empty=empty)
    if not plan.sheet_path.is_file():
        return None
    numbered = enumerate(islice(lines(plan), plan.header_row + ROWS), start=1)
    rows = [
        (row_no, [_text(line.cells, column) for column in plan.number_columns], [text_of(cell) for cell in line.added])
        for row_no, line in numbered
        if row_no > plan.header_row
    ]
    own = [plan.own_headings[column] if column < len(plan.own_headings) else "" for column in plan.number_columns]
    return ColumnPreview(own, plan.labels(), rows, empty)


def _text(cells: list[Cell], column: int) -> str:
    return text_of(cells[column]) if column < len(cells) else ""
