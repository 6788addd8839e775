"""Recognises a download of the portal that was corrected and uploaded again, and says which of its rows are whose.

A workbook has the job's mark (`jobs.download_mark`). A text, or a workbook that lost its mark, is known by its content:
by the headings of one of the person's own jobs with ours behind them, and by at least half of its rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path

from flask_babel import force_locale
from sqlalchemy import select

from portal.accounts import User
from portal.config import LOCALES
from portal.database import db
from portal.documents.corrections import Cell, Refused, read_typed
from portal.documents.intake import default_sheet
from portal.documents.models import Document
from portal.documents.reader.heading_words import normalised
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import DISPLAY_CHARACTERS, header_of, rows, text_of
from portal.documents.row_match import Row, match_rows
from portal.documents.storage import Storage, sheet_part
from portal.jobs import corrections, queries
from portal.jobs.core.corrected_cells import TO_FIX
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.download_mark import Mark, read_mark
from portal.jobs.export.columns import ROW, STATUS, TITLES, beside_own
from portal.jobs.export.corrected_column import corrected_columns
from portal.jobs.models import ScrapingJob

MOST_ROWS = 50_000  # of a file that is compared while its check page is made
JOBS_COMPARED = 20  # of a person, the newest first
ROWS_NAMED = 10


class ReturnState(StrEnum):
    """What can be done with a file that is a download of a job."""

    READY = "ready"  # its rows are known
    RUNNING = "running"  # the job has not ended
    GONE = "gone"  # the job was deleted
    OTHERS = "others"  # it is another person's job
    CHANGED = "changed"  # its columns are not those of the job any more


@dataclass
class Returned:
    """A file that is a download of a job. Without READY only `state` counts, and `job` where the reader may see it."""

    state: ReturnState
    job: ScrapingJob | None = None
    rows: int = 0  # of the file, below its headings
    theirs: int = 0  # of these, rows of the job
    missing: int = 0  # rows of the job that a file with all its rows does not have
    corrected: dict[Cell, str] = field(default_factory=dict)  # the job's cells with the numbers that they get
    unreadable: list[int] = field(default_factory=list)  # rows of the file in which what was written is no number
    already: int = 0  # cells that have this correction
    answered: int = 0  # cells that were changed though they have an answer
    numbers: int = 0  # to be looked up

    @property
    def added(self) -> int:
        """Rows of the file that the job does not have."""
        return self.rows - self.theirs


def returned_in(document: Document, user: User, storage: Storage) -> Returned | None:
    """Recognise a ready document as a download of a job. None: it is none. Raises StorageAway and FileNotFoundError."""
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    first = default_sheet(sheets)
    if first is None or first.rows > MOST_ROWS:
        return None
    mark = next((found for facts in sheets if facts.mark and (found := read_mark(facts.mark))), None)
    if mark is None:
        return _by_content(document, first, storage)
    job = db.session.get(ScrapingJob, mark.job_id, populate_existing=True)
    if job is None or (job.user_id != user.id and not user.is_admin):
        return Returned(ReturnState.GONE if job is None else ReturnState.OTHERS)
    if job.deleted_at is not None:
        return Returned(ReturnState.GONE)
    if queries.find_job(user, job.id) is None or job.document_id == document.id:
        return None
    named = _sheet_of(job).get("name")
    own = next((facts for facts in sheets if facts.usable and facts.name == named), first)
    return _compared(job, document, own, mark, storage) or Returned(ReturnState.CHANGED, job)


def _by_content(document: Document, facts: SheetFacts, storage: Storage) -> Returned | None:
    """The newest of the person's jobs whose rows are at least half of the file's."""
    ours = _our_headings()
    if not any(normalised(head) in ours for head in facts.header):
        return None
    mine = (ScrapingJob.user_id == document.user_id, ScrapingJob.deleted_at.is_(None), ScrapingJob.header_row > 0)
    others = (ScrapingJob.document_id != document.id, ScrapingJob.total_numbers <= MOST_ROWS)
    newest = select(ScrapingJob).where(*mine, *others).order_by(ScrapingJob.id.desc()).limit(JOBS_COMPARED)
    for job in db.session.scalars(newest):
        header = [normalised(head) for head in _header_of(job, storage)]
        behind = [normalised(head) for head in facts.header[len(header) : len(header) + 3]]
        if not header or [normalised(head) for head in facts.header[: len(header)]] != header:
            continue
        if not ours & set(behind):
            continue
        row_heading = next((head for head in facts.header if normalised(head) in _our_headings(ROW)), "")
        found = _compared(job, document, facts, Mark(job.id, row_heading), storage)
        if found is not None and (found.state is not ReturnState.READY or found.theirs * 2 >= found.rows):
            return found
    return None


def _our_headings(*ids: str) -> set[str]:
    """The names of these added columns in all languages; of those that nearly every file has without ids."""
    names = set()
    for locale in LOCALES:
        with force_locale(locale):
            titles = [str(TITLES[one]) for one in ids or (ROW, STATUS)]
            names |= {normalised(name) for title in titles for name in (title, beside_own(title, [title]))}
    return names


def _sheet_of(job: ScrapingJob) -> dict[str, object]:
    return next((facts for facts in job.document.sheets if facts["index"] == job.sheet), {})


def _path_of(job: ScrapingJob, storage: Storage) -> Path:
    return storage.fetch(job.document.storage_key, sheet_part(job.sheet))


def _header_of(job: ScrapingJob, storage: Storage) -> list[str]:
    return header_of(_path_of(job, storage), job.header_row)


def _compared(job: ScrapingJob, document: Document, facts: SheetFacts, mark: Mark, storage: Storage) -> Returned | None:
    """Compare the file with its job; None when the columns of numbers are not found."""
    if not corrections.may_be_corrected(job):
        return Returned(ReturnState.RUNNING, job)
    path = storage.fetch(document.storage_key, sheet_part(facts.index))
    header = _header_of(job, storage)
    header_row, columns = job.header_row, dict(enumerate(range(len(header) or facts.columns)))
    if header:
        given = header_of(path, job.header_row)
        if _columns(header, given) is None or not set(job.columns) <= set(_columns(header, given) or ()):
            header_row, given = facts.header_row, facts.header
        found_columns = _columns(header, given)
        if found_columns is None or not set(job.columns) <= set(found_columns):
            return None
        columns = found_columns
        row_at = next((n for n in range(len(given) - 1, -1, -1) if given[n] == mark.row_heading), None)
        places = corrected_columns(given, [columns[column] for column in job.columns])
    else:
        row_at, places = None, {}
    return _Comparison(job, path, header_row, columns, row_at if mark.row_heading else None, places).result(
        _path_of(job, storage), is_whole=not mark.row_heading
    )


def _columns(known: Sequence[str], given: Sequence[str]) -> dict[int, int] | None:
    """Where the job's columns are in the file: by their headings. None when none is there."""
    names = [normalised(head) for head in given]
    found = {}
    for place, head in enumerate(map(normalised, known)):
        if place < len(names) and names[place] == head:
            found[place] = place
        elif head and names.count(head) == 1:
            found[place] = names.index(head)
    return found or None


class _Comparison:
    """The rows of a file beside those of its job."""

    def __init__(
        self,
        job: ScrapingJob,
        path: Path,
        header_row: int,
        columns: dict[int, int],
        row_at: int | None,
        corrected_at: dict[int, int],
    ) -> None:
        """`columns`: the place in the file of each column of the job; `row_at`: of the one with the rows' numbers;
        `corrected_at`: by the place of a column with numbers, that of its corrections."""
        self.job, self.path, self.header_row, self.row_at = job, path, header_row, row_at
        self.numbers = [(column, columns[column]) for column in job.columns if column in columns]
        self.others = [(own, there) for own, there in columns.items() if own not in job.columns]
        self.corrected_at = corrected_at
        self.written: dict[tuple[int, int], str] = {}  # in the column of corrections, by row and place of the number
        self.countries: dict[int, str | None] = {}  # by row of the job
        self.named: dict[int, int] = {}  # row of the file → the row that it names itself

    def result(self, known_path: Path, *, is_whole: bool) -> Returned:
        """What was corrected, and what else is different."""
        ledger: dict[int, list[CellAnswer]] = {}
        for cell in db.session.scalars(select(CellAnswer).where(CellAnswer.job_id == self.job.id)):
            ledger.setdefault(cell.row_no, []).append(cell)
        given = list(self._given())
        known = [row for row in self._known(known_path) if row.row_no in ledger]
        found = self._named(ledger) if self.row_at is not None else match_rows(known, given)
        result = Returned(ReturnState.READY, self.job, rows=len(given), theirs=len(found))
        self.countries = corrections.countries_of(self.job, set(found.values()))
        result.missing = len(known) - len(set(found.values())) if is_whole else 0
        for row in given:
            if row.row_no in found:
                self._compare(result, row, found[row.row_no], ledger[found[row.row_no]])
        wanted = corrections.written_beside(self.job.id) | result.corrected
        result.numbers = corrections.numbers_to_look_up(self.job, wanted)
        return result

    def _given(self) -> Iterator[Row]:
        for row_no, cells in islice(rows(self.path), self.header_row, None):
            texts = [_plain(text_of(cell)) for cell in cells]

            def at(place: int, texts: list[str] = texts) -> str:
                return texts[place] if place < len(texts) else ""

            row = Row(
                row_no, tuple(at(there) for _, there in self.numbers), tuple(at(there) for _, there in self.others)
            )
            if any(row.numbers) or any(row.others):
                self.written |= {
                    (row_no, number): at(place) for number, place in self.corrected_at.items() if at(place)
                }
                if self.row_at is not None and at(self.row_at).isdecimal() and len(at(self.row_at)) < 9:
                    self.named[row_no] = int(at(self.row_at))
                yield row

    def _known(self, path: Path) -> Iterator[Row]:
        width = 1 + max((own for own, _ in (*self.numbers, *self.others)), default=0)
        for row_no, cells in islice(rows(path, width), self.job.header_row, None):
            texts = [_plain(text_of(cell)) for cell in cells]
            numbers, others = (tuple(texts[own] for own, _ in some) for some in (self.numbers, self.others))
            yield Row(row_no, numbers, others)

    def _named(self, ledger: dict[int, list[CellAnswer]]) -> dict[int, int]:
        """Each row of the job once: a copied row counts as added."""
        found: dict[int, int] = {}
        taken: set[int] = set()
        for row_no, named in self.named.items():
            if named in ledger and named not in taken:
                found[row_no] = named
                taken.add(named)
        return found

    def _compare(self, result: Returned, row: Row, row_no: int, cells: list[CellAnswer]) -> None:
        for (column, place), in_cell in zip(self.numbers, row.numbers, strict=True):
            of_cell = [cell for cell in cells if cell.column == column]
            beside = self.written.get((row.row_no, place))
            text = beside or in_cell
            if not text or (not beside and of_cell and text[:DISPLAY_CHARACTERS] == _plain(of_cell[0].text)):
                continue
            read = read_typed(text, self.countries.get(row_no), self.job.country)
            written = "" if isinstance(read, Refused) else read
            if of_cell and written and written == of_cell[0].corrected:
                result.already += 1
            elif not any(cell.outcome in TO_FIX for cell in of_cell):
                result.answered += 1
            elif written:
                result.corrected[row_no, column] = written
            else:
                result.unreadable.append(row.row_no)


def _plain(text: str) -> str:
    """A cell's text, whatever format it came through: a CSV has an apostrophe before what could be a formula, and a
    comma in numbers."""
    return " ".join(text.replace(",", ".").split()).removeprefix("'")
