"""Write an xlsx sheet again without its gaps: the parser holds every empty place up to the last cell, far away or not.

Its rows get the numbers 1, 2, 3…, and cells to the right of the most columns that are allowed are left out. Only for
the child process.
"""

import re
import zipfile
from array import array
from pathlib import Path
from typing import IO

from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.workbooks.xlsx_pieces import column_no, row_pieces

_NEEDED = ("_rels/", "[content_types].xml", "xl/workbook.xml", "xl/_rels/", "xl/styles.xml", "xl/sharedstrings.xml")


def write_near(path: Path, part: str, out: Path, limits: ReadLimits) -> "array[int]":
    """Write the workbook with this sheet only to `out`; return the real number of each of its rows."""
    numbers: array[int] = array("l")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for entry in old.infolist():
            name = entry.filename.replace("\\", "/").lstrip("/").lower()
            if entry.filename != part and (name.startswith(_NEEDED) or "sheets/" not in name):
                new.writestr(entry.filename, old.read(entry))
        with old.open(part) as source, new.open(part, "w", force_zip64=True) as target:
            _Rows(target, numbers, limits).write(source)
    return numbers


class _Rows:
    def __init__(self, out: IO[bytes], numbers: "array[int]", limits: ReadLimits) -> None:
        self._out, self._numbers, self._limits = out, numbers, limits

    def write(self, source: IO[bytes]) -> None:
        for p, piece in row_pieces(source):
            found = re.compile(
                b"(?P<row><" + p + rb'row\b[^>]*?\br=")(?P<number>\d+)"'
                b"|<" + p + rb'c r="(?P<column>[A-Z]+)\d+"(?P<rest>[^>]*?(?:/>|>.*?</' + p + b"c>))", re.DOTALL
            )  # fmt: skip
            cell = b"<" + p + b"c"
            self._out.write(found.sub(lambda one, cell=cell: self._numbered(one, cell), piece))  # type: ignore[misc]

    def _numbered(self, found: re.Match[bytes], cell: bytes) -> bytes:
        if found["row"]:
            self._numbers.append(int(found["number"]))
            return found["row"] + b'%d"' % len(self._numbers)
        if found["rest"].endswith(b"/>") or column_no(found["column"]) >= self._limits.max_columns:
            return b""
        return cell + b' r="%s%d"' % (found["column"], len(self._numbers)) + found["rest"]
