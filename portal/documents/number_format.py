"""Write a number or a date as a cell's own format shows it: `#,##0.00 "€"`, `00000`, `0%`, `dd/mm/yyyy`. Pure.

Formats: ECMA-376 part 1, 18.8.30 and 18.8.31. What is not understood here (fractions, conditions) gives None, and the
value is shown without its format. Times and durations are read as texts already: see `reader.time_text`.
"""

import re
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

from babel import Locale
from babel.numbers import get_decimal_symbol, get_group_symbol

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)|\[\$(?P<currency>[^\]-]*)[^\]]*\]'
    r"|\[(?P<condition>[<>=][^\]]*)\]|\[(?P<bracket>[^\]]*)\]|(?P<general>General)|(?P<noon>AM/PM|A/P)"
    r"|(?P<exponent>E[+-]0+)|(?P<unit>y+|m+|d+|h+|s+)|(?P<digit>[0#?])|(?P<point>\.)|(?P<comma>,)|(?P<percent>%)"
    r"|(?P<text>@)|(?P<end>;)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_LITERAL = {"quoted", "escaped", "currency", "other"}
_SYSTEM_DATE = re.compile(r"\[\$-F[48]00\]", re.IGNORECASE)
_LONGEST = 255
_MOST_DIGITS = 30

Token = tuple[str, str]


class _Symbols(NamedTuple):
    decimal: str
    group: str


@lru_cache(maxsize=16)
def _symbols(locale: Locale) -> _Symbols:
    group = get_group_symbol(locale)
    return _Symbols(get_decimal_symbol(locale), "\xa0" if group == "\u202f" else group)


@lru_cache(maxsize=512)
def _sections(code: str) -> tuple[tuple[Token, ...], ...]:
    sections: list[list[Token]] = [[]]
    for found in _TOKEN.finditer(code[:_LONGEST]):
        kind = found.lastgroup or "other"
        if kind == "end":
            sections.append([])
        elif kind != "bracket":
            sections[-1].append((kind, found[kind]))
    return tuple(map(tuple, sections))


def shown_number(value: float, code: str, locale: Locale) -> str | None:
    """Return a number as the format shows it with the locale's marks; None for a format that is not understood, and
    for one of dates."""
    sections = _sections(code)
    if any(kind in ("condition", "unit") for section in sections for kind, _ in section):
        return None
    number = Decimal(repr(value))
    section, sign = sections[0], "-" if value < 0 else ""
    if value < 0 and len(sections) > 1:
        section, sign = sections[1], ""
    elif value == 0 and len(sections) > 2:
        section = sections[2]
    if not section:
        return ""
    text = _number(abs(number), section, _symbols(locale))
    return None if text is None else (sign if re.search(r"[1-9]", text) else "") + text


def shown_date(at: datetime, code: str, locale: Locale) -> str | None:
    """Return a date as the format shows it; None for a format of anything else, and for the system's own."""
    section = _sections(code)[0]
    units = [(place, text.lower()) for place, (kind, text) in enumerate(section) if kind == "unit"]
    if not units or _SYSTEM_DATE.search(code):
        return None
    has_noon = any(kind == "noon" for kind, _ in section)
    written = []
    for place, (kind, text) in enumerate(section):
        if kind == "unit":
            written.append(_unit(at, text.lower(), _is_minute(place, units), locale, has_noon=has_noon))
        elif kind == "noon":
            written.append(("AM" if at.hour < 12 else "PM")[: len(text) // 2 or 1])
        elif kind in _LITERAL or kind in ("point", "comma"):
            written.append(text)
        elif kind == "space":
            written.append(" ")
        elif kind != "text":
            return None
    return "".join(written)


def _is_minute(place: int, units: list[tuple[int, str]]) -> bool:
    at = next(n for n, (where, _) in enumerate(units) if where == place)
    before = units[at - 1][1][0] if at else ""
    after = units[at + 1][1][0] if at + 1 < len(units) else ""
    return before == "h" or after == "s"


def _unit(at: datetime, unit: str, minute: bool, locale: Locale, *, has_noon: bool) -> str:
    length = len(unit)
    match unit[0]:
        case "y":
            return f"{at.year % 100:02}" if length <= 2 else f"{at.year:04}"
        case "d" if length > 2:
            return locale.days["format"]["abbreviated" if length == 3 else "wide"][at.weekday()]
        case "m" if not minute and length > 2:
            name: str = locale.months["format"]["abbreviated" if length == 3 else "wide"][at.month]
            return name[:1] if length == 5 else name
        case "m":
            value = at.minute if minute else at.month
        case "h":
            value = (at.hour - 1) % 12 + 1 if has_noon else at.hour
        case "s":
            value = at.second
        case _:
            value = at.day
    return str(value).zfill(min(length, 2))


def _number(number: Decimal, section: tuple[Token, ...], symbols: _Symbols) -> str | None:
    kinds = [kind for kind, _ in section]
    if any(kind == "other" and text == "/" for kind, text in section) and "digit" in kinds:
        return None  # a fraction
    if "general" in kinds or "text" in kinds:
        plain = f"{number.normalize():f}".replace(".", symbols.decimal)
        return "".join(plain if kind in ("general", "text") else _literal(kind, text) for kind, text in section)
    if "digit" not in kinds:
        return "".join(_literal(kind, text) for kind, text in section)
    if "exponent" in kinds:
        return _scientific(number, section, symbols)
    number *= Decimal(100) ** kinds.count("percent")
    point = kinds.index("point") if "point" in kinds else len(section)
    left, right = section[:point], section[point + 1 :]
    last = max((place for place, (kind, _) in enumerate(left) if kind == "digit"), default=-1)
    number /= Decimal(1000) ** sum(kind == "comma" for kind, _ in left[last + 1 :])
    places = min(sum(kind == "digit" for kind, _ in right), _MOST_DIGITS)
    if number.adjusted() > _MOST_DIGITS:
        return None
    whole, _, decimals = f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}".partition(".")
    grouped = any(kind == "comma" for kind, _ in left[: last + 1])
    text = _whole("" if whole == "0" else whole, left, symbols.group if grouped else "")
    if point == len(section):
        return text
    tail = _decimals(decimals, right)
    return text + (symbols.decimal if "point" in kinds else "") + tail


def _whole(digits: str, left: tuple[Token, ...], group: str) -> str:
    """The digits before the decimal point, from the right: the first place takes all that are left."""
    first = next((place for place, (kind, _) in enumerate(left) if kind == "digit"), -1)
    written: list[str] = []
    count = 0

    def put(digit: str) -> None:
        nonlocal count
        if group and count and count % 3 == 0 and digit != " ":
            written.append(group)
        written.append(digit)
        count += 1

    for place in range(len(left) - 1, -1, -1):
        kind, text = left[place]
        if kind != "digit":
            written.append(_literal(kind, text)[::-1])
            continue
        if digits:
            put(digits[-1])
            digits = digits[:-1]
        elif text != "#":
            put("0" if text == "0" else " ")
        if place == first:
            for digit in reversed(digits):
                put(digit)
            digits = ""
    return "".join(written)[::-1]


def _decimals(digits: str, right: tuple[Token, ...]) -> str:
    places = [text for kind, text in right if kind == "digit"]
    keep = len(places)
    while keep and places[keep - 1] != "0" and digits[keep - 1] == "0":
        keep -= 1
    written, at = [], 0
    for kind, text in right:
        if kind == "digit":
            written.append(digits[at] if at < keep else "" if text == "#" else " ")
            at += 1
        else:
            written.append(_literal(kind, text))
    return "".join(written)


def _scientific(number: Decimal, section: tuple[Token, ...], symbols: _Symbols) -> str:
    point = next((place for place, (kind, _) in enumerate(section) if kind == "point"), None)
    end = next(place for place, (kind, _) in enumerate(section) if kind == "exponent")
    places = 0 if point is None else sum(kind == "digit" for kind, _ in section[point:end])
    mantissa, _, exponent = f"{number:.{places}E}".partition("E")
    width = len(section[end][1]) - 2
    sign = "-" if exponent.startswith("-") else "+" if section[end][1][1] == "+" else ""
    return f"{mantissa.replace('.', symbols.decimal)}E{sign}{exponent.lstrip('+-').zfill(width)}"


def _literal(kind: str, text: str) -> str:
    if kind in _LITERAL:
        return text
    return {"percent": "%", "space": " "}.get(kind, "")
