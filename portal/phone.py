"""One cell's text → a telephone number in E.164, or the reason why it is none. Pure.

It must not import phonenumbers' geocoder, carrier or timezone: the web process uses this room, and the geocoder
alone costs 97 MB. A number is valid when its type is known: that is the same question, asked once.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    number_type,
)
from phonenumbers import parse as _parse


class Reason(StrEnum):
    """Why a cell is not a number that can be looked up. `documents.words` has the sentence for each."""

    BLANK = "blank"
    NOT_A_NUMBER = "not_a_number"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    UNKNOWN_RANGE = "unknown_range"  # the length is right, but the country gave out no such number
    UNKNOWN_COUNTRY = "unknown_country"  # no country has this code
    EXCEL_DAMAGED = "excel_damaged"  # 6,12E+08: the digits are lost
    SEVERAL_NUMBERS = "several_numbers"  # more than one in the same cell


@dataclass(frozen=True, slots=True)
class Phone:
    """A number, with `reason` None; or no number, with only a reason."""

    e164: str | None = None
    country_code: int | None = None
    reason: Reason | None = None
    _parsed: PhoneNumber | None = field(default=None, repr=False, compare=False)

    @property
    def national(self) -> str | None:
        """The digits as dialled within the country, 0 included where it has one."""
        if self._parsed is None:
            return None
        return re.sub(r"\D", "", format_number(self._parsed, PhoneNumberFormat.NATIONAL))


_BY_ERROR = {
    NumberParseException.INVALID_COUNTRY_CODE: Reason.UNKNOWN_COUNTRY,
    NumberParseException.NOT_A_NUMBER: Reason.NOT_A_NUMBER,
    NumberParseException.TOO_SHORT_AFTER_IDD: Reason.TOO_SHORT,
    NumberParseException.TOO_SHORT_NSN: Reason.TOO_SHORT,
    NumberParseException.TOO_LONG: Reason.TOO_LONG,
}
_BY_LENGTH = {
    ValidationResult.TOO_SHORT: Reason.TOO_SHORT,
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: Reason.TOO_SHORT,
    ValidationResult.TOO_LONG: Reason.TOO_LONG,
    ValidationResult.INVALID_COUNTRY_CODE: Reason.UNKNOWN_COUNTRY,
}

# What surrounds a number when it was typed or pasted: quotes that keep zeros, and marks that nobody sees.
_AROUND = "'’‘`´\"\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_UNSEEN = str.maketrans("", "", "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e")
_ZERO_FRACTION = re.compile(r"(\+?\d{6,})[.,]0{1,2}")  # 612345678.0, as pandas writes a column with blanks
_SCIENTIFIC = re.compile(r"([+-]?\d)(?:[.,](\d+))?[eE]\+?(\d{1,3})")
_DATE = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])[/.-](?:0?[1-9]|1[0-2])[/.-](?:19|20)\d\d"
    r"|(?:19|20)\d\d[/.-](?:0?[1-9]|1[0-2])[/.-](?:0?[1-9]|[12]\d|3[01])(?:[ T]\d\d:\d\d.*)?"
)
_BETWEEN = re.compile(r"[/;,|\n]|\s[-–y]\s|\s{2,}")
_SHORTEST = 7  # digits from which on a part of a cell may be a number of its own
_MAX_CHARACTERS = 250  # libphonenumber's own limit; what is longer is prose


def parse(cell_text: str, country: str) -> Phone:
    """The number in this text; `country` (two letters, as ES) is for those that have no +34. Never raises."""
    text = cell_text.strip().strip(_AROUND).strip()
    if not text:
        return Phone(reason=Reason.BLANK)
    if len(text) > _MAX_CHARACTERS:
        return Phone(reason=Reason.NOT_A_NUMBER)
    if not text.isdigit():
        if damaged := _SCIENTIFIC.fullmatch(text):
            whole = _undamaged(damaged)
            if whole is None:
                return Phone(reason=Reason.EXCEL_DAMAGED)
            text = whole
        elif fraction := _ZERO_FRACTION.fullmatch(text):
            text = fraction[1]
        elif _DATE.fullmatch(text):
            return Phone(reason=Reason.NOT_A_NUMBER)
        else:
            text = text.translate(_UNSEEN)
    phone = _read(text, country)
    if phone.reason is None:
        return phone
    return _second_look(text, country) or phone


def _read(text: str, country: str) -> Phone:
    """What libphonenumber makes of it."""
    try:
        parsed = _parse(text, country)
    except NumberParseException as error:
        return Phone(reason=_BY_ERROR.get(error.error_type, Reason.NOT_A_NUMBER))
    if parsed.extension:
        if len(parsed.extension) >= _SHORTEST:  # "612345678; 698765432": a second number, taken for an extension
            return Phone(reason=Reason.SEVERAL_NUMBERS)
        parsed.extension = None
    if number_type(parsed) != PhoneNumberType.UNKNOWN:
        return Phone(format_number(parsed, PhoneNumberFormat.E164), parsed.country_code, None, parsed)
    return Phone(reason=_BY_LENGTH.get(is_possible_number_with_reason(parsed), Reason.UNKNOWN_RANGE))


def _second_look(text: str, country: str) -> Phone | None:
    """What a text that failed may be all the same. Only here, because most texts are good at the first look."""
    digits = text.lstrip("( ")
    if digits.startswith("00"):  # 0034 also where the country itself dials abroad with something else
        phone = _read("+" + digits[2:], country)
        if phone.reason is None or not _read_is_national(digits, country):
            return phone
    parts = [part for part in _BETWEEN.split(text) if sum(map(str.isdigit, part)) >= _SHORTEST]
    if len(parts) > 1 and all(_read(part, country).reason is None for part in parts[:2]):
        return Phone(reason=Reason.SEVERAL_NUMBERS)
    return None


def _read_is_national(digits: str, country: str) -> bool:
    """Whether 00… says more as a number of the country than as one from abroad."""
    return _read(digits, country).reason is Reason.UNKNOWN_RANGE


def _undamaged(match: re.Match[str]) -> str | None:
    """6.12345678E+08 still has all its digits; 6,12E+08 has not, and gives None."""
    first, rest, exponent = match[1], match[2] or "", int(match[3])
    if len(rest.rstrip("0")) > exponent or len(rest) < exponent or exponent > 15:
        return None
    return first + rest[:exponent]


@cache
def countries() -> tuple[str, ...]:
    """The two-letter codes of all countries whose numbering plan is known, sorted."""
    return tuple(sorted(SUPPORTED_REGIONS))
