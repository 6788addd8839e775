"""Write a workbook in one of Excel's older formats, or a page or XML in its place, again as xlsx. Pure.

Runs in the reading process only.
"""

import os
from pathlib import Path

from portal.documents.reader.conversion.old_workbook import OldWorkbook
from portal.documents.reader.conversion.package import write_package
from portal.documents.reader.file_type import FileType, file_type_of
from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.ole_check import check_ole
from portal.documents.reader.xlsb_check import check_xlsb
from portal.documents.reader.zip_check import check_zip


def convert(path: Path, file_name: str, target: Path, limits: ReadLimits) -> list[str]:
    """Write the workbook to `target`; return the names of its sheets. Raises Unreadable (wrong type) for any other kind
    of file, and what a reader raises for a damaged one."""
    sheets = write_package(_opened(path, file_name, limits), target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return sheets


def _opened(path: Path, file_name: str, limits: ReadLimits) -> OldWorkbook:
    # Each reader is imported when its kind comes: together they take longer to load than a small file to read.
    match file_type_of(path, file_name):
        case FileType.OLE:
            from portal.documents.reader.conversion.xls import read_xls

            check_ole(path)
            return read_xls(path)
        case FileType.ZIP:
            from portal.documents.reader.conversion.xlsb import read_xlsb

            check_zip(path, limits)
            check_xlsb(path)
            return read_xlsb(path)
        case FileType.HTML:
            from portal.documents.reader.conversion.html_tables import read_html

            return read_html(path)
        case FileType.XML_2003:
            from portal.documents.reader.conversion.xml_2003 import read_xml_2003

            return read_xml_2003(path)
        case _:
            raise Unreadable(FileProblem.WRONG_TYPE)
