"""Add the few cell formats that the added cells need to a workbook's styles, at their end. Pure.

Positions of formats that were there stay, so that no other part changes. Elements: ECMA-376 part 1, 18.8.39.
"""

import re

from portal.jobs.export.added import Tone
from portal.jobs.export.in_place.cells import Styles
from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.markup import Element, attributes_of, elements, root_prefix, spliced, with_attribute

# Quiet fills, readable under black text. Headings take their neighbour's format, waiting rows none.
FILLS = {Tone.FOUND: b"FFE4F2E7", Tone.NOT_FOUND: b"FFECECEC", Tone.TO_FIX: b"FFFBE9D9"}
_DATE_WITH_TIME = 22  # built in: Excel shows it in the order of the reader's country
_MOST_FORMATS = 64_000  # Excel allows 65,490
_XF = re.compile(rb"<(?:[\w.-]+:)?xf\b([^>]*)>")


def with_formats(xml: bytes) -> tuple[bytes, Styles]:
    """The styles with our formats, and where they are. Without what they need, the same styles and no formats."""
    try:
        return _added(xml)
    except CannotWriteInPlace:
        return xml, Styles()


def _added(xml: bytes) -> tuple[bytes, Styles]:
    p = root_prefix(xml)
    found = {element.name: element for element in elements(xml, 2) if element.depth == 2}
    fills, formats = found.get(b"fills"), found.get(b"cellXfs")
    if fills is None or formats is None or fills.is_empty_tag or formats.is_empty_tag:
        return xml, Styles()
    if formats.children > _MOST_FORMATS:
        return xml, Styles()
    plain = _plain_format(xml, formats)
    fill_tags = [
        b'<%sfill><%spatternFill patternType="solid"><%sfgColor rgb="%s"/><%sbgColor indexed="64"/>' % (p, p, p, rgb, p)
        + b"</%spatternFill></%sfill>" % (p, p)
        for rgb in FILLS.values()
    ]
    xf_tags = [_format(p, plain, {"numFmtId": str(_DATE_WITH_TIME), "applyNumberFormat": "1"})]
    for position, _ in enumerate(FILLS):
        xf_tags.append(_format(p, plain, {"fillId": str(fills.children + position), "applyFill": "1"}))
    changed = spliced(xml, [*_grown(xml, fills, fill_tags), *_grown(xml, formats, xf_tags)])
    first = formats.children
    return changed, Styles(first, {tone: first + 1 + position for position, tone in enumerate(FILLS)})


def _plain_format(xml: bytes, formats: Element) -> dict[str, str]:
    """The workbook's plain cell: its font and base format."""
    match = _XF.search(xml, formats.content, formats.content_end)
    own = attributes_of(match[1]) if match else {}
    return {
        "numFmtId": "0",
        "fontId": own.get("fontId", "0"),
        "fillId": "0",
        "borderId": "0",
        "xfId": own.get("xfId", "0"),
    }


def _format(prefix: bytes, plain: dict[str, str], own: dict[str, str]) -> bytes:
    tag = b"<" + prefix + b"xf/>"
    for name, value in {**plain, **own}.items():
        tag = with_attribute(tag, name, value)
    return tag


def _grown(xml: bytes, element: Element, tags: list[bytes]) -> list[tuple[int, int, bytes]]:
    """The changes that add tags at an element's end and correct its count."""
    start = with_attribute(xml[element.start : element.content], "count", str(element.children + len(tags)))
    end = element.content_end
    return [(element.start, element.content, start), (end, end, b"".join(tags))]
