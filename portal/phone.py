"""Parse a cell's text as a telephone number in E.164, or return the reason why it is not one. Pure.

It must not import phonenumbers' geocoder, carrier or timezone: the web process uses this module, and the geocoder
alone takes 97 MB. A number is valid when its type is known; is_valid_number would only check the same thing again.
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
    """Why a cell has no number that can be looked up. `documents.words` has a sentence for each."""

    BLANK = "blank"
    NOT_A_NUMBER = "not_a_number"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    UNKNOWN_RANGE = "unknown_range"  # the length is right, but the number is not assigned in its country
    UNKNOWN_COUNTRY = "unknown_country"  # no country has this code
    EXCEL_DAMAGED = "excel_damaged"  # 6,12E+08: the digits are lost
    SEVERAL_NUMBERS = "several_numbers"  # more than one in the same cell


@dataclass(frozen=True, slots=True)
class Phone:
    """A number (`reason` is None), or only the reason why there is none."""

    e164: str | None = None
    country_code: int | None = None
    reason: Reason | None = None
    _parsed: PhoneNumber | None = field(default=None, repr=False, compare=False)

    @property
    def national(self) -> str | None:
        """The digits as dialled within the country, including the leading 0 in countries that use one."""
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


def reason_of_error(error: NumberParseException) -> Reason:
    """Return why libphonenumber could not parse a text."""
    return _BY_ERROR.get(error.error_type, Reason.NOT_A_NUMBER)


def reason_of_length(parsed: PhoneNumber) -> Reason:
    """Return why a parsed number of unknown type is not valid."""
    return _BY_LENGTH.get(is_possible_number_with_reason(parsed), Reason.UNKNOWN_RANGE)


# Characters around a typed or pasted number: quotes that keep leading zeros, and invisible marks.
_AROUND = "'’‘`´\"\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_UNSEEN = str.maketrans("", "", "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e")
_ZERO_FRACTION = re.compile(r"(\+?\d{6,})[.,]0{1,2}")  # 612345678.0, as pandas writes a column with blanks
_SCIENTIFIC = re.compile(r"([+-]?\d)(?:[.,](\d+))?[eE]\+?(\d{1,3})")
_DATE = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])[/.-](?:0?[1-9]|1[0-2])[/.-](?:19|20)\d\d"
    r"|(?:19|20)\d\d[/.-](?:0?[1-9]|1[0-2])[/.-](?:0?[1-9]|[12]\d|3[01])(?:[ T]\d\d:\d\d.*)?"
)
_BETWEEN = re.compile(r"[/;,|\n]|\s[-–y]\s|\s{2,}")
_SHORTEST = 7  # a part of a cell with at least so many digits may be a separate number
# A longer text is prose: two numbers with their extensions are shorter. libphonenumber accepts 250 characters and takes
# 0.4 ms for as many separate digits: 2 s a page for one crafted file.
_MAX_CHARACTERS = 60


def parse(cell_text: str, country: str) -> Phone:
    """Parse a text. `country` (two letters, such as ES) is for numbers without a prefix such as +34. Never raises."""
    text = cell_text.strip().strip(_AROUND).strip()
    if not text:
        return Phone(reason=Reason.BLANK)
    if len(text) > _MAX_CHARACTERS:
        return Phone(reason=Reason.NOT_A_NUMBER)
    if not text.isdigit():
        if damaged := _SCIENTIFIC.fullmatch(text):
            whole = _all_digits(damaged)
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
    return _other_reading(text, country) or phone


def _read(text: str, country: str) -> Phone:
    """Parse a text with libphonenumber."""
    try:
        parsed = _parse(text, country)
    except NumberParseException as error:
        return Phone(reason=reason_of_error(error))
    if parsed.extension:
        if len(parsed.extension) >= _SHORTEST:  # "612345678; 698765432": a second number, taken for an extension
            return Phone(reason=Reason.SEVERAL_NUMBERS)
        parsed.extension = None
    if number_type(parsed) != PhoneNumberType.UNKNOWN:
        return Phone(format_number(parsed, PhoneNumberFormat.E164), parsed.country_code, None, parsed)
    return Phone(reason=reason_of_length(parsed))


def _other_reading(text: str, country: str) -> Phone | None:
    """Try other readings of a text that failed: 00 for +, then several numbers. None when neither applies.

    Most texts are valid at the first try, so only failed ones pay for this.
    """
    digits = text.lstrip("( ")
    if digits.startswith("00"):  # 0034 is also accepted in countries with another international prefix
        phone = _read("+" + digits[2:], country)
        if phone.reason is None or not _is_national(digits, country):
            return phone
    parts = [part for part in _BETWEEN.split(text) if sum(map(str.isdigit, part)) >= _SHORTEST]
    if len(parts) > 1 and all(_read(part, country).reason is None for part in parts[:2]):
        return Phone(reason=Reason.SEVERAL_NUMBERS)
    return None


def _is_national(digits: str, country: str) -> bool:
    """Return whether 00… is better explained as a national number than as an international one."""
    return _read(digits, country).reason is Reason.UNKNOWN_RANGE


def _all_digits(match: re.Match[str]) -> str | None:
    """Return the digits of a number in scientific notation: 6.12345678E+08 has them all; 6,12E+08 has not (None)."""
    first, rest, exponent = match[1], match[2] or "", int(match[3])
    if len(rest.rstrip("0")) > exponent or len(rest) < exponent or exponent > 15:
        return None
    return first + rest[:exponent]


@cache
def countries() -> tuple[str, ...]:
    """Return the two-letter codes of all countries whose numbering plan libphonenumber knows, sorted."""
    return tuple(sorted(SUPPORTED_REGIONS))
