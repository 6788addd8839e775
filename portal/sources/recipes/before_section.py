"""Reads [[before]] of a recipe: requests whose answers give values to the ones after them."""

import re
from collections.abc import Mapping
from dataclasses import replace

from portal.sources.recipes.answer_section import SHORT_FORMS, read_field, read_rule
from portal.sources.recipes.expressions import expression, path
from portal.sources.recipes.model import FORMATS, AnswerFormat, AnswerReading, Before, FieldRule
from portal.sources.recipes.placeholders import (
    ANYWHERE,
    FORMS,
    MANY_NUMBERS,
    OF_REQUEST,
    ONE_NUMBER,
    SIGNATURE,
    WITH_MANY_NUMBERS,
    names_in,
)  # fmt: skip
from portal.sources.recipes.request_section import Vocabulary, read_request
from portal.sources.recipes.toml_table import TomlTable

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
TAKEN_NAMES = {*FORMS, *MANY_NUMBERS, *WITH_MANY_NUMBERS, *ANYWHERE, *OF_REQUEST, SIGNATURE, "ticket", "secret"}
SPANS = {"s": 1, "min": 60, "h": 3600, "hour": 3600, "hours": 3600, "day": 86_400, "days": 86_400}
LONGEST_SECONDS = 366 * 86_400


def read_before(
    tables: list[TomlTable], settings: frozenset[str], kind: AnswerFormat, *, has_poll: bool
) -> tuple[tuple[Before, ...], Vocabulary]:
    """The requests before, and what the ones after them may name."""
    words = Vocabulary(settings)
    found: list[Before] = []
    for table in tables:
        one = _read_one(table, words, kind)
        if one.is_kept and any(not other.is_kept for other in found):
            table.wrong("keep", "keep_first")
        if not one.is_kept and has_poll:
            table.wrong("keep", "poll_needs_keep")
        about_number = not one.is_kept and bool(names_in(one.request) & set(FORMS))
        words = replace(
            words,
            taken=(*words.taken, *(rule.name for rule in one.take)),
            numbers_before=words.numbers_before or about_number,
        )
        found.append(one)
    return tuple(found), words


def _read_one(table: TomlTable, words: Vocabulary, kind: AnswerFormat) -> Before:
    keeps = table.has("keep")
    about = () if keeps or kind == AnswerFormat.BATCH else ONE_NUMBER
    request = read_request(table, about, words, sign_in=table, must=False)
    if keeps or kind == AnswerFormat.BATCH:
        for name in sorted(names_in(request) & set(FORMS)):
            table.wrong("keep" if keeps else "url", "keep_about_number" if keeps else "one_of_many", name=name)
    reading = AnswerReading(table.one_of("format", FORMATS, "json"))
    seconds, keep_path = _keep(table)
    cookies = table.yes_no("cookies", False)
    found = Before(
        replace(request, reading=reading), _take(table, reading, words.taken), seconds, keep_path, cookies,
        tuple(read_rule(one, reading.format) for one in table.tables("credentials")),
    )  # fmt: skip
    if not found.take and not cookies:
        table.wrong("take", "missing")
    table.end()
    return found


def _take(table: TomlTable, reading: AnswerReading, earlier: tuple[str, ...]) -> tuple[FieldRule, ...]:
    """What is taken from the answer, by name: each is read like a field."""
    take = table.table("take")
    found = []
    if take is None:
        return ()
    for name, value in take.values.items():
        if not NAME.fullmatch(name) or name in TAKEN_NAMES or name in earlier:
            take.wrong(name, "bad_taken_name", name=name)
        if isinstance(value, str):
            take.values[name] = {SHORT_FORMS.get(reading.format, "path"): value}
        one = take.table(name)
        if one is not None:
            found.append(read_field(one, name, reading, may_be_header=True))
    return tuple(found)


def _keep(table: TomlTable) -> tuple[float | None, str]:
    """For how long what was taken is kept: seconds, or the JMESPath to them in the answer."""
    value = table.raw("keep")
    if isinstance(value, Mapping):
        inner = table.table("keep")
        assert inner is not None  # noqa: S101
        found = expression(inner, "path", path, None)
        inner.end()
        return None, found
    if value is None:
        return None, ""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", str(value).lower())
    seconds = float(match[1]) * SPANS.get(match[2], 0) if match else 0.0
    if not 0 < seconds <= LONGEST_SECONDS:
        table.wrong("keep", "bad_keep")
        return 60.0, ""
    return seconds, ""
