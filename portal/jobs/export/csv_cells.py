"""Texts in a CSV file that no spreadsheet program takes for a formula. Pure."""

import re

# Characters that start a formula in a spreadsheet (OWASP's list), including their full-width forms.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
# -5, -12,50, +1,5 %, +34, -1.000,30 € and every number in E.164: the usual apostrophe would break all of them.
# From 16 digits on, a spreadsheet would lose some.
_NUMBER = re.compile(r"(?![+-][0-9]{16})[+-][0-9]+(?:[.,][0-9]+)*(?:[ \xa0]?[%€$£])?")
# The start of a cell for a program that splits at another delimiter than the file's, as Excel does by its language.
_INNER = re.compile(r"([,;|\t\r\n][\s\"]*)(?=[=+\-@＝＋－＠])(?![+-][0-9]+(?:[.,][0-9]+)*(?:[,;|\t\r\n]|$))")


def harmless(text: str) -> str:
    """The text, with a leading apostrophe if a spreadsheet would read it as a formula and it is no number."""
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def harmless_throughout(text: str) -> str:
    """The same for a text of which another program may make several cells: `x,=1+1` and `x;=1+1`."""
    return harmless(_INNER.sub(r"\1'", text))
