"""Detect .xlsb files with cells that our parser would silently drop. Pure; runs in the child process only.

The format has short cell records that omit the column. Excel does not write them, SheetJS does, and calamine 0.9 skips
them: only the first cell of each row came back. Such a file is refused rather than half read; once Excel has saved it
again, it can be read. Record numbers: [MS-XLSB], BrtShortBlank and following.
"""

import zipfile
from pathlib import Path

from portal.documents.reader.limits import FileProblem, Unreadable
from portal.documents.reader.xlsb_records import records

_SHORT = range(12, 19)  # BrtShortBlank … BrtShortIsst


def check_xlsb(path: Path) -> None:
    """Raise Unreadable (damaged) when a sheet of this zipped workbook has short cell records."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.lower().startswith("xl/worksheets/") and name.lower().endswith(".bin"):
                try:
                    short = has_short_cells(archive.read(name))
                except (zipfile.BadZipFile, IndexError) as error:
                    raise Unreadable(FileProblem.DAMAGED) from error
                if short:
                    raise Unreadable(FileProblem.DAMAGED)


def has_short_cells(raw: bytes) -> bool:
    """Return whether a sheet's binary part has a short cell record."""
    return any(kind in _SHORT for kind, _, _ in records(raw))
