"""Write an `OldWorkbook` as an xlsx, row by row. Pure.

XlsxWriter would take ten times as long: for large lists that is minutes. Elements: ECMA-376 part 1, 18.2 and 18.3.
"""

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from math import isfinite
from pathlib import Path
from typing import IO

from portal.documents.reader.conversion.old_workbook import (
    MAX_COLUMNS,
    MAX_ROWS,
    CellError,
    OldColumns,
    OldRow,
    OldSheet,
    OldWorkbook,
    Value,
)  # fmt: skip
from portal.documents.reader.conversion.styles_part import styles_part
from portal.documents.reader.conversion.xml_text import DECLARATION, MAIN, attribute, content
from portal.documents.reader.limits import FileProblem, Unreadable
from portal.documents.reader.sheet_file import column_letter

LEVEL = 1  # zlib: the file is larger by a fifth than with 6, and written in a third of the time
PIECE_ROWS = 500
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument"
_THEME = "xl/theme/theme1.xml"
_TALLEST, _WIDEST = 409.5, 255.0
_EXACT = 1e15  # whole numbers below it are written without a decimal point


def write_package(book: OldWorkbook, path: Path) -> list[str]:
    """Write the workbook; return the names of its sheets. Raises Unreadable (damaged) for rows that do not ascend."""
    listed: list[tuple[str, str]] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as package:
        for number, sheet in enumerate(book.sheets, start=1):
            with package.open(f"xl/worksheets/sheet{number}.xml", "w", force_zip64=True) as file:
                _write_sheet(file, sheet, len(book.looks))
            listed.append((sheet.name, sheet.hidden))
        for name, part in _other_parts(book, listed).items():
            package.writestr(name, part)
    return [name for name, _ in listed]


# ── a sheet ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write_sheet(file: IO[bytes], sheet: OldSheet, looks: int) -> None:
    styles = _Styles(looks)
    last_row, last_column = min(sheet.area[0], MAX_ROWS - 1), min(sheet.area[1], MAX_COLUMNS - 1)
    width = f' defaultColWidth="{min(sheet.default_width, _WIDEST):.8g}"' if sheet.default_width else ""
    file.write(
        (
            f'{DECLARATION}<worksheet xmlns="{MAIN}"><dimension ref="A1:{column_letter(last_column)}{last_row + 1}"/>'
            f"{_view(sheet)}"
            f'<sheetFormatPr{width} defaultRowHeight="{min(sheet.default_height, _TALLEST):g}"/>'
            f"{_columns(sheet.columns, styles)}<sheetData>"
        ).encode()
    )
    rows = _row_tags(sheet.rows, styles)
    while piece := [tag for _, tag in zip(range(PIECE_ROWS), rows, strict=False)]:
        file.write("".join(piece).encode())
    file.write(f"</sheetData>{_merged(sheet.merged)}</worksheet>".encode())


class _Styles:
    """The `s` of a cell's tag by its look."""

    def __init__(self, looks: int) -> None:
        self._tags = [f' s="{number}"' for number in range(1, looks + 1)]

    def __call__(self, look: int | None) -> str:
        return self._tags[look] if look is not None and 0 <= look < len(self._tags) else ""


def _view(sheet: OldSheet) -> str:
    rows, columns = (
        min(number, limit - 1) for number, limit in zip(sheet.frozen, (MAX_ROWS, MAX_COLUMNS), strict=True)
    )
    if rows <= 0 and columns <= 0:
        return ""
    across = f' xSplit="{columns}"' if columns > 0 else ""
    down = f' ySplit="{rows}"' if rows > 0 else ""
    pane = "bottomRight" if across and down else "topRight" if across else "bottomLeft"
    cell = f"{column_letter(max(columns, 0))}{max(rows, 0) + 1}"
    return (
        f'<sheetViews><sheetView workbookViewId="0"><pane{across}{down} topLeftCell="{cell}" activePane="{pane}" '
        f'state="frozen"/></sheetView></sheetViews>'
    )


def _columns(columns: Iterable[OldColumns], styles: _Styles) -> str:
    tags, next_free = [], 0
    for one in sorted(columns):
        first, last = max(one.first, next_free), min(one.last, MAX_COLUMNS - 1)
        if first > last:
            continue
        next_free = last + 1
        style = styles(one.look).replace(" s=", " style=")
        hidden = ' hidden="1"' if one.hidden else ""
        width = min(max(one.width, 0.0), _WIDEST)
        tags.append(f'<col min="{first + 1}" max="{last + 1}" width="{width:.8g}"{style}{hidden} customWidth="1"/>')
    return f"<cols>{''.join(tags)}</cols>" if tags else ""


def _row_tags(rows: Iterator[OldRow], styles: _Styles) -> Iterator[str]:
    letters: list[str] = []
    last = -1
    for row in rows:
        number = row.row + 1
        if row.row <= last or row.row >= MAX_ROWS:
            raise Unreadable(FileProblem.DAMAGED)
        last = row.row
        attributes = ""
        if row.look is not None and (style := styles(row.look)):
            attributes += f'{style} customFormat="1"'
        if row.height is not None:
            attributes += f' ht="{min(row.height, _TALLEST):g}" customHeight="1"'
        if row.hidden:
            attributes += ' hidden="1"'
        if not row.cells and not attributes:
            continue
        while len(letters) <= (row.cells[-1][0] if row.cells else 0) < MAX_COLUMNS:
            letters.append(column_letter(len(letters)))
        yield f'<row r="{number}"{attributes}>{"".join(_cells(row, number, letters, styles))}</row>'


def _cells(row: OldRow, number: int, letters: Sequence[str], styles: _Styles) -> Iterator[str]:
    before = -1
    for column, look, value in row.cells:
        if column <= before or column >= len(letters):
            raise Unreadable(FileProblem.DAMAGED)
        before = column
        yield f'<c r="{letters[column]}{number}"{styles(look)}{_value(value)}'


def _value(value: Value) -> str:
    kind = type(value)
    if kind is float and isfinite(value):  # type: ignore[arg-type]
        text = str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)  # type: ignore
        return f"><v>{text}</v></c>"
    if value is None or value == "":
        return "/>"
    if kind is bool:
        return f' t="b"><v>{value:d}</v></c>'
    if kind is CellError:
        return f' t="e"><v>{content(str(value))}</v></c>'
    text = str(value)
    # Outer spaces and line breaks would be lost without it.
    kept = ' xml:space="preserve"' if text != text.strip() or "\n" in text else ""
    return f' t="inlineStr"><is><t{kept}>{content(text)}</t></is></c>'


def _merged(areas: Iterable[tuple[int, int, int, int]]) -> str:
    """Merged cells, without those that overlap others: Excel would want to repair the workbook."""
    tags: list[str] = []
    open_ones: list[tuple[int, int, int, int]] = []
    for top, bottom, left, right in sorted(areas):
        if not (0 <= top <= bottom < MAX_ROWS and 0 <= left <= right < MAX_COLUMNS) or (top, left) == (bottom, right):
            continue
        open_ones = [one for one in open_ones if one[1] >= top]
        if any(one[2] <= right and left <= one[3] for one in open_ones):
            continue
        open_ones.append((top, bottom, left, right))
        tags.append(f'<mergeCell ref="{column_letter(left)}{top + 1}:{column_letter(right)}{bottom + 1}"/>')
    return f'<mergeCells count="{len(tags)}">{"".join(tags)}</mergeCells>' if tags else ""


# ── the other parts ─────────────────────────────────────────────────────────────────────────────────────────────────


def _other_parts(book: OldWorkbook, listed: list[tuple[str, str]]) -> dict[str, bytes]:
    numbers = range(1, len(listed) + 1)
    sheets = "".join(
        f'<sheet name={attribute(name)} sheetId="{n}" r:id="rId{n}"{state}/>'
        for n, name, state in zip(numbers, (name for name, _ in listed), _states(listed), strict=True)
    )
    seen = next((n for n, (_, hidden) in enumerate(listed) if not hidden), 0)
    since = ' date1904="1"' if book.from_1904 else ""
    related = [(f"worksheets/sheet{n}.xml", "worksheet") for n in numbers] + [("styles.xml", "styles")]
    kinds = {f"/xl/worksheets/sheet{n}.xml": f"{_TYPES}.spreadsheetml.worksheet+xml" for n in numbers}
    kinds |= {
        "/xl/workbook.xml": f"{_TYPES}.spreadsheetml.sheet.main+xml",
        "/xl/styles.xml": f"{_TYPES}.spreadsheetml.styles+xml",
    }
    parts = {"xl/styles.xml": styles_part(book.font, book.looks)}
    if book.theme is not None:
        related.append(("theme/theme1.xml", "theme"))
        kinds[f"/{_THEME}"] = f"{_TYPES}.theme+xml"
        parts[_THEME] = book.theme
    workbook = (
        f'{DECLARATION}<workbook xmlns="{MAIN}" xmlns:r="{_RELATIONS}"><workbookPr{since}/><bookViews>'
        f'<workbookView activeTab="{seen}"/></bookViews><sheets>{sheets}</sheets></workbook>'
    )
    types = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in kinds.items())
    return {
        **parts,
        "xl/workbook.xml": workbook.encode(),
        "xl/_rels/workbook.xml.rels": _relations(related),
        "_rels/.rels": _relations([("xl/workbook.xml", "officeDocument")]),
        "[Content_Types].xml": (
            f'{DECLARATION}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{types}</Types>'
        ).encode(),
    }


def _states(listed: list[tuple[str, str]]) -> Iterator[str]:
    """The visibility of each sheet. One is always seen: Excel does not open a workbook without."""
    all_hidden = all(hidden for _, hidden in listed)
    for n, (_, hidden) in enumerate(listed):
        yield f' state="{hidden}"' if hidden and not (all_hidden and n == 0) else ""


def _relations(related: Iterable[tuple[str, str]]) -> bytes:
    tags = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for n, (target, kind) in zip(count(1), related, strict=False)
    )
    return f'{DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships">{tags}</Relationships>'.encode()
