"""Checks the placeholders of a recipe's texts and their pipes. Records mistakes and continues."""

from collections.abc import Collection
from datetime import UTC, datetime

from portal.sources.recipes.pipes import PIPES, BadPipe, Value, apply
from portal.sources.recipes.placeholders import MANY_NUMBERS, Placeholder, placeholders
from portal.sources.recipes.toml_table import TomlTable

SAMPLES: dict[str, Value] = {"now": datetime(2026, 1, 31, tzinfo=UTC), "signature": b"x"}


def check_placeholders(
    table: TomlTable, key: str, text: str, known: Collection[str], settings: frozenset[str] = frozenset()
) -> None:
    """Record what is wrong with a text's placeholders. `known`: their names; `settings`: names for no secret."""
    for one in placeholders(text):
        for name in one.secrets:
            if name in settings:
                table.wrong(key, "secret_is_setting", name=name)
        if not one.is_secret and one.name not in known:
            table.wrong(key, "bad_placeholder", name=one.name, known=", ".join(known))
        elif one.pipes:
            _check_pipes(table, key, one)


def _check_pipes(table: TomlTable, key: str, one: Placeholder) -> None:
    if one.name in MANY_NUMBERS and not one.is_secret:
        table.wrong(key, "pipe_on_many", name=one.name)
        return
    try:
        apply(SAMPLES.get(one.name, "YWJj") if not one.is_secret else "YWJj", one.pipes, lambda name: name)
    except BadPipe as error:
        if error.code != "pipe_value" or error.name != "unb64":  # which a real value may well be right for
            table.wrong(key, error.code, name=error.name, known=", ".join(PIPES))
