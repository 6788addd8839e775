"""The column "Corrected number" of a download that comes back: what a person wrote there wins over the cell."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

from flask_babel import force_locale

from portal.config import LOCALES
from portal.documents import corrections
from portal.documents.check import countries_of_rows
from portal.documents.choice import guessed
from portal.documents.intake import default_sheet
from portal.documents.models import Document, Reading
from portal.documents.reader.heading_words import normalised
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import DISPLAY_CHARACTERS, rows, text_of
from portal.documents.storage import Storage, sheet_part
from portal.jobs.export.columns import CORRECTED, STATUS, TITLES, name_beside, own_names


def corrected_columns(header: Sequence[str], numbers: Sequence[int]) -> dict[int, int]:
    """Return where the corrections of each column of numbers are (positions from 0), in a file with these headings.
    Empty for a file that is no download: one without our status."""
    heads = [normalised(head) for head in header]
    found: dict[int, int] = {}
    for locale in LOCALES:
        with force_locale(locale):
            status, title = str(TITLES[STATUS]), str(TITLES[CORRECTED])
            for column, own in own_names(sorted(numbers), header).items():
                names = {normalised(title if len(numbers) == 1 else name_beside(own, title))}
                has_status = any(head.endswith(normalised(status)) for head in heads)
                place = next((n for n, head in enumerate(heads) if head in names and n not in numbers), None)
                if has_status and place is not None:
                    found.setdefault(column, place)
    return found


def keep_written(document: Document, storage: Storage, country: str, now: datetime) -> int:
    """Keep what stands in that column of a document that was just read as its corrections, and return how many there
    are. They can be taken back as any other. Commits. Raises StorageAway and FileNotFoundError."""
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    facts = default_sheet(sheets) if document.state == Reading.READY else None
    if facts is None or facts.header_row == 0:
        return 0
    choice = guessed(facts, country)
    places = corrected_columns(facts.header, choice.columns)
    if not places:
        return 0
    path = storage.fetch(document.storage_key, sheet_part(facts.index))
    written: dict[corrections.Cell, tuple[str, str]] = {}
    texts: dict[corrections.Cell, str] = {}
    for row_no, cells in islice(rows(path, facts.columns), facts.header_row, None):
        for column, place in places.items():
            if typed := text_of(cells[place]).strip().removeprefix("'"):
                texts[row_no, column] = typed
                written[row_no, column] = (text_of(cells[column])[:DISPLAY_CHARACTERS], "")
    countries = countries_of_rows(path, choice, {row_no for row_no, _ in texts})
    kept: Mapping[corrections.Cell, tuple[str, str]] = {
        cell: (written[cell][0], read)
        for cell, typed in texts.items()
        if isinstance(read := corrections.read_typed(typed, countries.get(cell[0]), choice.country), str)
    }
    return len(corrections.correct(document.id, document.storage_key, facts.index, kept, now))
