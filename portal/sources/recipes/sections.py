"""Reads the parts of a recipe, each from its table: request, batch, limits, rules and fields.

Each function records the mistakes that it finds and continues. Opens no file: `loader` checks that samples exist.
"""

import codecs
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import jmespath
from jmespath.exceptions import JMESPathError
from lxml import etree
from parsel import Selector
from w3lib.encoding import resolve_encoding

from portal.sources.recipes.model import (
    FORMATS,
    MAP,
    TREES,
    VALUES,
    AnswerFormat,
    AnswerReading,
    Batch,
    FieldRule,
    Poll,
    Request,
    RequestLimits,
    Rule,
)
from portal.sources.recipes.patterns import pattern
from portal.sources.recipes.placeholders import FORMS, PLACEHOLDER, names_in, placeholders
from portal.sources.recipes.toml_table import TomlTable

ONE_NUMBER = ("e164", "national", "digits")  # a request for one number needs one of these
MANY_NUMBERS = ("numbers_json", "numbers")
WITH_MANY_NUMBERS = ("batch_key",)  # allowed beside them
SIZES = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000}
SPANS = {"s": 1, "min": 60, "m": 60, "h": 3600}
MAX_BODY_BYTES = 20_000_000


def request(
    table: TomlTable, wanted: tuple[str, ...], settings: frozenset[str], base: Request | None = None
) -> Request:
    """The request in a table. At least one of the placeholders `wanted` has to be in it; `settings` are names that no
    secret may have; `base` gives the values that the table leaves out."""
    url = address(table, "url", None if base is None else base.url)
    body = table.text("body", base.body if base else "")
    method = table.one_of("method", ("GET", "POST"), "POST" if body and base else base.method if base else "GET")
    headers = table.texts("headers") or dict(base.headers if base else {})
    for name, text in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or "\n" in text or "\r" in text:
            table.wrong("headers", "bad_header")
    if body and method == "GET":
        table.wrong("method", "body_with_get")
    # What a table takes from `base` was checked there.
    texts = {"url": url, "body": body, "headers": " ".join(headers.values())}
    texts = {key: text for key, text in texts.items() if base is None or table.has(key)}
    known = tuple(dict.fromkeys((*wanted, *(WITH_MANY_NUMBERS if wanted == MANY_NUMBERS else ()), *FORMS)))
    for key, text in texts.items():
        for is_secret, name in placeholders(text):
            if is_secret and name in settings:
                table.wrong(key, "secret_is_setting", name=name)
            elif not is_secret and name not in known:
                table.wrong(key, "bad_placeholder", name=name, known=", ".join(known))
    found = Request(
        url=url,
        method=method,
        headers=headers,
        body=body,
        timeout_seconds=table.number("timeout", base.timeout_seconds if base else 10.0, 0.1, 120),
        max_body_bytes=size(table, "max_body", base.max_body_bytes if base else 1_000_000),
        redirects=table.whole("redirects", base.redirects if base else 0, 0, 5),
    )
    if url and wanted == ONE_NUMBER and not names_in(found) & set(wanted):
        table.wrong("url", "no_number", known=_in_braces(wanted))
    return found


def _in_braces(names: tuple[str, ...]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def check_batch_numbers(found: Batch, tables: tuple[TomlTable, TomlTable]) -> None:
    """Record that a batch's request names no numbers, or one of many. `tables`: [batch], and [request] that it takes
    the rest from."""
    asked = found.request
    names = names_in(asked)
    own, base = tables
    if asked.url and not names & set(MANY_NUMBERS):
        key = "body" if asked.body or asked.method == "POST" else "url"
        (own if own.has(key) or not base.has(key) else base).wrong(key, "no_number", known=_in_braces(MANY_NUMBERS))
    if found.size == 1:
        return
    for key, text in {"url": asked.url, "body": asked.body, "headers": " ".join(asked.headers.values())}.items():
        for _, name in placeholders(text):
            if name in FORMS:
                (own if own.has(key) else base).wrong(key, "one_of_many", name=name)


def address(table: TomlTable, key: str, default: str | None = None) -> str:
    """An http or https address whose host has no placeholder and no user."""
    url = table.text(key, default)
    if not url:
        return ""
    parts = urlsplit(PLACEHOLDER.sub("x", url))
    host = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    if "@" in host:
        table.wrong(key, "user_in_address")
    elif parts.scheme not in ("http", "https") or not parts.netloc or "{" in host:
        table.wrong(key, "bad_address")
    return url


def size(table: TomlTable, key: str, default: int) -> int:
    """A size in bytes, written such as "500 kB"."""
    value = table.raw(key)
    if value is None:
        return default
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(b|kb|mb|)\s*", str(value).lower())
    found = int(float(match[1]) * SIZES[match[2]]) if match else 0
    if not 1 <= found <= MAX_BODY_BYTES:
        table.wrong(key, "bad_size")
        return default
    return found


def limits(table: TomlTable | None, kind: AnswerFormat) -> RequestLimits:
    """The limits in a table, or the defaults."""
    if table is None:
        return RequestLimits(robots=kind == AnswerFormat.HTML)
    if table.has("robots") and kind != AnswerFormat.HTML:
        table.wrong("robots", "html_only")
    found = RequestLimits(
        per_second=_rate(table),
        concurrency=table.whole("concurrency", 4, 1, 64),
        cache_days=_days(table),
        robots=table.yes_no("robots", kind == AnswerFormat.HTML),
    )
    table.end()
    return found


def _rate(table: TomlTable) -> float | None:
    """Requests a second, written such as "600/min"."""
    value = table.raw("rate")
    if value is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*(s|min|m|h))?\s*", str(value))
    if not match or isinstance(value, bool) or not 0 < (rate := float(match[1]) / SPANS[match[2] or "s"]) <= 10_000:
        table.wrong("rate", "bad_rate")
        return None
    return rate


def _days(table: TomlTable) -> float:
    value = table.raw("cache")
    if value is None:
        return 0.0
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:days?|d|)\s*", str(value))
    if not match or isinstance(value, bool) or float(match[1]) > 3650:
        table.wrong("cache", "bad_days")
        return 0.0
    return float(match[1])


def batch(table: TomlTable, base: Request, base_table: TomlTable, settings: frozenset[str]) -> Batch:
    """The batch in a table. Its request takes from `base`, which is [request], what the table leaves out."""
    batch_request = request(table, MANY_NUMBERS, settings, base)
    poll_table = table.table("poll")
    if poll_table is None and "batch_key" in names_in(batch_request):
        table.wrong("poll", "key_needs_poll")
    found = Batch(
        request=batch_request,
        size=table.whole("size", 100, 1, 10_000),
        items=expression(table, "items", items, None),
        key=expression(table, "key", path, None),
        number=table.one_of("number", ("e164", "digits", "national"), "e164"),
        each=each(table, batch_request),
        join=table.text("join", ","),
        missing=table.one_of("missing", ("retry", "not_found", "rejected"), "retry"),
        poll=poll(poll_table) if poll_table else None,
    )
    check_batch_numbers(found, (table, base_table))
    table.end()
    return found


def each(table: TomlTable, batch_request: Request) -> str:
    """How one number is written in {numbers}."""
    text = table.text("each")
    for is_secret, name in placeholders(text):
        if is_secret or name not in FORMS:
            table.wrong("each", "bad_placeholder", name=name, known=", ".join(FORMS))
    if text and not any(name in FORMS for _, name in placeholders(text)):
        table.wrong("each", "no_number", known=_in_braces(FORMS))
    for key in ("each", "join"):
        if table.has(key) and "numbers" not in names_in(batch_request):
            table.wrong(key, "needs_numbers")
    return text


def poll(table: TomlTable) -> Poll:
    """How to fetch the answers of a batch."""
    url = address(table, "url")
    if url and ("ticket" not in {name for _, name in placeholders(url)}):
        table.wrong("url", "no_number", known="{ticket}")
    ready = tuple(rule(one, "json") for one in table.tables("ready"))
    if not ready:
        table.wrong("ready", "missing")
    found = Poll(
        url=url,
        ticket=expression(table, "ticket", path, None),
        ready=ready,
        interval_seconds=table.number("interval", 2.0, 0.01, 600),
        limit_seconds=table.number("limit", 300.0, 1, 86_400),
        keep_hours=table.number("keep_hours", 24.0, 0.01, 720),
        gone=tuple(rule(one, "json") for one in table.tables("gone")),
    )
    table.end()
    return found


def answer(table: TomlTable | None, kind: AnswerFormat) -> AnswerReading:
    """How the answer's bytes are read. Without a word of it, as the source's kind says."""
    form = "html" if kind == AnswerFormat.HTML else "json"
    if table is None:
        return AnswerReading(form)
    form = table.one_of("format", FORMATS, form)
    if kind == AnswerFormat.BATCH and form not in VALUES:
        table.wrong("format", "not_for_batch")
    delimiter, namespaces = table.text("delimiter"), table.texts("namespaces")
    if table.has("delimiter") and (len(delimiter) != 1 or delimiter in '"\r\n'):
        table.wrong("delimiter", "bad_delimiter")
        delimiter = ""
    header = table.yes_no("header", True)
    for key, its_format in (("delimiter", "csv"), ("header", "csv"), ("namespaces", "xml")):
        if table.has(key) and form != its_format:
            table.wrong(key, "not_in_format", format=form)
    charset = table.text("charset")
    codec = resolve_encoding(charset) if charset else ""
    if codec is None or (codec and not codecs.lookup(codec)._is_text_encoding):
        table.wrong("charset", "bad_charset")
        codec = ""
    table.end()
    return AnswerReading(form, codec, delimiter, header, namespaces)


def rule(table: TomlTable, form: str, *, may_wait: bool = False) -> Rule:
    """One rule on an answer in this format; `css` is for trees only, `json` and `wait` for values."""
    status = table.raw("status")
    numbers = status if isinstance(status, list) else [status] if status is not None else []
    if not all(type(one) is int and 100 <= one <= 599 for one in numbers):
        table.wrong("status", "bad_status")
        numbers = []
    for key, formats in (("css", TREES), ("json", VALUES), ("wait", VALUES)):
        if table.has(key) and form not in formats and (may_wait or key != "wait"):
            table.wrong(key, "not_in_format", format=form)
    if filled := filled_names(table.text("text")):
        table.wrong("text", "not_filled_here", name=filled[0])
    found = Rule(
        tuple(numbers),
        expression(table, "json", path),
        expression(table, "css", css),
        table.text("text"),
        expression(table, "wait", path) if may_wait else "",
    )
    if not (status is not None or found.json or found.css or found.text):
        table.wrong("", "no_rule")
    table.end()
    return found


def field(table: TomlTable, name: str, reading: AnswerReading) -> FieldRule:
    """One field of an answer that is read so, with exactly one of `path`, `css` and `xpath`; of plain text, with
    `regex` alone."""

    def xpath(text: str) -> None:
        check_xpath(text, reading.namespaces)

    allowed = {"path": VALUES, "css": TREES, "xpath": TREES}
    found = FieldRule(
        name=name,
        path=expression(table, "path", path),
        css=expression(table, "css", css),
        xpath=expression(table, "xpath", xpath),
        type=(value_type := table.one_of("type", ("text", "bool", "number", "date"), "text")),
        decimal=table.one_of("decimal", (".", ","), ",") if table.has("decimal") else "",
        format=expression(table, "format", date_format),
        map=table.texts("map"),
        regex=expression(table, "regex", regex),
        strip=table.yes_no("strip", True),
        required=table.yes_no("required", False),
        label=table.texts_by_language("label"),
    )
    for key, its_type in (("decimal", "number"), ("format", "date")):
        if table.has(key) and value_type != its_type:
            table.wrong(key, "only_for_type", type=its_type)
    given = [key for key in allowed if table.has(key)]
    for key in given:
        if reading.format not in allowed[key]:
            table.wrong(key, "not_in_format", format=reading.format)
    if reading.format == "text" and not given and not table.has("regex"):
        table.wrong("", "needs_regex")
    elif reading.format != "text" and len(given) != 1:
        table.wrong("", "one_selector")
    table.end()
    return found


def expression(table: TomlTable, key: str, check: Callable[[str], Any], default: str | None = "") -> str:
    """A text that `check` accepts; else a mistake with a code made of the name of `check`, such as `bad_path`."""
    text = table.text(key, default)
    if filled := filled_names(text):
        table.wrong(key, "not_filled_here", name=filled[0])
    if text:
        try:
            check(text)
        except (JMESPathError, ValueError, SyntaxError, etree.Error):
            table.wrong(key, f"bad_{check.__name__}")
            return ""
    return text


def filled_names(text: str) -> list[str]:
    """The placeholders in a text that is not part of a request, where none is filled in."""
    known = {*FORMS, *MANY_NUMBERS, *WITH_MANY_NUMBERS, "ticket"}
    return [name for is_secret, name in placeholders(text) if is_secret or name in known]


def path(text: str) -> None:
    """Raises JMESPathError."""
    jmespath.compile(text)


def items(text: str) -> None:
    """Raises JMESPathError, also for what follows MAP."""
    jmespath.compile((text.removeprefix(MAP).strip() or "@") if text.startswith(MAP) else text)


def css(text: str) -> None:
    """Raises ValueError or SyntaxError."""
    Selector("<p/>").css(text)


def date_format(text: str) -> None:
    """Raises ValueError for what is no form of a whole date."""
    sample = datetime(2001, 12, 31)  # noqa: DTZ001
    if datetime.strptime(sample.strftime(text), text).date() != sample.date():  # noqa: DTZ007
        raise ValueError("not a whole date")


def check_xpath(text: str, namespaces: Mapping[str, str]) -> None:
    """Raises ValueError, also for the pattern functions of EXSLT: they would run a pattern without any bound."""
    if re.search(r"\bre\s*:", text):
        raise ValueError("re: in an XPath")
    Selector("<p/>", type="xml", namespaces=dict(namespaces) or None).xpath(text)


def regex(text: str) -> None:
    """Raises ValueError for what the engine of patterns does not know."""
    pattern(text)
