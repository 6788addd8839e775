"""The automatic styles that the added cells and columns need. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from portal.jobs.export.added import Tone
from portal.jobs.export.in_place.ods.names import Names

# Quiet fills, readable under black text. Headings take their neighbour's format, waiting rows none.
FILLS = {Tone.FOUND: "#e4f2e7", Tone.NOT_FOUND: "#ececec", Tone.TO_FIX: "#fbe9d9"}
_OURS = re.compile(rb"""["']mf(\d{1,6})-""")  # of a file that we wrote before
_CM_PER_CHARACTER = 0.21
_MOMENT = (
    # In the order of the reader's country.
    '<number:date-style style:name="{name}at" number:automatic-order="true" number:format-source="language">'
    '<number:day number:style="long"/><number:text>/</number:text><number:month number:style="long"/>'
    '<number:text>/</number:text><number:year number:style="long"/><number:text> </number:text>'
    '<number:hours number:style="long"/><number:text>:</number:text><number:minutes number:style="long"/>'
    "</number:date-style>"
    '<style:style style:name="{name}moment" style:family="table-cell" style:parent-style-name="Default" '
    'style:data-style-name="{name}at"/>'
)
_TONE = (
    '<style:style style:name="{name}{tone}" style:family="table-cell" style:parent-style-name="Default">'
    '<style:table-cell-properties fo:background-color="{fill}"/></style:style>'
)
_WIDTH = (
    '<style:style style:name="{name}w{number}" style:family="table-column">'
    '<style:table-column-properties style:column-width="{width:.2f}cm"/></style:style>'
)


@dataclass(frozen=True)
class OdsStyles:
    """The names of our styles."""

    name: str  # with which they begin

    @property
    def moment(self) -> str:
        """A date with time."""
        return f"{self.name}moment"

    @property
    def tones(self) -> dict[Tone, str]:
        """The first added cell of a row."""
        return {tone: f"{self.name}{tone.value}" for tone in FILLS}

    def width(self, number: int) -> str:
        """The column with that number among the widths that were given to `written`."""
        return f"{self.name}w{number}"

    def written(self, names: Names, widths: Sequence[float]) -> bytes:
        """All of them, with columns of these widths in characters."""
        xml = _MOMENT.format(name=self.name)
        xml += "".join(_TONE.format(name=self.name, tone=tone.value, fill=fill) for tone, fill in FILLS.items())
        for number, width in enumerate(widths):
            xml += _WIDTH.format(name=self.name, number=number, width=width * _CM_PER_CHARACTER)
        return names.written(xml)


class StyleNames:
    """Looks for names like ours while the styles stream by."""

    def __init__(self) -> None:
        self._taken = 0

    def look(self, xml: bytes) -> None:
        """Look through a part of the styles."""
        if b"mf" in xml:
            self._taken = max([self._taken, *map(int, _OURS.findall(xml))])

    def free(self) -> OdsStyles:
        """Styles with names that were not there."""
        return OdsStyles(f"mf{self._taken + 1}-")
