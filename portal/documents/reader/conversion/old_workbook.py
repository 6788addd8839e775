"""What is kept of an old workbook, whatever its format. Rows and columns count from 0. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384
LINE_STYLES = (
    "", "thin", "medium", "dashed", "dotted", "thick", "double", "hair", "mediumDashed", "dashDot", "mediumDashDot",
    "dashDotDot", "mediumDashDotDot", "slantDashDot",
)  # fmt: skip
HORIZONTAL = ("", "left", "center", "right", "fill", "justify", "centerContinuous", "distributed")
VERTICAL = ("top", "center", "", "justify", "distributed")  # the third, at the bottom, is the usual one
PATTERNS = (
    "none", "solid", "mediumGray", "darkGray", "lightGray", "darkHorizontal", "darkVertical", "darkDown", "darkUp",
    "darkGrid", "darkTrellis", "lightHorizontal", "lightVertical", "lightDown", "lightUp", "lightGrid", "lightTrellis",
    "gray125", "gray0625",
)  # fmt: skip


class CellError(str):
    """An error as Excel shows it, such as `#N/A`."""

    __slots__ = ()


ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip

Value = str | float | bool | CellError | None
"""Text, a number (dates are numbers with a format), a boolean, an error, or None for an empty cell with a look."""


class Color(NamedTuple):
    """`rgb` with eight hexadecimal digits, or a number in the `theme` or the `indexed` palette."""

    kind: str
    value: str
    tint: float = 0.0  # from -1, black, to 1, white


class Font(NamedTuple):
    """A font; `size` in points."""

    name: str = "Calibri"
    size: float = 11.0
    bold: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False
    color: Color | None = None


class Fill(NamedTuple):
    """A cell's background: one of PATTERNS, and its two colours."""

    pattern: str = "none"
    front: Color | None = None
    back: Color | None = None


class Line(NamedTuple):
    """One edge of a cell: one of LINE_STYLES."""

    style: str = ""
    color: Color | None = None


class Borders(NamedTuple):
    """The edges of a cell."""

    left: Line = Line()
    right: Line = Line()
    top: Line = Line()
    bottom: Line = Line()


class Look(NamedTuple):
    """How a cell shows its value. `number_format` is the number of a built-in format, or a code."""

    number_format: int | str = 0
    font: Font = Font()
    fill: Fill = Fill()
    borders: Borders = Borders()
    horizontal: str = ""
    vertical: str = ""
    wraps: bool = False
    indent: int = 0


class OldRow(NamedTuple):
    """One row. Cells are (column, look, value), by ascending column."""

    row: int
    cells: Sequence[tuple[int, int, Value]]
    height: float | None = None  # in points, when somebody chose it
    hidden: bool = False
    look: int | None = None


class OldColumns(NamedTuple):
    """The columns from `first` to `last`; `width` in characters."""

    first: int
    last: int
    width: float
    hidden: bool = False
    look: int | None = None


@dataclass
class OldSheet:
    """One sheet. Take `rows` first: `merged` may be known only then."""

    name: str
    hidden: str  # "", "hidden" or "veryHidden", as xlsx calls them
    rows: Iterator[OldRow]
    area: tuple[int, int]  # the last row and column in use
    columns: list[OldColumns] = field(default_factory=list)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)  # first and last row, first and last column
    default_width: float | None = None
    default_height: float = 15.0
    frozen: tuple[int, int] = (0, 0)  # rows and columns that stay in view


@dataclass
class OldWorkbook:
    """A workbook. Take the sheets one after the other; cells and rows name their look by its position in `looks`."""

    sheets: Iterator[OldSheet]
    looks: Sequence[Look]
    font: Font = Font()  # the plain one, by whose digits widths are measured
    from_1904: bool = False
    theme: bytes | None = None  # the part of an xlsx with the colours of a theme
