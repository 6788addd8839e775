"""Numbers that a person typed or pasted, as files: they then go the way of an upload. No Flask.

A list becomes a csv file that is read like any other. A single number needs no reading: its document is ready at once.
"""

import csv
import io
import re
from datetime import datetime

from portal.database import db
from portal.documents.models import Document, Reading
from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import Budget, write_sheet
from portal.documents.storage import Storage, sheet_part

LONGEST_NUMBER = 100  # characters of one number as it is typed
_SEPARATOR = re.compile(r"[;,|]")
_NUMBER_ALONE = re.compile(r"\s*[+(]*\d[\d\s.\-/()]{5,}")


def pasted_file(text: str) -> bytes | None:
    """Return the csv file of a pasted text, a row for each line; None without any character that can be seen.

    Cells copied from a spreadsheet, with tabs between them, stay cells. Numbers in one line, with commas or semicolons
    between them, become a row each.
    """
    lines = [line.strip("\r") for line in text.splitlines()]
    if not any(line.strip() for line in lines):
        return None
    if any("\t" in line for line in lines):
        cells = [line.split("\t") for line in lines]
    else:
        cells = [[part] for line in lines for part in _parts(line)]
    width = max(map(len, cells))
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL).writerows(row + [""] * (width - len(row)) for row in cells)
    return file.getvalue().encode("utf-8-sig", "replace")


def _parts(line: str) -> list[str]:
    parts = [part.strip() for part in _SEPARATOR.split(line) if part.strip()]
    return parts if len(parts) > 1 and all(map(_NUMBER_ALONE.fullmatch, parts)) else [line.strip()]


def store_number(
    text: str, heading: str, file_name: str, country: str, user_id: int, storage: Storage, now: datetime
) -> Document:
    """Store one number below a heading, and return its document, which is ready. Does not commit. Raises OSError."""
    rows = [[heading], [text]]
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL).writerows(rows)
    stored = storage.put(io.BytesIO(file.getvalue().encode("utf-8-sig", "replace")))
    limits = ReadLimits()
    try:
        write_sheet(storage.path(stored.key, sheet_part(0)), iter(rows), limits, Budget(limits))
        storage.put_derived(stored.key, sheet_part(0))
        facts = SheetFacts(
            0, file_name, rows=2, columns=1, header_row=1, numbers=1, country=country, header=[heading], sample=[[text]]
        )
        document = Document(
            user_id=user_id, file_name=file_name, storage_key=stored.key, sha256=stored.sha256,
            size_bytes=stored.size_bytes, state=Reading.READY, sheets=[facts.to_dict()], created_at=now, read_at=now,
        )  # fmt: skip
        db.session.add(document)
        db.session.flush()
    except BaseException:
        storage.delete(stored.key)
        raise
    return document
