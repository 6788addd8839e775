"""The styles of a new xlsx: each look becomes a cell format at its own position, after a plain one. Pure.

Elements: ECMA-376 part 1, 18.8.
"""

from collections.abc import Iterable, Sequence

from portal.documents.reader.conversion.old_workbook import Borders, Color, Fill, Font, Line, Look
from portal.documents.reader.conversion.xml_text import DECLARATION, MAIN, attribute

_FIRST_CODE = 164  # the numbers below are those of built-in formats
_LONGEST_CODE, _LONGEST_NAME, _LARGEST_FONT, _DEEPEST = 255, 31, 409.0, 250
_TAKEN_FOR_GRANTED = (Fill(), Fill("gray125"))  # as the first two fills, whatever is written there


def styles_part(plain: Font, looks: Sequence[Look]) -> bytes:
    """The part as XML. A cell without a format has the plain font; look n is cell format n + 1."""
    codes: dict[str, int] = {}
    fonts, fills = {plain: 0}, {fill: n for n, fill in enumerate(_TAKEN_FOR_GRANTED)}
    borders = {Borders(): 0}
    formats = ['<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>']
    for look in looks:
        number = look.number_format
        if isinstance(number, str):
            code = number if len(number) <= _LONGEST_CODE else "General"
            number = codes.setdefault(code, _FIRST_CODE + len(codes))
        font = fonts.setdefault(look.font, len(fonts))
        fill = fills.setdefault(look.fill, len(fills))
        border = borders.setdefault(look.borders, len(borders))
        formats.append(_cell_format(look, number, font, fill, border))
    code_tags = [f'<numFmt numFmtId="{number}" formatCode={attribute(code)}/>' for code, number in codes.items()]
    parts = [
        DECLARATION, f'<styleSheet xmlns="{MAIN}">',
        _group("numFmts", code_tags) if codes else "",
        _group("fonts", map(_font, fonts)),
        _group("fills", map(_fill, fills)),
        _group("borders", map(_borders, borders)),
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>',
        _group("cellXfs", formats),
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
    ]  # fmt: skip
    return "".join(parts).encode()


def _group(name: str, tags: Iterable[str]) -> str:
    listed = list(tags)
    return f'<{name} count="{len(listed)}">{"".join(listed)}</{name}>'


def _cell_format(look: Look, number: int, font: int, fill: int, border: int) -> str:
    tag = f'<xf numFmtId="{number}" fontId="{font}" fillId="{fill}" borderId="{border}" xfId="0"'
    for name, is_used in (
        ("applyNumberFormat", number), ("applyFont", font), ("applyFill", fill), ("applyBorder", border),
    ):  # fmt: skip
        tag += f' {name}="1"' if is_used else ""
    aligned = f' horizontal="{look.horizontal}"' if look.horizontal else ""
    aligned += f' vertical="{look.vertical}"' if look.vertical else ""
    aligned += ' wrapText="1"' if look.wraps else ""
    aligned += f' indent="{min(look.indent, _DEEPEST)}"' if look.indent else ""
    return f'{tag} applyAlignment="1"><alignment{aligned}/></xf>' if aligned else f"{tag}/>"


def _font(font: Font) -> str:
    marks = (("b", font.bold), ("i", font.italic), ("strike", font.strike))
    tags = "".join(f"<{name}/>" for name, is_set in marks if is_set)
    color = _color("color", font.color) if font.color else ""
    size = min(max(font.size, 1.0), _LARGEST_FONT)
    underline = "<u/>" if font.underline else ""
    # The order of CT_Font, as Excel writes it.
    name = attribute(font.name[:_LONGEST_NAME])
    return f'<font>{tags}{underline}<sz val="{size:g}"/>{color}<name val={name}/></font>'


def _fill(fill: Fill) -> str:
    front = _color("fgColor", fill.front) if fill.front and fill.pattern != "none" else ""
    back = _color("bgColor", fill.back) if fill.back and fill.pattern != "none" else ""
    return f'<fill><patternFill patternType="{fill.pattern}">{front}{back}</patternFill></fill>'


def _borders(borders: Borders) -> str:
    edges: list[tuple[str, Line]] = [
        ("left", borders.left), ("right", borders.right), ("top", borders.top), ("bottom", borders.bottom),
    ]  # fmt: skip
    return f"<border>{''.join(_edge(name, line) for name, line in edges)}<diagonal/></border>"


def _edge(name: str, line: Line) -> str:
    if not line.style:
        return f"<{name}/>"
    color = _color("color", line.color) if line.color else '<color auto="1"/>'
    return f'<{name} style="{line.style}">{color}</{name}>'


def _color(tag: str, color: Color) -> str:
    tint = f' tint="{color.tint:.6g}"' if color.tint else ""
    return f'<{tag} {color.kind}="{color.value}"{tint}/>'
