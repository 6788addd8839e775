"""Shows an answer as rows that a person can choose from: the values of JSON and CSV, the elements of XML and of a page,
the lines of a text, each with where a recipe finds it. Bounded in rows, depth and letters; runs and loads nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lxml import etree
from parsel import Selector

from portal.sources.editor import selectors
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import AnswerReading
from portal.sources.recipes.toml_table import plain

MOST_ROWS = 300
MOST_DEPTH = 12
MOST_LETTERS = 200
MOST_WALKED = 10_000  # elements or values that are looked at; an answer with more elements is shown as text
HIDDEN = -2  # the depth of what is not shown
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORM = re.compile(r"[\w.-]+=[^&=\s;,|][^&\s;,|]*(?:&[\w.-]+=[^&\s]*)*")  # a=1&b=2
_NAMED_LINE = re.compile(r"\s*([\w .-]{1,40}?)\s*[:=]\s*(\S.*)")  # name: value
_PARTS = re.compile(r"[^\s|;,]+([|;,])[^|;,]*(?:\1[^|;,]*)*")  # a|b|c
_STATUS_FIRST = re.compile(r"[\w+-]{1,12}( )\S{8,}")  # OK 5a1b9c3d7e5f


@dataclass(frozen=True)
class TreeRow:
    """One row. `place`: the keys of a field that reads it, as {"path": "a.b"}; empty for what only holds others."""

    depth: int
    label: str
    value: str = ""
    place: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()  # the words that lead to it, for the guess of a name


@dataclass(frozen=True)
class AnswerTree:
    """An answer to choose from. `is_cut`: there is more than is shown; `why`: it cannot be read, for `words`."""

    format: str
    rows: tuple[TreeRow, ...] = ()
    is_cut: bool = False
    why: str = ""
    columns: tuple[str, ...] = ()  # of CSV
    table: tuple[tuple[str, ...], ...] = ()


def format_of(response: SourceResponse) -> str:
    """The format of an answer, by its type and its beginning."""
    kind, begin = response.headers.get("content-type", "").lower(), response.body[:2000].lstrip().lower()
    if begin[:1] in (b"{", b"[") or "json" in kind:
        return "json"
    if begin.startswith((b"<!doctype html", b"<html")) or "text/html" in kind or "xhtml" in kind:
        return "html"
    if begin.startswith((b"<?xml", b"<soap")) or "xml" in kind or begin[:1] == b"<":
        return "xml"
    if "x-www-form-urlencoded" in kind or _FORM.fullmatch(response.text[:20_000].strip()):
        return "form"
    lines = [line for line in response.text[:20_000].splitlines() if line.strip()][:5]
    for mark in ";,\t|":
        if "csv" in kind or (len(lines) > 1 and lines[0].count(mark) and lines[0].count(mark) == lines[1].count(mark)):
            return "csv"
    return "text"


def read_as(response: SourceResponse, reading: AnswerReading) -> SourceResponse:
    """The same response, read in another way."""
    return replace(response, reading=reading)


def tree_of(response: SourceResponse, numbers: tuple[str, ...] = ()) -> AnswerTree:
    """An answer that is read as its `reading` says. `numbers`: the digits of the number that was asked about, whose
    place in the answer must not be a part of a path."""
    form = response.reading.format
    try:
        content = response.content
    except UnreadableResponse as error:
        return AnswerTree(form, tuple(_lines(response.text)), len(response.text) > 4000, str(error))
    if form == "csv":
        return _csv(content)
    if form == "text":
        return AnswerTree(form, tuple(_lines(content, choosable=True)), len(content) > 4000)
    if isinstance(content, Selector):
        if is_too_large(content):
            return AnswerTree(form, tuple(_lines(response.text)), True, "too large")
        rows, is_cut = _bounded(_elements(content, form))
    else:
        rows, is_cut = _bounded(_values(content, numbers))
    return AnswerTree(form, rows, is_cut)


def _bounded(rows: Iterator[TreeRow | None]) -> tuple[tuple[TreeRow, ...], bool]:
    """The first rows; None stands for what was left out."""
    found: list[TreeRow] = []
    is_cut = False
    for walked, row in enumerate(rows):
        if row is None:
            is_cut = True
        elif len(found) >= MOST_ROWS or walked > MOST_WALKED:
            return tuple(found), True
        else:
            found.append(row)
    return tuple(found), is_cut


def clipped(text: str, letters: int = MOST_LETTERS) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


# ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def step(parent: str, key: str) -> str:
    """A JMESPath to a member."""
    name = key if _IDENTIFIER.fullmatch(key) else json.dumps(key, ensure_ascii=False)
    return f"{parent}.{name}" if parent else name


def _values(content: Any, numbers: tuple[str, ...]) -> Iterator[TreeRow | None]:
    todo: list[tuple[int, str, Any, str, tuple[str, ...]]] = [(0, "", content, "", ())]
    while todo:
        depth, label, value, path, keys = todo.pop()
        if isinstance(value, dict | list) and value:
            if label:
                yield TreeRow(depth, clipped(label, 60), keys=keys)
            if depth >= MOST_DEPTH:
                yield None
                continue
            inner = _members(value, path, keys, numbers, depth + bool(label))
            todo.extend(reversed(inner[:MOST_ROWS]))
            if len(inner) > MOST_ROWS:
                yield None
        else:
            shown = {"dict": "{}", "list": "[]", "NoneType": "null"}.get(type(value).__name__) or clipped(plain(value))
            yield TreeRow(depth, clipped(label, 60), shown, {"path": path or "@"}, keys)
        if (
            isinstance(value, list)
            and value
            and all(not isinstance(one, dict | list) for one in value[:50])
            and len(value) > 1
        ):
            whole = ", ".join(plain(one) for one in value[:20])
            yield TreeRow(depth + 1, "[…]", clipped(whole), {"path": path or "@"}, keys)


def _members(
    value: Any, path: str, keys: tuple[str, ...], numbers: tuple[str, ...], depth: int
) -> list[tuple[int, str, Any, str, tuple[str, ...]]]:
    if isinstance(value, list):
        return [
            (depth, f"[{place}]", one, f"{path}[{place}]", keys) for place, one in enumerate(value[: MOST_ROWS + 1])
        ]
    found = []
    for key in list(value)[: MOST_ROWS + 1]:
        digits = re.sub(r"\D", "", key)
        if digits and digits in numbers:  # {"34612345678": {…}}: another number has another key
            place = list(value).index(key)
            found.append((depth, key, value[key], f"values({path or '@'})[{place}]", keys))
        else:
            found.append((depth, key, value[key], step(path, key), (*keys, key)))
    return found


# ── pages and XML ───────────────────────────────────────────────────────────────────────────────────────────────────


def _elements(page: Selector, form: str) -> Iterator[TreeRow | None]:
    root = page.root
    if not isinstance(root, etree._Element):
        return
    finder = selectors.PageSelectors(root) if form == "html" else selectors.XmlSelectors(root)
    depth: dict[Any, int] = {}
    for element in root.iter(etree.Element):
        parent = element.getparent()
        level = -1 if parent is None else depth.get(parent, HIDDEN)
        if level <= HIDDEN or (form == "html" and selectors.local_name(element) in selectors.HIDDEN):
            depth[element] = HIDDEN
            continue
        depth[element] = level = level + 1
        shown = min(level, MOST_DEPTH)
        text = clipped(finder.text_of(element))
        keys = finder.keys_of(element)
        if text:
            yield TreeRow(shown, selectors.local_name(element), text, finder.place_of(element), keys)
        for attribute, value in list(element.attrib.items())[:20]:
            if finder.is_interesting(str(attribute), str(value)):
                name = selectors.local(attribute)
                place = finder.place_of(element, str(attribute))
                yield TreeRow(shown + 1, f"@{name}", clipped(str(value)), place, (*keys, name))


def is_too_large(page: Selector) -> bool:
    """Whether a tree has too many elements to be shown, or to find values in while a person waits."""
    root = page.root
    return not isinstance(root, etree._Element) or any(n >= MOST_WALKED for n, _ in enumerate(root.iter(etree.Element)))


# ── CSV and text ────────────────────────────────────────────────────────────────────────────────────────────────────


def _csv(rows: list[Any]) -> AnswerTree:
    if not rows:
        return AnswerTree("csv", why="empty")
    first = rows[0]
    names = (
        [str(name) for name in first][:60]
        if isinstance(first, dict)
        else [str(place) for place in range(len(first))][:60]
    )
    shown = []
    for name in names:
        path = step("[0]", name) if isinstance(first, dict) else f"[0][{name}]"
        value = first[name] if isinstance(first, dict) else first[int(name)]
        shown.append(TreeRow(0, clipped(name, 60), clipped(str(value)), {"path": path}, (name,)))
    table = tuple(
        tuple(clipped(str(one), 60) for one in (row.values() if isinstance(row, dict) else row))[:60]
        for row in rows[:5]
    )
    return AnswerTree(
        "csv", tuple(shown), len(rows) > 5, columns=tuple(clipped(name, 60) for name in names), table=table
    )


def _lines(text: str, *, choosable: bool = False) -> Iterator[TreeRow]:
    lines = [line for line in text[:4000].splitlines()[:40] if line.strip()]
    for line in lines:
        match = _NAMED_LINE.match(line)
        if not choosable:
            yield TreeRow(0, "", clipped(line))
        elif match:
            name = re.escape(match[1]).replace("\\ ", " ").replace(" ", r"\s")
            place = {"regex": rf"(?m)^\s*{name}\s*[:=]\s*(.*?)\s*$"}
            yield TreeRow(0, match[1], clipped(match[2]), place, (match[1],))
        elif parts := len(lines) == 1 and (_PARTS.fullmatch(line.strip()) or _STATUS_FIRST.fullmatch(line.strip())):
            yield from _parts(line.strip(), parts[1])
        else:
            yield TreeRow(0, "", clipped(line), {"regex": r"(?s)^\s*(.*?)\s*$"}, ())


def _parts(line: str, mark: str) -> Iterator[TreeRow]:
    """What a line says between its marks, each part by how many are before it."""
    other, end = (r"\S", r"\s+") if mark.isspace() else (f"[^{mark}]", re.escape(mark))
    for place, part in enumerate(line.split(mark)[:20]):
        place_of = rf"^\s*(?:{other}*{end}){{{place}}}\s*({other}*?)\s*(?:{end}|$)"
        yield TreeRow(0, f"[{place}]", clipped(part), {"regex": place_of})
