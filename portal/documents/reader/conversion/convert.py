"""Write a workbook in one of Excel's older formats again as xlsx. Pure; runs in the reading process only."""

import os
from pathlib import Path

from portal.documents.reader.conversion.old_workbook import OldWorkbook
from portal.documents.reader.conversion.package import write_package
from portal.documents.reader.conversion.xls import read_xls
from portal.documents.reader.conversion.xlsb import read_xlsb
from portal.documents.reader.file_type import FileType, file_type_of
from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.zip_check import check_zip


def convert(path: Path, file_name: str, target: Path, limits: ReadLimits) -> list[str]:
    """Write the workbook to `target`; return the names of its sheets. Raises Unreadable (wrong type) for any other kind
    of file, and what a reader raises for a damaged one."""
    sheets = write_package(_opened(path, file_name, limits), target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return sheets


def _opened(path: Path, file_name: str, limits: ReadLimits) -> OldWorkbook:
    match file_type_of(path, file_name):
        case FileType.OLE:
            return read_xls(path)
        case FileType.ZIP:
            check_zip(path, limits)
            return read_xlsb(path)
        case _:
            raise Unreadable(FileProblem.WRONG_TYPE)
