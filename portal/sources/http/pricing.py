"""What each answer costs, and what is left of the credit, as the recipe and the answers tell it.

Amounts are exact: decimals, kept in billionths of the source's currency. Nothing is paid, reserved or capped here.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from portal.sources.http.classify import Verdict, search
from portal.sources.http.field_values import number
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.money import billionths
from portal.sources.recipes.model import Cost
from portal.sources.recipes.toml_table import plain

MOST = Decimal(10**9)  # of one answer: a greater one is a mistake, and no column has room for many of them
NOT_CHARGED = (Verdict.LIMITED, Verdict.TEMPORARY, Verdict.BLOCKED, Verdict.CREDENTIALS, Verdict.NO_CREDIT)


def price_of(cost: Cost | None, verdict: Verdict, response: SourceResponse, content: Any, *, found: bool) -> int:
    """What one number's answer costs, in billionths. `content` is its item in an answer about many."""
    if cost is None or verdict in NOT_CHARGED:
        return 0
    if cost.price_path:
        return billionths(amount_at(cost.price_path, response, content) or Decimal(0))
    if cost.per == "found":
        return billionths(cost.price) if found else 0
    is_answer = verdict == Verdict.NOT_FOUND or 200 <= response.status < 300
    return billionths(cost.price) if is_answer else 0


def amount_at(path: str, response: SourceResponse, content: Any = None) -> Decimal | None:
    """The amount that a JMESPath finds; None where there is none that can be one."""
    try:
        value = search(path, response.content if content is None else content)
    except UnreadableResponse:
        return None
    if value is None or isinstance(value, bool | dict | list):
        return None
    # A float of JSON has the figures that were written: its shortest form.
    text = plain(value) if not isinstance(value, float) else repr(value)
    try:
        amount = Decimal(text)
    except InvalidOperation:
        try:
            amount = Decimal(number(text, ""))  # such as "0,0045 EUR"
        except InvalidOperation:
            return None
    return amount if amount.is_finite() and 0 <= amount <= MOST else None
