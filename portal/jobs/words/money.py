"""Amounts of money in the reader's words, and as people type them."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from babel.numbers import NumberFormatError, format_currency, format_decimal, parse_decimal
from flask_babel import get_locale, gettext

from portal.jobs.core.spending_tables import CapScope
from portal.sources.money import amount_of, billionths

CREDITS = "credits"
MOST_MONEY = 10**8
SMALL = Decimal("0.1")  # below it, two places hide what one number costs


def cap_words(cap: Any) -> str:
    """A cap with what is used of it, as one sentence. `cap` is a `spending.caps.Cap`."""
    amount, used = money_words(cap.amount, cap.currency), money_words(cap.used, cap.currency)
    if cap.scope is None and cap.whose:
        return gettext(
            "%(amount)s at this source for this file, of which %(used)s are spent.", amount=amount, used=used
        )
    if cap.scope is None:
        return gettext("%(amount)s for this file, of which %(used)s are spent.", amount=amount, used=used)
    if cap.scope == CapScope.PERSON:
        return gettext("%(amount)s a month for each person, of which %(used)s are spent.", amount=amount, used=used)
    if cap.scope == CapScope.SOURCE:
        return gettext("%(amount)s a month at this source, of which %(used)s are spent.", amount=amount, used=used)
    return gettext("%(amount)s a month for the whole portal, of which %(used)s are spent.", amount=amount, used=used)


def amount_typed(text: str) -> int | None:
    """An amount of money as a person types it, in billionths: 25, 25.50, 25,50 or 1.250,00 by their language. None for
    an empty text. Raises ValueError."""
    text = text.strip().strip("€$").strip()
    if not text:
        return None
    try:
        amount = parse_decimal(text, locale=str(get_locale() or "en"), strict=True)
    except NumberFormatError:
        try:
            amount = Decimal(text.replace(",", "."))
        except InvalidOperation:
            raise ValueError(text) from None
    if not amount.is_finite() or not 0 <= amount <= MOST_MONEY:
        raise ValueError(text)
    return billionths(amount)


def amount_words(billionths: int) -> str:
    """An amount without its currency, with as many places as `money_words` shows."""
    return str(format_decimal(_rounded(amount_of(billionths)), format="#,##0.00##"))


def _rounded(amount: Decimal) -> Decimal:
    places = "0.0001" if 0 < abs(amount) < SMALL and amount != round(amount, 2) else "0.01"
    return amount.quantize(Decimal(places), ROUND_HALF_UP)


def money_words(billionths: int | None, currency: str) -> str:
    """An amount with its currency, such as 14,29 €; empty where there is none."""
    if billionths is None or not currency:
        return ""
    amount = _rounded(amount_of(billionths))
    if currency == CREDITS:
        shown = format_decimal(amount, locale=str(get_locale() or "es"), decimal_quantization=False)
        return gettext("%(n)s credits", n=shown) if amount != 1 else gettext("1 credit")
    return format_currency(amount, currency, locale=str(get_locale() or "es"), decimal_quantization=False)
