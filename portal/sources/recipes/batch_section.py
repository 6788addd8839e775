"""Reads [batch] and [batch.poll] of a recipe."""

from dataclasses import replace

from portal.sources.recipes.answer_section import read_rule
from portal.sources.recipes.expressions import expression, item_key, items, path
from portal.sources.recipes.model import EACH, Batch, Poll, Request, Upload
from portal.sources.recipes.placeholders import (
    FORMS,
    MANY_NUMBERS,
    ONE_NUMBER,
    WITH_MANY_NUMBERS,
    names_in,
    placeholders,
)
from portal.sources.recipes.request_section import Vocabulary, in_braces, known_names, read_address, read_request
from portal.sources.recipes.toml_table import TomlTable
from portal.sources.recipes.vocabulary import check_placeholders


def read_batch(table: TomlTable, base: Request, base_table: TomlTable, words: Vocabulary) -> Batch:
    """The batch in a table. Its request takes from `base`, which is [request], what the table leaves out."""
    batch_request = read_request(table, MANY_NUMBERS, words, base)
    file, form = _file(table, batch_request, words)
    if file:
        batch_request = replace(batch_request, method="POST", form=form)
    poll_table = table.table("poll")
    if poll_table is None and "batch_key" in names_in(batch_request):
        table.wrong("poll", "key_needs_poll")
    found = Batch(
        request=batch_request,
        size=table.whole("size", 100, 1, 10_000),
        items=expression(table, "items", items, None),
        key=expression(table, "key", item_key, None),
        number=table.one_of("number", ("e164", "digits", "national"), "e164"),
        each=_each(table, batch_request),
        join=table.text("join", ","),
        missing=table.one_of("missing", ("retry", "not_found", "rejected"), "retry"),
        poll=_poll(poll_table) if poll_table else None,
        file=file,
    )
    if found.key.startswith(EACH) and not (found.each or file):
        table.wrong("key", "key_needs_each")
    _check_numbers(found, (table, base_table))
    table.end()
    return found


def _check_numbers(found: Batch, tables: tuple[TomlTable, TomlTable]) -> None:
    """Record that a batch's request names no numbers, or one of many. `tables`: [batch], and [request] that it takes
    the rest from."""
    asked = found.request
    names = names_in(asked)
    own, base = tables
    forms = () if found.size > 1 else ONE_NUMBER
    if asked.url and not found.file and not names & {*MANY_NUMBERS, *forms}:
        key = "body" if asked.body or asked.method == "POST" else "url"
        (own if own.has(key) or not base.has(key) else base).wrong(key, "no_number", known=in_braces(MANY_NUMBERS))
    if found.size == 1:
        return
    for key, text in {"url": asked.url, "body": asked.body, "headers": " ".join(asked.headers.values())}.items():
        for one in placeholders(text):
            if one.name in FORMS and not one.is_secret:
                (own if own.has(key) else base).wrong(key, "one_of_many", name=one.name)


def _each(table: TomlTable, batch_request: Request) -> str:
    """How one number is written in {numbers}."""
    text = table.text("each")
    check_each(table, text)
    for key in ("each", "join"):
        if table.has(key) and "numbers" not in names_in(batch_request):
            table.wrong(key, "needs_numbers")
    return text


def check_each(table: TomlTable, text: str) -> None:
    """Record what is wrong with the text of one number, which has no other placeholders than its forms."""
    for one in placeholders(text):
        if one.secrets:
            table.wrong("each", "bad_placeholder", name=one.secrets[0], known=", ".join(FORMS))
    check_placeholders(table, "each", text, FORMS)
    if text and not any(one.name in FORMS for one in placeholders(text)):
        table.wrong("each", "no_number", known=in_braces(FORMS))


def _file(table: TomlTable, request: Request, words: Vocabulary) -> tuple[Upload | None, dict[str, str]]:
    """The numbers as a file to upload, and the fields of the form around it."""
    inner = table.table("file")
    if inner is None:
        return None, {}
    if request.body:
        table.wrong("file", "file_or_body")
    if table.has("each") or table.has("join"):
        table.wrong("each" if table.has("each") else "join", "each_of_file")
    found = Upload(
        field=inner.text("field", None),
        each=inner.text("each", "{e164}"),
        header=inner.text("header"),
        name=inner.text("name", "numbers.csv"),
        type=inner.text("type", "text/csv"),
    )
    check_each(inner, found.each)
    form = inner.texts("form")
    check_placeholders(inner, "form", " ".join(form.values()), known_names(WITH_MANY_NUMBERS, words), words.settings)
    for name in ("field", "header", "name", "type"):
        if any(ord(character) < 32 for character in getattr(found, name)):
            inner.wrong(name, "bad_line")
    inner.end()
    return found, form


def _poll(table: TomlTable) -> Poll:
    """How to fetch the answers of a batch."""
    url = read_address(table, "url")
    if url and ("ticket" not in {one.name for one in placeholders(url)}):
        table.wrong("url", "no_number", known="{ticket}")
    ready = tuple(read_rule(one, "json") for one in table.tables("ready"))
    if not ready:
        table.wrong("ready", "missing")
    found = Poll(
        url=url,
        ticket=expression(table, "ticket", path, None),
        ready=ready,
        interval_seconds=table.number("interval", 2.0, 0.01, 600),
        limit_seconds=table.number("limit", 300.0, 1, 86_400),
        keep_hours=table.number("keep_hours", 24.0, 0.01, 720),
        gone=tuple(read_rule(one, "json") for one in table.tables("gone")),
        results=expression(table, "results", path),
    )
    table.end()
    return found
