"""Reads how the answer is read: [answer], one rule of [outcome], one field of [fields]."""

import codecs
import re

from w3lib.encoding import resolve_encoding

from portal.sources.recipes.expressions import (
    check_xpath,
    css,
    date_format,
    expression,
    filled_names,
    path,
    regex,
)
from portal.sources.recipes.model import FORMATS, LISTS, TREES, VALUES, AnswerFormat, AnswerReading, FieldRule, Rule
from portal.sources.recipes.request_section import HEADER_NAME
from portal.sources.recipes.toml_table import TomlTable

SHORT_FORMS = {"html": "css", "xml": "xpath", "text": "regex"}  # what a field is that is only a text


def read_answer(table: TomlTable | None, kind: AnswerFormat) -> AnswerReading:
    """How the answer's bytes are read. Without a word of it, as the source's kind says."""
    form = "html" if kind == AnswerFormat.HTML else "json"
    if table is None:
        return AnswerReading(form)
    form = table.one_of("format", FORMATS, form)
    if kind == AnswerFormat.BATCH and form not in LISTS:
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


def read_rule(table: TomlTable, form: str, *, may_wait: bool = False) -> Rule:
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


def read_field(table: TomlTable, name: str, reading: AnswerReading, *, may_be_header: bool = False) -> FieldRule:
    """One field of an answer that is read so, with exactly one of `path`, `css` and `xpath`; of plain text, with
    `regex` alone. Where it `may_be_header`, `header` may name one of the answer instead."""

    def xpath(text: str) -> None:
        check_xpath(text, reading.namespaces)

    allowed = {"path": VALUES, "css": TREES, "xpath": TREES}
    header = table.text("header") if may_be_header else ""
    if header and not re.fullmatch(HEADER_NAME, header):
        table.wrong("header", "bad_header")
    found = FieldRule(
        name=name,
        header=header,
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
    given = [key for key in allowed if table.has(key)] + (["header"] if header else [])
    for key in given:
        if key in allowed and reading.format not in allowed[key]:
            table.wrong(key, "not_in_format", format=reading.format)
    if reading.format == "text" and not given and not table.has("regex"):
        table.wrong("", "needs_regex")
    elif len(given) > 1 or (reading.format != "text" and not given):
        table.wrong("", "one_selector")
    table.end()
    return found
