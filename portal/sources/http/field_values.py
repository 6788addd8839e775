"""Turns the text of a field into its type: yes or no, a number, a date. What is none of these is no value.

A number comes out with a decimal point, without separators of thousands, a unit, or zeros that say nothing; a date as
2026-05-31. Pure.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

from babel.dates import get_month_names

YES = {"true", "yes", "y", "1", "si", "sí", "on", "oui", "ja"}
NO = {"false", "no", "n", "0", "off", "non", "nein"}

# A unit or a currency may stand before or after: € 5, 5 EUR, 12 %.
_UNIT = r"(?:[A-Za-z]{1,3}|[^\w\s.,+\-\u2212])?"
_NUMBER = re.compile(
    rf"{_UNIT}\s*([+\-\u2212]?)\s*(\d[\d.,'\u2019\s]{{0,40}}|[.,]\d{{1,30}})(?:[eE]([+-]?\d{{1,2}}))?\s*{_UNIT}"
)
_DATE = re.compile(r"(\d{1,4})[-/. ](\d{1,2})[-/. ](\d{1,4})(?:[T ,].*)?", re.DOTALL)
_BY_NAME = re.compile(
    r"(\d{1,2})(?:\.|º|st|nd|rd|th)?\s+(?:de\s+)?([^\W\d_]{3,})\.?,?\s+(?:de[l]?\s+)?(\d{4})\b.*", re.DOTALL
)
_EPOCH = re.compile(r"\d{10}(?:\.\d+)?|\d{13}")
LOCALES = ("es", "en", "pt", "fr", "it", "de", "ca")


def yes_or_no(text: str) -> str:
    """`yes`, `no`, or empty."""
    word = text.lower()
    return "yes" if word in YES else "no" if word in NO else ""


def number(text: str, decimal: str = "") -> str:
    """A number as a plain decimal, or empty. `decimal` is its decimal separator; without it, that is the last of the
    two separators, or the only one if it stands once."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return ""
    sign, digits, exponent = match.groups()
    digits = re.sub(r"['\u2019\s]", "", digits)
    if not decimal:
        last = max(digits.rfind("."), digits.rfind(","))
        other = {".": ",", ",": "."}.get(digits[last], "") if last >= 0 else ""
        alone = last >= 0 and digits.count(digits[last]) == 1
        decimal = digits[last] if alone else other
        if last >= 0 and not alone and other in digits:
            return ""  # 1,234.567.890: neither of the two can be the decimal one
    whole, _, fraction = digits.partition(decimal) if decimal else (digits, "", "")
    whole = re.sub(r"[.,]", "", whole)
    if not fraction.isdigit() and fraction:
        return ""
    minus = "-" if sign in ("-", "\u2212") else ""
    value = Decimal(f"{minus}{whole or '0'}.{fraction or '0'}")
    value = value.scaleb(int(exponent)) if exponent else value
    plain = format(value, "f")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if plain in ("-0", "") else plain


def day(text: str, form: str = "") -> str:
    """A date as 2026-05-31, or empty. `form` is its form, as Python's strptime has it; without it: ISO 8601, the day
    first (31/5/2026), a month's name (31 de mayo de 2026), or the seconds or milliseconds since 1970."""
    text = text.strip()
    try:
        if form:
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007
        if _EPOCH.fullmatch(text):
            seconds = float(text) / (1000 if len(text) == 13 else 1)
            return datetime.fromtimestamp(seconds, UTC).date().isoformat()
        if match := _DATE.fullmatch(text):
            first, month, last = match.groups()
            year, day_ = (first, last) if len(first) == 4 else (last, first)
            return date(int(year), int(month), int(day_)).isoformat() if len(year) == 4 else ""
        if match := _BY_NAME.fullmatch(text):
            months = _months()
            return date(int(match[3]), months[match[2].lower()], int(match[1])).isoformat()
        return datetime.fromisoformat(text).date().isoformat()
    except (ValueError, KeyError, OverflowError, OSError):
        return ""


@lru_cache(maxsize=1)
def _months() -> dict[str, int]:
    """The months by their names and short names."""
    return {
        name.lower().rstrip("."): month
        for locale in LOCALES
        for width in ("wide", "abbreviated")
        for month, name in get_month_names(width, locale=locale).items()
    }
