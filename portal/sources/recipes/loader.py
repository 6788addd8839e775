"""Reads a recipe from its TOML file, one per source, and returns it or raises all its mistakes at once.

Opens that file and checks that its samples exist; uses no network and no environment.
"""

import hashlib
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import phonenumbers

from portal.config import SETTINGS
from portal.sources.base import Outcome
from portal.sources.recipes.answer_section import SHORT_FORMS, read_answer, read_field, read_rule
from portal.sources.recipes.balance_section import read_balance
from portal.sources.recipes.batch_section import read_batch
from portal.sources.recipes.before_section import read_before
from portal.sources.recipes.cost_section import read_cost, read_only, read_shelf
from portal.sources.recipes.limits_section import read_limits
from portal.sources.recipes.model import (
    RULE_NAMES,
    AnswerFormat,
    AnswerReading,
    Batch,
    Before,
    Case,
    FieldRule,
    Recipe,
    Request,
    RequestLimits,
    Rule,
)
from portal.sources.recipes.placeholders import MANY_NUMBERS, ONE_NUMBER, secret_names
from portal.sources.recipes.request_section import Vocabulary, read_request
from portal.sources.recipes.toml_table import BadRecipe, Lines, Mistake, TomlTable

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")
BATCH_PLACEHOLDER = re.compile(r"\{numbers(?:_json)?\}")
RESERVED_NAMES = frozenset({"offline"})  # ships with the portal
PORTAL_SETTINGS = frozenset(setting.name for setting in SETTINGS)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file. Raises BadRecipe with all its mistakes."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecipe([Mistake(path.name, "", 1, "not_readable")]) from error
    return recipe_of(text, path)


def recipe_of(text: str, path: Path, *, tests: bool = True) -> Recipe:
    """The recipe in a text that stands, or stood, in the file `path`. Without `tests` the cases with a file are left
    out, as it may not be there. Raises BadRecipe with all its mistakes."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why, _, at = str(error).rpartition(" (at line ")
        line = int(at.partition(",")[0]) if at[:1].isdigit() else text.count("\n") + 1
        raise BadRecipe([Mistake(path.name, "", line, "not_toml", {"why": why or str(error)})]) from error
    if not tests:
        cases = values.pop("test", None)
        cases = [one for one in cases if "answer" in one] if isinstance(cases, list) else None
        values |= {"test": cases} if cases else {}
    mistakes: list[Mistake] = []
    recipe = _recipe(TomlTable(values, "", path.name, Lines(text), mistakes), path, text)
    if mistakes:
        raise BadRecipe(sorted(mistakes, key=lambda one: one.line))
    return recipe


def _recipe(table: TomlTable, path: Path, text: str) -> Recipe:
    name = table.text("name", None)
    if name and not NAME.fullmatch(name):
        table.wrong("name", "bad_name")
    if name in RESERVED_NAMES:
        table.wrong("name", "name_taken")
    kind = AnswerFormat(table.one_of("kind", tuple(AnswerFormat), None))
    before, request, batch, words = _requests(table, kind)
    balance = read_balance(table.table("balance"), words)
    reading = read_answer(table.table("answer"), kind)
    fields = _fields(table, reading)
    request = replace(request, reading=reading)
    batch = batch and replace(batch, request=replace(batch.request, reading=reading))
    limits_table, outcome_table = table.table("limits"), table.table("outcome")
    recipe = Recipe(
        name=name,
        kind=kind,
        title=table.texts_by_language("title"),
        description=table.texts_by_language("description"),
        request=request,
        batch=batch,
        before=before,
        cost=read_cost(table.table("cost")),
        balance=balance,
        only=read_only(table.table("only")),
        shelf=read_shelf(table.table("shelf")),
        limits=read_limits(limits_table, kind) if limits_table else RequestLimits(robots=kind == AnswerFormat.HTML),
        outcomes=_outcomes(outcome_table, reading.format) if outcome_table else {},
        fields=fields,
        tests=tuple(_case(one, path, fields) for one in table.tables("test")),
        path=path,
        text=text,
        version=hashlib.sha256(text.encode()).hexdigest()[:8],
        secrets=secret_names(
            [
                *(one.request for one in before),
                request,
                *([batch.request] if batch else []),
                *([balance.request] if balance else []),
            ]
        ),
    )
    table.end()
    return recipe


def _requests(table: TomlTable, kind: AnswerFormat) -> tuple[tuple[Before, ...], Request, Batch | None, Vocabulary]:
    request_table, batch_table = table.table("request"), table.table("batch")
    has_poll = bool(batch_table and batch_table.has("poll"))
    before, words = read_before(table.tables("before"), PORTAL_SETTINGS, kind, has_poll=has_poll)
    if request_table is None:
        table.wrong("request", "missing")
        return before, Request(""), None, words
    alone = kind != AnswerFormat.BATCH and not (batch_table and BATCH_PLACEHOLDER.search(str(request_table.values)))
    request = read_request(request_table, ONE_NUMBER if alone else MANY_NUMBERS, words, sign_in=table)
    request_table.end()
    if batch_table is None:
        if kind == AnswerFormat.BATCH:
            table.wrong("batch", "missing")
        return before, request, None, words
    if kind == AnswerFormat.HTML:
        table.wrong("batch", "json_only")
    return before, request, read_batch(batch_table, request, request_table, words), words


def _outcomes(table: TomlTable, form: str) -> dict[str, tuple[Rule, ...]]:
    found = {
        name: tuple(read_rule(one, form, may_wait=name == "limited") for one in table.tables(name))
        for name in RULE_NAMES
    }
    table.end()
    return {name: rules for name, rules in found.items() if rules}


def _fields(table: TomlTable, reading: AnswerReading) -> tuple[FieldRule, ...]:
    fields = table.table("fields")
    if fields is None or not fields.values:
        table.wrong("fields", "no_fields")
        return ()
    found = []
    for name, value in fields.values.items():
        if not FIELD.fullmatch(name):
            fields.wrong(name, "bad_name")
        if isinstance(value, str):  # the short form: only where the value is
            fields.values[name] = {SHORT_FORMS.get(reading.format, "path"): value}
        field_table = fields.table(name)
        if field_table is not None:
            found.append(read_field(field_table, name, reading))
    return tuple(found)


def _case(table: TomlTable, path: Path, fields: tuple[FieldRule, ...]) -> Case:
    number = table.text("number", None)
    if number and not _is_number(number):
        table.wrong("number", "bad_number")
    answer = table.text("answer")
    file = table.text("response", "" if answer else None)
    if answer and file:
        table.wrong("response", "answer_or_file")
    sample = path.parent / file
    if file and not (sample.is_file() and sample.resolve().is_relative_to(path.parent.resolve())):
        table.wrong("response", "sample_missing", file=file)
    expect = table.texts("expect")
    for name in expect:
        if name not in {field.name for field in fields}:
            table.wrong("expect", "unknown_field", name=name)
    case = Case(
        number=number,
        response=sample if file else None,
        answer=answer,
        status=table.whole("status", 200, 100, 599),
        content_type=table.text("content_type"),
        expect=expect,
        outcome=table.one_of("outcome", (Outcome.FOUND, Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.FAILED), "found"),
    )
    table.end()
    return case


def _is_number(text: str) -> bool:
    try:
        phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return False
    return text.startswith("+")
