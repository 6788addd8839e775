"""Take a number out of a workbook, an xlsx or ods: its cells say a word instead. All else stays as it was.

Parts without the number keep their bytes. A formula stays a formula: only the digits in it become 0, because others may
share it. Where a program expects a number, such as in the cache of a pivot table or a chart, the number becomes 0. What
is no XML is searched for the plain digits. Pure.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from html import escape, unescape
from typing import NamedTuple

from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.package import SMALL_PART_BYTES, Package, copied, plain_name
from portal.phone.writings import Writings

_MARKUP = (".xml", ".rels", ".vml", ".rdf")
_PIECE = 1024 * 1024
_LONGEST = 16 * _PIECE  # of a row: a longer one is cut at the end of any tag
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_TAG = re.compile(r"(<[^>]*>)")
_TEXT = re.compile(r"<(?:[\w.-]+:)?t(?:\s[^<>]*)?>([^<]*)<")
_ITEM = re.compile(r"<(?P<p>(?:[\w.-]+:)?)si(?:\s[^<>]*)?>(?P<in>.*?)</(?P=p)si>", re.DOTALL)
_SOUND = re.compile(r"<((?:[\w.-]+:)?)rPh\b.*?</\1rPh>", re.DOTALL)  # how a Japanese text is pronounced
_CELL = re.compile(r"<(?P<p>(?:[\w.-]+:)?)c(?P<a>(?:\s[^<>]*)?)(?<!/)>(?P<in>.*?)</(?P=p)c>", re.DOTALL)
_TYPE = re.compile(r"""\s(?:t|cm|vm)\s*=\s*(?:"[^"]*"|'[^']*')""")
_SHARED = re.compile(r"""\st\s*=\s*["']s["']""")
_INLINE = re.compile(r"""\st\s*=\s*["']inlineStr["']""")
_FORMULA = re.compile(r"<(?P<p>(?:[\w.-]+:)?)f(?:\s[^<>]*)?(?:/>|>[^<]*</(?P=p)f>)")
_VALUE = re.compile(r"<(?:[\w.-]+:)?v(?:\s[^<>]*)?>([^<]*)<")
_ODS_CELL = re.compile(
    r"<(?P<n>(?:[\w.-]+:)?(?:covered-)?table-cell)(?P<a>(?:\s[^<>]*?)?)(?:/>|>(?P<in>.*?)</(?P=n)>)", re.DOTALL
)
_ODS_VALUE = re.compile(
    r"""\s[\w.-]+:(?:value|value-type|string-value|currency|boolean-value)\s*=\s*(?:"[^"]*"|'[^']*')"""
)
_PARAGRAPHS = re.compile(r"<((?:[\w.-]+:)?)p(?:\s[^<>]*)?>.*?</\1p>", re.DOTALL)
_IS_A_NUMBER = frozenset({"v", "f", "n", "formula", "formula1", "formula2", "definedName", "calculatedColumnFormula"})


class _Change(NamedTuple):
    """What to do to the text of parts."""

    writings: Writings
    word: str
    counted: list[int]  # its length is how many places were changed

    def text(self, text: str) -> str:
        """A text as a person reads it, without the number."""
        return self.writings.without(text, self.word)

    def note(self) -> None:
        self.counted.append(1)


def places_in(package: Package, writings: Writings) -> int:
    """Return in how many places of the workbook the number is. Raises CannotWriteInPlace."""
    return len(_changed_parts(package, writings, "")[1])


def without_number(package: Package, writings: Writings, word: str) -> Iterator[bytes]:
    """Give the workbook piece by piece, with the word in each cell in which the number was. Raises
    CannotWriteInPlace."""
    changed, _ = _changed_parts(package, writings, word)
    yield from copied(package, changed)


def _changed_parts(
    package: Package, writings: Writings, word: str
) -> tuple[dict[str, Callable[[], Iterable[bytes]]], list[int]]:
    changed: dict[str, Callable[[], Iterable[bytes]]] = {}
    counted: list[int] = []
    for entry in package.entries:
        name = entry.filename
        made = partial(_part, package, name, writings, word)
        before = len(counted)
        for _ in made(counted):
            pass
        if len(counted) > before:
            changed[name] = partial(made, [])
    return changed, counted


def _part(package: Package, name: str, writings: Writings, word: str, counted: list[int]) -> Iterator[bytes]:
    """A part without the number."""
    change = _Change(writings, word, counted)
    plain = plain_name(name)
    if not plain.endswith(_MARKUP):
        yield from _plain_bytes(package, name, change)
        return
    pieces = package.pieces(name)
    first = next(pieces, b"")
    if first.startswith(_WIDE):
        first, pieces = package.text(name), iter(())
    rewrite, end = _of_part(plain)
    for segment in _segments(first, pieces, end):
        yield rewrite(segment.decode("utf-8", "surrogateescape"), change).encode("utf-8", "surrogateescape")


def _of_part(plain: str) -> tuple[Callable[[str, _Change], str], bytes]:
    """How the text of a part is changed, and where it can be cut."""
    if plain.endswith("sharedstrings.xml"):
        return _strings, b"si>"
    if "/worksheets/" in plain and plain.endswith(".xml"):
        return _rows, b"row>"
    if plain.endswith("content.xml"):
        return _ods_rows, b"table-row>"
    return _any_markup, b">"


def _segments(first: bytes, pieces: Iterator[bytes], end: bytes) -> Iterator[bytes]:
    """The part in pieces that end where an element does."""
    held = first
    for piece in pieces:
        held += piece
        if len(held) < _PIECE:
            continue
        cut = held.rfind(end)
        if cut < 0 and len(held) > _LONGEST:
            cut, end = held.rfind(b">"), b">"
        if cut >= 0:
            cut += len(end)
            yield held[:cut]
            held = held[cut:]
    yield held


def _strings(text: str, change: _Change) -> str:
    """Shared strings. One that is written in several formats becomes a plain one."""
    if not change.writings.is_in(_TAG.sub("", text)):
        return text

    def item(match: re.Match[str]) -> str:
        said = unescape("".join(_TEXT.findall(_SOUND.sub("", match["in"]))))
        if not change.writings.is_in(said):
            return match[0]
        change.note()
        prefix = match["p"]
        return f'<{prefix}si><{prefix}t xml:space="preserve">{escape(change.text(said))}</{prefix}t></{prefix}si>'

    return _ITEM.sub(item, text)


def _rows(text: str, change: _Change) -> str:
    """Rows of a worksheet, and what is before and behind them."""
    if not change.writings.is_in(_TAG.sub("", text)) and not change.writings.is_in(text):
        return text
    pieces, at = [], 0
    for match in _CELL.finditer(text):
        pieces += [_any_markup(text[at : match.start()], change), _cell(match, change)]
        at = match.end()
    return "".join([*pieces, _any_markup(text[at:], change)])


def _cell(match: re.Match[str], change: _Change) -> str:
    prefix, attributes, inner = match["p"], match["a"], match["in"]
    if _SHARED.search(attributes):
        return match[0]
    found = _FORMULA.search(inner)
    formula = found[0] if found else ""
    said = "".join(_TEXT.findall(inner)) if _INLINE.search(attributes) else "".join(_VALUE.findall(inner))
    said = unescape(said)
    if not change.writings.is_in(said) and not change.writings.is_in(formula):
        return match[0]
    change.note()
    kept, shown = _TYPE.sub("", attributes), escape(change.text(said) if change.writings.is_in(said) else change.word)
    if formula:
        formula = change.writings.without(formula, "0")
        return f'<{prefix}c{kept} t="str">{formula}<{prefix}v>{shown}</{prefix}v></{prefix}c>'
    inside = f'<{prefix}is><{prefix}t xml:space="preserve">{shown}</{prefix}t></{prefix}is>'
    return f'<{prefix}c{kept} t="inlineStr">{inside}</{prefix}c>'


def _ods_rows(text: str, change: _Change) -> str:
    if not change.writings.is_in(_TAG.sub("", text)) and not change.writings.is_in(text):
        return text
    pieces, at = [], 0
    for match in _ODS_CELL.finditer(text):
        pieces += [_any_markup(text[at : match.start()], change), _ods_cell(match, change)]
        at = match.end()
    return "".join([*pieces, _any_markup(text[at:], change)])


def _ods_cell(match: re.Match[str], change: _Change) -> str:
    name, attributes, inner = match["n"], match["a"], match["in"] or ""
    said = unescape(_TAG.sub("", inner))
    if not change.writings.is_in(said) and not change.writings.is_in(attributes):
        return match[0]
    change.note()
    kept = change.writings.without(_ODS_VALUE.sub("", attributes), "0")
    quiet = change._replace(counted=[])
    inside = _any_markup(inner, quiet)
    if change.writings.is_in(unescape(_TAG.sub("", inside))) or not change.writings.is_in(said):
        paragraph = f"<text:p>{escape(change.text(said) if change.writings.is_in(said) else change.word)}</text:p>"
        inside = f"{_PARAGRAPHS.sub('', inner)}{paragraph}" if not change.writings.is_in(said) else paragraph
    return f'<{name}{kept} office:value-type="string" calcext:value-type="string">{inside}</{name}>'


def _any_markup(text: str, change: _Change) -> str:
    """Any other XML: in texts the word, and 0 in attributes and where a program expects a number or a formula."""
    if not change.writings.is_in(text):
        return text
    pieces, before = [], ""
    for place, piece in enumerate(_TAG.split(text)):
        is_tag = place % 2 == 1
        if change.writings.is_in(piece):
            change.note()
            number = is_tag or before.rpartition(":")[2] in _IS_A_NUMBER
            piece = change.writings.without(piece, "0" if number else change.word)
        if is_tag:
            before = piece[1:].split(maxsplit=1)[0].rstrip("/>") if len(piece) > 2 else ""
        pieces.append(piece)
    return "".join(pieces)


def _plain_bytes(package: Package, name: str, change: _Change) -> Iterator[bytes]:
    """A part that is no XML: the plain digits in it become zeros, so that nothing else moves."""
    if package.entry(name).file_size > SMALL_PART_BYTES:
        yield from package.pieces(name)
        return
    try:
        content = b"".join(package.pieces(name))
    except CannotWriteInPlace:  # an entry that cannot be read, such as a folder: nobody else can either
        return
    for digits in (change.writings.national.encode(), change.writings.national.encode("utf-16-le")):
        if digits in content:
            change.note()
            zeros = ("0" * len(change.writings.national)).encode("utf-16-le" if b"\0" in digits else "ascii")
            content = content.replace(digits, zeros)
    yield content
