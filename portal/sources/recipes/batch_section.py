"""Reads [batch] and [batch.poll] of a recipe."""

from portal.sources.recipes.answer_section import read_rule
from portal.sources.recipes.expressions import expression, items, path
from portal.sources.recipes.model import Batch, Poll, Request
from portal.sources.recipes.placeholders import FORMS, MANY_NUMBERS, names_in, placeholders
from portal.sources.recipes.request_section import in_braces, read_address, read_request
from portal.sources.recipes.toml_table import TomlTable


def read_batch(table: TomlTable, base: Request, base_table: TomlTable, settings: frozenset[str]) -> Batch:
    """The batch in a table. Its request takes from `base`, which is [request], what the table leaves out."""
    batch_request = read_request(table, MANY_NUMBERS, settings, base)
    poll_table = table.table("poll")
    if poll_table is None and "batch_key" in names_in(batch_request):
        table.wrong("poll", "key_needs_poll")
    found = Batch(
        request=batch_request,
        size=table.whole("size", 100, 1, 10_000),
        items=expression(table, "items", items, None),
        key=expression(table, "key", path, None),
        number=table.one_of("number", ("e164", "digits", "national"), "e164"),
        each=_each(table, batch_request),
        join=table.text("join", ","),
        missing=table.one_of("missing", ("retry", "not_found", "rejected"), "retry"),
        poll=_poll(poll_table) if poll_table else None,
    )
    _check_numbers(found, (table, base_table))
    table.end()
    return found


def _check_numbers(found: Batch, tables: tuple[TomlTable, TomlTable]) -> None:
    """Record that a batch's request names no numbers, or one of many. `tables`: [batch], and [request] that it takes
    the rest from."""
    asked = found.request
    names = names_in(asked)
    own, base = tables
    if asked.url and not names & set(MANY_NUMBERS):
        key = "body" if asked.body or asked.method == "POST" else "url"
        (own if own.has(key) or not base.has(key) else base).wrong(key, "no_number", known=in_braces(MANY_NUMBERS))
    if found.size == 1:
        return
    for key, text in {"url": asked.url, "body": asked.body, "headers": " ".join(asked.headers.values())}.items():
        for _, name in placeholders(text):
            if name in FORMS:
                (own if own.has(key) else base).wrong(key, "one_of_many", name=name)


def _each(table: TomlTable, batch_request: Request) -> str:
    """How one number is written in {numbers}."""
    text = table.text("each")
    for is_secret, name in placeholders(text):
        if is_secret or name not in FORMS:
            table.wrong("each", "bad_placeholder", name=name, known=", ".join(FORMS))
    if text and not any(name in FORMS for _, name in placeholders(text)):
        table.wrong("each", "no_number", known=in_braces(FORMS))
    for key in ("each", "join"):
        if table.has(key) and "numbers" not in names_in(batch_request):
            table.wrong(key, "needs_numbers")
    return text


def _poll(table: TomlTable) -> Poll:
    """How to fetch the answers of a batch."""
    url = read_address(table, "url")
    if url and ("ticket" not in {name for _, name in placeholders(url)}):
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
    )
    table.end()
    return found
