"""Read digits as one number of a country, as libphonenumber does and in a tenth of its time; and say why not. Pure.

Of digits alone, libphonenumber's way is short unless a prefix is dialled before them. Then it is asked itself.
"""

import re
from dataclasses import dataclass

from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    national_significant_number,
)
from phonenumbers import parse as _parse

from portal.phone.number_tables import code_of, dialled_behind, dialled_in, is_given_out, spanish_numbers
from portal.phone.reasons import Reason
from portal.phone.spanish_plan import COUNTRY_CODE as SPAIN
from portal.phone.spanish_plan import Range, range_of

_FEWEST, _MOST = 3, 17  # digits of a national number that libphonenumber looks at


@dataclass(frozen=True, slots=True)
class Phone:
    """A number (`reason` is None), or only the reason why there is none.

    `offered`: numbers in E.164 that the cell may mean; all that it has, if the reason is SEVERAL_NUMBERS. None of
    them is looked up until a person has chosen it.
    `numbers`: of a cell that clearly has several, each once and in their order. Each of them is looked up.
    """

    e164: str | None = None
    country_code: int | None = None
    reason: Reason | None = None
    offered: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    @property
    def national(self) -> str | None:
        """The digits as dialled within the country, including the leading 0 in countries that use one."""
        if self.e164 is None or self.country_code == SPAIN:
            return self.e164 and self.e164[3:]
        return re.sub(r"\D", "", format_number(_parse(self.e164, None), PhoneNumberFormat.NATIONAL))


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


def spanish_range(number: PhoneNumber) -> Range | None:
    """Return the range of `spanish_plan` that a Spanish number is in; None for a number of another country."""
    if number.country_code != SPAIN or number.italian_leading_zero:
        return None
    return range_of(str(number.national_number))


def failed(reason: Reason, offered: tuple[str, ...] = ()) -> Phone:
    """Return a result without a number."""
    return Phone(None, None, reason, offered)


def spanish(digits: str) -> Phone | None:
    """Read nine digits as a Spanish number; None unless it is valid. Takes a fiftieth of libphonenumber's time."""
    if digits[0] < "5" or spanish_numbers().fullmatch(digits) is None:
        return None
    return Phone("+34" + digits, SPAIN)


def plain(digits: str, country: str) -> Phone:
    """Read digits without a + with libphonenumber and the Spanish table, without any other reading."""
    return _of_national(digits, country) or by_library(digits, country)


def plain_abroad(digits: str) -> Phone:
    """Read the digits behind a +, in the same way."""
    return _of_coded(digits) or by_library("+" + digits, None)


def by_library(text: str, country: str | None) -> Phone:
    """Read with libphonenumber itself, and the Spanish table. `text`: ASCII digits, with or without a +."""
    try:
        parsed = _parse(text, country)
    except NumberParseException as error:
        return failed(reason_of_error(error))
    national, code = national_significant_number(parsed), parsed.country_code
    if not is_given_out(code, national) and not spanish_range(parsed):
        return failed(reason_of_length(parsed))
    return Phone(format_number(parsed, PhoneNumberFormat.E164), code)


def _of_coded(digits: str) -> Phone | None:
    """The number behind its country's code; None when a prefix may have to be taken off it, or it has no such code."""
    code = code_of(digits)
    dialled = dialled_behind(int(code)) if code else None
    if code is None or dialled is None:
        return None
    national = digits[len(code) :]
    if not _FEWEST <= len(national) <= _MOST or dialled.behind_code.match(national):
        return None
    return _valid_or_why(int(code), national)


def _of_national(digits: str, country: str) -> Phone | None:
    """The number of a country; None when digits may have to be taken off it: a prefix, or the country's code."""
    dialled = dialled_in(country)
    if dialled is None or not _FEWEST <= len(digits) <= _MOST or dialled.at_home.match(digits):
        return None
    return _valid_or_why(dialled.country_code, digits)


def _valid_or_why(code: int, national: str) -> Phone:
    if is_given_out(code, national) or (code == SPAIN and range_of(national) is not None):
        return Phone(f"+{code}{national}", code)
    number = PhoneNumber(code, int(national))
    if national.startswith("0"):
        zeros = min(len(national) - len(national.lstrip("0")), len(national) - 1)
        number.italian_leading_zero, number.number_of_leading_zeros = True, zeros if zeros > 1 else None
    return failed(reason_of_length(number))
