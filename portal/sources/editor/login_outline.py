"""The outline of an answer that signs in: where each of its values is, and the beginning of each.

Such an answer is itself a secret, so nothing else of it is ever kept. What looks like the token, and for how long that
is valid, is found before the values are cut.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from portal.sources.editor.answer_tree import TreeRow, format_of, read_as, tree_of
from portal.sources.http.clean import BEGINNING, LIKE_A_TOKEN
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.model import AnswerReading

MOST_ROWS = 100
_TOKEN_NAMED = re.compile(
    r"(?:x[_-]?)?(?:access|auth|id|session|subject|bearer|api|security|user)?[_-]?(?:token|jwt)|access|ticket|"
    r"session(?:[_-]?(?:id|key))?|sid|authorization",
    re.IGNORECASE,
)
_SPAN_NAMED = re.compile(r"expires?(?:[_-]?in)?|ttl|valid(?:ity|[_-]?for)?|lifetime|duration", re.IGNORECASE)
_ERROR_NAMED = re.compile(r"err(?:or)?(?:[_-]?\w+)?|fail(?:ed|ure)?|n?ko|fault|invalid|message|detail", re.IGNORECASE)
_SPAN = re.compile(r"\d{2,8}")
_SHORTEST_SPAN, _LONGEST_SPAN = 30, 40_000_000
# Headers that no answer has its token in.
_OF_EVERY_ANSWER = re.compile(
    r"content-.*|date|server|connection|cache-control|vary|set-cookie|transfer-encoding|keep-alive|etag|expires|pragma|"
    r"age|via|alt-svc|strict-transport-security|access-control-.*|x-(?:frame|content|xss|powered|ratelimit|request).*|"
    r"retry-after|last-modified|referrer-policy|permissions-policy|location|allow|cf-.*|nel|report-to",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LoginOutline:
    """`rows` have the places of values; `token` is the place of the likeliest one, empty without one, and `span` that
    of the seconds for which it is valid, which are `seconds`."""

    format: str = "json"
    rows: tuple[TreeRow, ...] = ()
    token: Mapping[str, str] | None = None
    span: Mapping[str, str] | None = None
    seconds: int = 0

    @property
    def sets_cookies(self) -> bool:
        return any("cookie" in row.place for row in self.rows)

    def has(self, place: Mapping[str, str]) -> bool:
        """Whether one of its values is there."""
        return any(dict(row.place) == dict(place) for row in self.rows)


def outline_of(response: SourceResponse) -> LoginOutline:
    """The outline of an answer in any format."""
    form = format_of(response)
    body = tree_of(read_as(response, AnswerReading(form)), ()).rows
    body = tuple(row for row in body if not _tells(row))[:MOST_ROWS]
    headers = [
        TreeRow(0, f"{name}:", value, {"header": name}, (name,))
        for name, value in list(response.headers.items())[:60]
        if value and not _OF_EVERY_ANSWER.fullmatch(name)
    ]
    cookies = [
        TreeRow(0, f"Set-Cookie: {one['name']}", str(one["value"]), {"cookie": str(one["name"])})
        for one in response.cookies[:20]
    ]
    token, span = _token_in(body, headers, form), _span_in(body)
    rows = tuple(_cut(row) for row in (*body, *headers, *cookies))
    place = span.place if span else None
    return LoginOutline(form, rows, token.place if token else None, place, int(span.value) if span else 0)


def _tells(row: TreeRow) -> bool:
    """Whether the place of a row may have the token itself: as the text beside an element of a page, or as the name of
    what comes after it."""
    return "normalize-space()=" in str(dict(row.place)) or bool(LIKE_A_TOKEN.fullmatch(row.label.replace(" ", "")))


def _token_in(body: Sequence[TreeRow], headers: Sequence[TreeRow], form: str) -> TreeRow | None:
    values = [row for row in body if row.place and row.value and not _is_span(row) and not _is_named(row, _ERROR_NAMED)]
    named = [row for row in values if _is_named(row, _TOKEN_NAMED)]
    if named:
        return max(named, key=lambda row: (min(len(row.value), 20), -len(str(row.place))))
    if of_header := [row for row in headers if _is_named(row, _TOKEN_NAMED)]:
        return of_header[0]
    alike = [row for row in values if LIKE_A_TOKEN.fullmatch(row.value.rstrip("…"))]
    if len(alike) == 1:
        return alike[0]
    is_only = form == "text" and len(values) == 1 and "\ufffd" not in values[0].value
    return values[0] if is_only else None


def _span_in(body: Iterable[TreeRow]) -> TreeRow | None:
    return next((row for row in body if _is_span(row)), None)


def _is_span(row: TreeRow) -> bool:
    is_figure = bool(_SPAN.fullmatch(row.value)) and _SHORTEST_SPAN <= int(row.value) <= _LONGEST_SPAN
    return bool(row.place) and is_figure and _is_named(row, _SPAN_NAMED)


def _is_named(row: TreeRow, pattern: re.Pattern[str]) -> bool:
    return bool(row.keys) and bool(pattern.fullmatch(row.keys[-1]))


def _cut(row: TreeRow) -> TreeRow:
    """A row with the beginning of its value only; a span of seconds is no secret."""
    value = row.value
    if len(value) > 2 * BEGINNING and not _is_span(row):
        value = f"{value[:BEGINNING]}… ({len(value)}{'+' if value.endswith('…') else ''})"
    return replace(row, value=value)


def written(found: LoginOutline) -> bytes:
    """An outline as it is kept with its question."""
    return json.dumps(asdict(found), ensure_ascii=False).encode()


def read(body: bytes) -> LoginOutline | None:
    """The outline that was kept; None for anything else."""
    with suppress(ValueError, TypeError, AttributeError, LookupError):
        kept: dict[str, Any] = json.loads(body)
        rows = tuple(TreeRow(**{**row, "keys": tuple(row["keys"])}) for row in kept.pop("rows"))
        return LoginOutline(**kept, rows=rows)
    return None
