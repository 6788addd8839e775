"""Times and durations as a spreadsheet shows them, by their number format. Pure.

Formats: ECMA-376 part 1, 18.8.30 and 18.8.31. Only formats without a day or a year are meant here.
"""

import datetime
import re
from collections.abc import Callable
from functools import cache

DAY_SECONDS = 86_400
_BUILT_IN = {  # 14, a date, is shown as the reader's country writes it
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 15: "d-mmm-yy", 16: "d-mmm",
    17: "mmm-yy", 37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00", 40: "#,##0.00;-#,##0.00",
    18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0",
}  # fmt: skip
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)|\[(?P<elapsed>h+|m+|s+)\]|(?P<bracket>\[[^\]]*\])'
    r"|(?P<noon>AM/PM|A/P)|(?P<unit>h+|m+|s+)|(?P<fraction>\.0+)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST = 255
_OTHER_UNITS = frozenset("dyegb#0?%")


def code_of(number: int, codes: dict[int, str]) -> str:
    """Return the code of a format's number: the workbook's own, or a built-in one; empty for one that is not known."""
    return codes.get(number) or _BUILT_IN.get(number, "")


@cache
def writer_of(code: str) -> Callable[[float], str | None] | None:
    """Return a function that writes a value in days as the format does; None for a format of anything but a time.

    The function returns None for a value that the format does not show whole: a negative one, or one with days.
    """
    tokens = [(found.lastgroup or "", found[found.lastgroup or 0]) for found in _TOKEN.finditer(_first_section(code))]
    names = [name for name, _ in tokens]
    if not {"unit", "elapsed"} & set(names) or _is_date(tokens):
        return None
    meant = _with_minutes(tokens)
    if meant is None:
        return None
    elapsed, noon = "elapsed" in names, "noon" in names
    places = next((len(text) - 1 for name, text in tokens if name == "fraction"), 0)

    def write(days: float) -> str | None:
        if days < 0 or (not elapsed and days >= 1) or days > 1e7:
            return None
        ticks = round(days * DAY_SECONDS * 10**places)
        seconds, rest = divmod(ticks, 10**places)
        return "".join(_written(name, text, seconds, rest, places, noon=noon) for name, text in meant)

    return write


def plain_text(value: datetime.timedelta) -> str:
    """Write a duration whose format is not known: hours, minutes and seconds, as `[h]:mm:ss` shows them."""
    seconds = round(value.total_seconds())
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _first_section(code: str) -> str:
    """The part for positive numbers, up to a semicolon that is not quoted."""
    end = re.match(r'(?:"[^"]*"|\\.|[^;"\\])*', code[:_LONGEST], re.DOTALL)
    return end[0] if end else ""


def _is_date(tokens: list[tuple[str, str]]) -> bool:
    return any(name == "other" and text.lower() in _OTHER_UNITS for name, text in tokens)


def _with_minutes(tokens: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
    """Name each unit by its letter. An `m` is a minute beside hours or seconds; None when one would be a month."""
    units = [(place, text[0].lower()) for place, (name, text) in enumerate(tokens) if name in ("unit", "elapsed")]
    for at, (_, unit) in enumerate(units):
        around = [units[near][1] for near in (at - 1, at + 1) if 0 <= near < len(units)]
        if unit == "m" and not {"h", "s"} & set(around) and tokens[units[at][0]][0] != "elapsed":
            return None
    return tokens


def _written(name: str, text: str, seconds: int, rest: int, places: int, *, noon: bool) -> str:
    match name:
        case "elapsed":
            whole = seconds // {"h": 3600, "m": 60, "s": 1}[text[0].lower()]
            return str(whole).zfill(len(text))
        case "unit":
            hours = seconds // 3600 % 24
            hours = (hours - 1) % 12 + 1 if noon else hours
            value = {"h": hours, "m": seconds // 60 % 60, "s": seconds % 60}[text[0].lower()]
            return str(value).zfill(min(len(text), 2))
        case "noon":
            word = ("AM", "PM") if len(text) > 3 else ("A", "P")
            return word[seconds // 3600 % 24 >= 12]
        case "fraction":
            return f".{rest:0{places}}"
        case "quoted" | "escaped" | "other":
            return "" if text == "@" else text
        case "space":
            return " "
        case _:
            return ""
