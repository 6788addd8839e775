"""A cell's value as a spreadsheet shows it in the reader's language. Knows no page."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import cast

from babel import Locale
from babel.dates import format_skeleton, format_time
from flask_babel import format_decimal, get_locale, gettext

from portal.documents.number_format import shown_date, shown_number
from portal.documents.reader.sheet_file import DISPLAY_CHARACTERS, SHOWN_MARK, Cell, text_of

_DECIMALS = "0.##########"  # as Excel shows a number without a format: no thousands, no zeros at the end


def shown_cell(cell: Cell, code: str = "") -> str:
    """The cell's text, cut to what a table can hold, in its number format if the code of that is known: `1.081,34 €`,
    `08002`, `09/09/2024`; else `1081,34`, `9/9/2024 8:30`."""
    if code and (shown := _by_format(cell, code)) is not None:
        return shown[:DISPLAY_CHARACTERS]
    match cell:
        case bool():
            return gettext("TRUE") if cell else gettext("FALSE")
        case float() if 1e-6 < abs(cell) < 1e15:
            return format_decimal(cell, format=_DECIMALS)
        case {"d": moment}:
            return _date(moment)
        case _:
            return text_of(cell)[:DISPLAY_CHARACTERS]


def _by_format(cell: Cell, code: str) -> str | None:
    if code.startswith(SHOWN_MARK):  # an ods has the text that was shown
        return code.removeprefix(SHOWN_MARK)
    locale = cast(Locale, get_locale())
    match cell:
        case bool():
            return None
        case int() | float():
            return shown_number(cell, code, locale)
        case {"d": moment}:
            with suppress(ValueError):
                return shown_date(datetime.fromisoformat(moment), code, locale)
    return None


def _date(moment: str) -> str:
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    locale = cast(Locale, get_locale())
    day = format_skeleton("yMd", at, locale=locale)
    return day if (at.hour, at.minute, at.second) == (0, 0, 0) else f"{day} {format_time(at, 'short', locale=locale)}"


def searched_texts(cell: Cell, code: str, languages: Iterable[str]) -> list[str]:
    """How readers of these languages see a number or a date, for a search; empty for any other cell. Formats that need
    a request are left out: it is called a million times for a large file."""
    if isinstance(cell, (bool, str)) or cell is None:
        return []
    seen: dict[str, None] = {}
    for name in languages:
        locale = _LOCALES.get(name) or _LOCALES.setdefault(name, Locale(name))
        shown = None
        with suppress(ValueError):
            if isinstance(cell, dict):
                at = datetime.fromisoformat(cell.get("d", ""))
                shown = shown_date(at, code, locale) if code and not code.startswith(SHOWN_MARK) else None
                shown = shown or (
                    f"{at.month}/{at.day}/{at.year}" if name == "en" else f"{at.day}/{at.month}/{at.year}"
                )
            else:
                shown = shown_number(cell, code, locale) if code and not code.startswith(SHOWN_MARK) else None
                shown = shown or (text_of(cell) if name == "en" else text_of(cell).replace(".", ","))
        if shown:
            seen[shown[:DISPLAY_CHARACTERS]] = None
    return list(seen)


_LOCALES: dict[str, Locale] = {}
