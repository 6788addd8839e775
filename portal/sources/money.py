"""Amounts of money: exact decimals, kept as whole billionths of a currency. Pure."""

from decimal import Decimal

BILLIONTHS = 10**9


def billionths(amount: Decimal) -> int:
    """An amount in billionths, rounded up: a price is never taken for less than it is."""
    scaled = amount * BILLIONTHS
    return int(scaled.to_integral_value(rounding="ROUND_CEILING"))


def amount_of(count: int) -> Decimal:
    """The amount of so many billionths."""
    return Decimal(count) / BILLIONTHS
