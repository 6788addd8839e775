"""Make a small example spreadsheet in memory. It must not know the person or the language: the caller passes texts."""

from collections.abc import Sequence
from io import BytesIO

import xlsxwriter


def example_workbook(sheet: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Return an .xlsx file with one sheet of text cells. As text, numbers keep their leading zeros and plus signs."""
    memory = BytesIO()
    with xlsxwriter.Workbook(
        memory, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        page = book.add_worksheet(sheet)
        text = book.add_format({"num_format": "@"})
        bold = book.add_format({"bold": True, "bottom": 1, "num_format": "@"})
        for row_no, cells in enumerate([head, *rows]):
            for column, cell in enumerate(cells):
                page.write_string(row_no, column, cell, text if row_no else bold)
        for column in range(len(head)):
            page.set_column(column, column, 24, text)
        page.freeze_panes(1, 0)
    return memory.getvalue()
