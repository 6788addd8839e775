"""Read an xls as an `OldWorkbook`, with xlrd. Rules: [MS-XLS]; BIFF is the name of the format's records."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import xlrd

from portal.documents.reader.conversion.old_workbook import (
    ERRORS,
    HORIZONTAL,
    LINE_STYLES,
    PATTERNS,
    VERTICAL,
    Borders,
    CellError,
    Color,
    Fill,
    Font,
    Line,
    Look,
    OldColumns,
    OldRow,
    OldSheet,
    OldWorkbook,
    Value,
)  # fmt: skip

BIFF8 = 80
# Built-in formats that are the same in xlsx. The others have a code in the file, as they depend on its country.
SAME_FORMATS = frozenset({*range(5), *range(9, 23), *range(37, 41), *range(45, 50)})
_HIDDEN = {1: "hidden", 2: "veryHidden"}


class _Nowhere:
    """Takes xlrd's notes, which would go to the report."""

    def write(self, text: str) -> None:
        """Forget it."""

    def flush(self) -> None:
        """Nothing to do."""


def read_xls(path: Path) -> OldWorkbook:
    """Read the workbook. Raises whatever xlrd does for a file that it cannot read."""
    book = xlrd.open_workbook(str(path), logfile=_Nowhere(), formatting_info=True, on_demand=True, ragged_rows=True)
    fonts = [_font(book, font) for font in book.font_list]
    looks = [_look(book, xf, fonts) for xf in book.xf_list]
    plain = fonts[0] if fonts else Font()
    return OldWorkbook(_sheets(book), looks, plain, from_1904=bool(book.datemode))


def _sheets(book: Any) -> Iterator[OldSheet]:
    for index in range(book.nsheets):
        sheet = book.sheet_by_index(index)
        frozen = bool(getattr(sheet, "panes_are_frozen", 0))
        default = sheet.standardwidth / 256 if sheet.standardwidth else None
        yield OldSheet(
            name=sheet.name,
            hidden=_HIDDEN.get(sheet.visibility, ""),
            rows=_rows(sheet),
            area=(max(sheet.nrows - 1, 0), max(sheet.ncols - 1, 0)),
            columns=_columns(sheet),
            merged=[(top, bottom - 1, left, right - 1) for top, bottom, left, right in sheet.merged_cells],
            default_width=default or (sheet.defcolwidth + 0.7109375 if sheet.defcolwidth else None),
            default_height=sheet.default_row_height / 20 if sheet.default_row_height else 15.0,
            frozen=(sheet.horz_split_pos, sheet.vert_split_pos) if frozen else (0, 0),
        )
        book.unload_sheet(index)


def _columns(sheet: Any) -> list[OldColumns]:
    found = []
    for column, info in sorted(sheet.colinfo_map.items()):
        found.append(OldColumns(column, column, info.width / 256, bool(info.hidden), info.xf_index))
    return found


def _rows(sheet: Any) -> Iterator[OldRow]:
    described = sheet.rowinfo_map
    for row in range(max(sheet.nrows, max(described, default=-1) + 1)):
        info = described.get(row)
        found = _cells(sheet, row) if row < sheet.nrows else []
        if info is None:
            yield OldRow(row, found)
        else:
            height = info.height / 20 if info.height_mismatch and info.height else None
            look = info.xf_index if info.has_default_xf_index else None
            yield OldRow(row, found, height, bool(info.hidden), look)


def _cells(sheet: Any, row: int) -> list[tuple[int, int, Value]]:
    """The cells of a row that have something: column, look and value."""
    # xlrd's own lists: a Cell for each of them would take as long as all the rest.
    kinds, values, looks = sheet._cell_types[row], sheet._cell_values[row], sheet._cell_xf_indexes[row]
    return [
        (column, look, value if kind == xlrd.XL_CELL_TEXT else _value(kind, value))
        for column, (kind, value, look) in enumerate(zip(kinds, values, looks, strict=True))
        if kind
    ]


def _value(kind: int, value: Any) -> Value:
    match kind:
        case xlrd.XL_CELL_NUMBER | xlrd.XL_CELL_DATE:
            return float(value)
        case xlrd.XL_CELL_BOOLEAN:
            return bool(value)
        case xlrd.XL_CELL_ERROR:
            return CellError(ERRORS.get(value, "#VALUE!"))
        case _:
            return None


def _look(book: Any, xf: Any, fonts: list[Font]) -> Look:
    border, fill, align = xf.border, xf.background, xf.alignment
    return Look(
        number_format=_number_format(book, xf.format_key),
        font=fonts[xf.font_index] if xf.font_index < len(fonts) else Font(),
        fill=Fill(
            _one_of(PATTERNS, fill.fill_pattern),
            _color(book, fill.pattern_colour_index),
            _color(book, fill.background_colour_index),
        ),
        borders=Borders(*(
            Line(_one_of(LINE_STYLES, getattr(border, f"{edge}_line_style")),
                 _color(book, getattr(border, f"{edge}_colour_index")))
            for edge in ("left", "right", "top", "bottom")
        )),
        horizontal=_one_of(HORIZONTAL, align.hor_align),
        vertical=_one_of(VERTICAL, align.vert_align),
        wraps=bool(align.text_wrapped),
        indent=int(align.indent_level),
    )  # fmt: skip


def _number_format(book: Any, key: int) -> int | str:
    if key in SAME_FORMATS and book.biff_version >= BIFF8:
        return key
    form = book.format_map.get(key)
    return form.format_str if form is not None and form.format_str else 0


def _font(book: Any, font: Any) -> Font:
    color = _color(book, font.colour_index)
    bold = font.weight >= 600 if font.weight else bool(font.bold)
    return Font(
        font.name or "Arial", font.height / 20 or 10.0, bold, bool(font.italic), bool(font.underline_type),
        bool(font.struck_out), color,
    )  # fmt: skip


def _color(book: Any, index: int) -> Color | None:
    """The colour of the workbook's own palette; None for the one that the program chooses."""
    rgb = book.colour_map.get(index)
    return Color("rgb", "FF{:02X}{:02X}{:02X}".format(*rgb)) if rgb is not None else None


def _one_of(names: tuple[str, ...], number: int) -> str:
    with suppress(IndexError):
        return names[number]
    return names[0]
