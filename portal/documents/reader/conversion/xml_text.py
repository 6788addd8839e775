"""Texts in the XML of a new xlsx. Pure. Rules: ECMA-376 part 1, 22.9.2.19 (`ST_Xstring` reads `_x0041_` as A)."""

import re

DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
MAX_CHARACTERS = 32_767  # in a cell, by Excel's own limit

_TO_CHANGE = re.compile("[^ -%'-;=?-^`-\ud7ff\ue000-\ufffd]")  # control characters, &, <, >, _ and the rare ones
_LIKE_AN_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def content(text: str) -> str:
    """A cell's text as an element's content: within Excel's limit, line ends as LF, and never read as an escape."""
    if not _TO_CHANGE.search(text):
        return text[:MAX_CHARACTERS]
    text = text.replace("\r\n", "\n").replace("\r", "\n")[:MAX_CHARACTERS]
    return _escaped(_LIKE_AN_ESCAPE.sub("_x005F_", text))


def attribute(text: str) -> str:
    """Text as an attribute's value, with its quotes."""
    return '"' + _escaped(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;") + '"'


def _escaped(text: str) -> str:
    return _NOT_IN_XML.sub("", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
