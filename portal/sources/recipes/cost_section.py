"""Reads [cost], `only` and [shelf] of a recipe: what a lookup costs, and which numbers the source is asked about."""

import re
from decimal import Decimal, InvalidOperation

import phonenumbers

from portal.sources.offline_facts import LINE_TYPES, SPANISH_LINE_TYPES
from portal.sources.recipes.expressions import expression, path
from portal.sources.recipes.model import Cost, Coverage, ShelfEntry
from portal.sources.recipes.request_section import read_address
from portal.sources.recipes.toml_table import TomlTable

LINES = (*dict.fromkeys(LINE_TYPES.values()), *SPANISH_LINE_TYPES)
MOST = Decimal(1_000_000)


def read_cost(table: TomlTable | None) -> Cost | None:
    """What a lookup costs. None without [cost]."""
    if table is None:
        return None
    price, price_path = Decimal(0), ""
    most: Decimal | None = None
    if isinstance(table.raw("price"), str):
        price_path = expression(table, "price", path, None)
        most = read_amount(table, "most") if table.has("most") else None
        if table.has("per"):
            table.wrong("per", "per_for_figure")
    elif table.has("price"):
        price = most = read_amount(table, "price")
        if table.has("most"):
            table.wrong("most", "most_for_path")
    elif not table.has("balance"):
        table.wrong("price", "missing")
    found = Cost(
        price=price,
        price_path=price_path,
        most=most or None,
        per=table.one_of("per", ("asked", "found"), "asked"),
        currency=table.text("currency", None if table.has("price") else ""),
        balance=expression(table, "balance", path),
        stop_below=read_amount(table, "stop_below") if table.has("stop_below") else None,
        warn_below=read_amount(table, "warn_below") if table.has("warn_below") else None,
    )
    if found.currency and not re.fullmatch(r"[A-Z]{3}|credits", found.currency):
        table.wrong("currency", "bad_currency")
    for key in ("stop_below", "warn_below"):
        if table.has(key) and not found.balance:
            table.wrong(key, "needs_balance")
    table.end()
    return found


def read_amount(table: TomlTable, key: str) -> Decimal:
    """An amount of money as it is written, to nine places."""
    value = table.raw(key)
    try:
        amount = Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except InvalidOperation:  # pragma: no cover - every number of TOML is one of Decimal
        amount = None
    if amount is None or not amount.is_finite() or not 0 <= amount <= MOST or amount != round(amount, 9):
        table.wrong(key, "bad_amount")
        return Decimal(0)
    return amount


def read_shelf(table: TomlTable | None) -> ShelfEntry | None:
    """What the shelf says of a recipe."""
    if table is None:
        return None
    keys = table.table("keys")
    found = ShelfEntry(
        table.text("provider", None), read_address(table, "documentation"), table.text("read", None),
        table.texts_by_language("coverage"), table.texts_by_language("price"),
        {name: keys.texts_by_language(name) for name in keys.values} if keys else {},
    )  # fmt: skip
    table.end()
    return found


def read_only(table: TomlTable | None) -> Coverage | None:
    """Which numbers the source is asked about. None: all."""
    if table is None:
        return None
    countries = _words(table, "countries", frozenset(phonenumbers.SUPPORTED_REGIONS), "bad_country")
    lines = _words(table, "lines", frozenset(LINES), "bad_line_type")
    if not countries and not lines:
        table.wrong("", "empty_only")
    table.end()
    return Coverage(countries, lines)


def _words(table: TomlTable, key: str, known: frozenset[str], code: str) -> frozenset[str]:
    values = table.raw(key)
    if values is None:
        return frozenset()
    if not isinstance(values, list) or not values or not all(isinstance(one, str) for one in values):
        table.wrong(key, "not_list")
        return frozenset()
    for one in sorted(set(values) - known):
        table.wrong(key, code, name=one, known=", ".join(sorted(known)))
    return frozenset(values)
