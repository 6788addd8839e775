"""Reads [balance] of a recipe: the request that asks how much credit is left, and where its answer says so."""

from decimal import Decimal

from portal.sources.recipes.cost_section import read_amount
from portal.sources.recipes.expressions import expression, path
from portal.sources.recipes.model import BalanceRequest
from portal.sources.recipes.request_section import Vocabulary, read_request
from portal.sources.recipes.toml_table import TomlTable


def read_balance(table: TomlTable | None, words: Vocabulary) -> BalanceRequest | None:
    """The request for the credit. None without [balance]."""
    if table is None:
        return None
    request = read_request(table, (), words, must=False)
    field = expression(table, "field", path, None)
    warn_below: Decimal | None = read_amount(table, "warn_below") if table.has("warn_below") else None
    table.end()
    return BalanceRequest(request, field, warn_below)
