"""The telephone numbers of a file that is only a list, such as one of excluded numbers: read at once, stored nowhere.

The file is parsed by the confined child process, like every upload; its sheet and columns are guessed as the check page
does. No Flask and no database.
"""

import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from portal.documents.check import cells_of
from portal.documents.choice import guessed
from portal.documents.reader.file_type import EXTENSIONS, extension_of
from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.parent import likeliest_sheet, read
from portal.documents.reader.sheet_file import column_letter
from portal.documents.upload import clean_name
from portal.phone import Reason

ROWS_NAMED = 5  # of each reason


@dataclass
class NumberList:
    """What a file has. `left_out`: reason → the first rows whose cell has no clear number, as Excel counts; `left` says
    of how many rows. Blank cells are neither."""

    numbers: set[str] = field(default_factory=set)  # in E.164
    sheet: str = ""  # its name, where the file has several
    columns: list[str] = field(default_factory=list)  # that were read: their headings, or letters
    left_out: dict[Reason, list[int]] = field(default_factory=lambda: defaultdict(list))
    left: int = 0


def read_list(content: IO[bytes], given_name: str, max_bytes: int, max_rows: int, country: str) -> NumberList:
    """Read a list. `country`: of numbers without a prefix. Raises Unreadable; ReadingFailed and OSError when another
    try may succeed."""
    name = clean_name(given_name)
    with tempfile.TemporaryDirectory(prefix="masterfilter-") as place:
        folder = Path(place)
        path = folder / "list"
        with path.open("wb") as file:
            shutil.copyfileobj(content, file)
        if path.stat().st_size > max_bytes:
            raise Unreadable(FileProblem.TOO_LARGE, {"limit": max_bytes // 1000**2})
        if extension_of(name) not in EXTENSIONS:
            name = f"{name}.csv"  # a text, whatever it is called; its first bytes decide in the end
        sheets = read(path, name, lambda sheet: folder / f"{sheet}.rows", ReadLimits(max_rows=max_rows), country)
        facts = likeliest_sheet([one for one in sheets if one.usable])
        if facts is None:
            raise Unreadable(FileProblem.NO_ROWS)
        choice = guessed(facts, country)
        heads = [(place, facts.header[place].strip() if place < len(facts.header) else "") for place in choice.columns]
        found = NumberList(
            sheet=facts.name if len(sheets) > 1 else "",
            columns=[head[:60] or column_letter(place) for place, head in heads],
        )
        last = 0
        for cell in cells_of(folder / f"{facts.index}.rows", choice):
            if cell.phone_e164 is not None:
                found.numbers.add(cell.phone_e164)
            elif cell.reason is not None and cell.reason is not Reason.BLANK and cell.row_no != last:
                last = cell.row_no
                found.left += 1
                if len(rows := found.left_out[cell.reason]) < ROWS_NAMED:
                    rows.append(cell.row_no)
        return found
