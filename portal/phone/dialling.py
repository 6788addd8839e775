"""Read digits as a number of a country, with libphonenumber's tables and what they lack. Pure.

It is given digits only, so that libphonenumber cannot turn letters into digits or cut the text itself. A number is
valid when libphonenumber's tables have a type for it (`is_given_out`), or when `spanish_plan` has its range.
"""

import re
from dataclasses import dataclass, field, replace
from functools import cache

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    country_code_for_region,
    format_number,
    is_possible_number_with_reason,
    national_significant_number,
)
from phonenumbers import parse as _parse
from phonenumbers.shortnumberinfo import is_valid_short_number_for_region

from portal.phone.reasons import Reason
from portal.phone.spanish_plan import COUNTRY_CODE as SPAIN
from portal.phone.spanish_plan import RANGES, Range, range_of

LONGEST = 17  # digits of one number with 00 and its country's code
SHORTEST = 7  # digits of a part of a cell that may be a number of its own
_LONG_SHORT = 6  # digits of the longest short number, 116000
# Longer national numbers exist in few countries, and rarely: a number that also has another reading is then not clear.
_USUAL_LENGTH = 11
_SHORTEST_OFFER = 6
_WITHOUT_CODE = 10  # most digits of a whole number of a country without the country's code
_E164 = 15  # most digits of a number with its country's code
_FOREIGN_LENGTH = 9  # digits of a number with its country's code; a shorter one has lost digits


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
    _parsed: PhoneNumber | None = field(default=None, repr=False, compare=False)
    offered: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    @property
    def national(self) -> str | None:
        """The digits as dialled within the country, including the leading 0 in countries that use one."""
        if self._parsed is None:  # a Spanish one was read without
            return self.e164[3:] if self.e164 else None
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


def spanish_range(number: PhoneNumber) -> Range | None:
    """Return the range of `spanish_plan` that a Spanish number is in; None for a number of another country."""
    if number.country_code != SPAIN or number.italian_leading_zero:
        return None
    return range_of(str(number.national_number))


def failed(reason: Reason, offered: tuple[str, ...] = ()) -> Phone:
    """Return a result without a number."""
    return Phone(None, None, reason, None, offered)


def read(digits: str, plus: bool, country: str, *, code_apart: bool = False) -> Phone:
    """Read ASCII digits as one number, `plus` when a + stands before them. `country` is for those without.

    `code_apart`: the digits behind the + are a country's code that is set apart, so that there is no doubt about it.

    The result has offers when another reading than the obvious one is valid.
    """
    if len(digits) > LONGEST:
        return failed(Reason.TOO_LONG)
    if plus:
        return _with_plus(digits, country, code_apart)
    if digits.startswith("00"):
        abroad = _international(digits[2:])
        if abroad.reason is None:
            return abroad
        home = _national(digits, country)
        return home if home.reason in (None, Reason.UNKNOWN_RANGE) else abroad
    return _national(digits, country)


def may_be_valid(digits: str, country: str) -> bool:
    """Return whether `read` can find a number in these digits without a +. Costs next to nothing."""
    if not SHORTEST <= len(digits) <= LONGEST:
        return False
    if digits.startswith("00"):
        return True
    code = str(country_code_for_region(country) or "")
    lengths, rest = _lengths(country), digits.lstrip("0")
    if len(digits) in lengths or len(rest) in lengths:
        return True
    # Prefixes that are dialled at home only: a carrier's in Brazil, 044 in Mexico, 15 in Argentina.
    return rest.startswith(code) or (country in ("BR", "MX", "AR", "CO") and len(digits) - min(lengths) < 6)


@cache
def _lengths(country: str) -> frozenset[int]:
    """The lengths that national numbers of a country can have; empty for one that libphonenumber does not know."""
    metadata = PhoneMetadata.metadata_for_region(country, None)
    lengths = metadata.general_desc.possible_length if metadata and metadata.general_desc else ()
    extra = {one.digits for one in RANGES} if country == "ES" else set()
    return frozenset({*lengths, *extra} - {-1})


@cache
def trunk_of(country: str) -> str:
    """Return the prefix that is dialled before a number at home, such as 0; empty in a country without one."""
    metadata = PhoneMetadata.metadata_for_region(country, None)
    return (metadata.national_prefix if metadata else None) or ""


@cache
def _shortest(country: str) -> int:
    """The digits below which every number of a country is too short, those dialled within a town included."""
    metadata = PhoneMetadata.metadata_for_region(country, None)
    local = metadata.general_desc.possible_length_local_only if metadata and metadata.general_desc else ()
    return min([*_lengths(country), *(length for length in local if length > 0)], default=0)


def _spanish(digits: str) -> Phone | None:
    """Read nine digits as a Spanish number; None unless it is valid. Takes a fiftieth of libphonenumber's time."""
    if digits[0] < "5" or _spanish_numbers().fullmatch(digits) is None:
        return None
    return Phone("+34" + digits, SPAIN)


def is_given_out(country_code: int | None, national: str) -> bool:
    """Return whether libphonenumber's tables have a type for a national number: what `number_type` says, from the same
    tables, in a tenth of the time, as a file asks it for each of its cells."""
    for region in COUNTRY_CODE_TO_REGION_CODE.get(country_code or 0, ()):
        leading, lengths = _table(country_code or 0, region)
        general, typed = lengths.get(len(national), (None, None))
        has_type = bool(general and typed and general.fullmatch(national) and typed.fullmatch(national))
        if has_type or (leading is not None and leading.match(national)):
            return has_type
    return False


_Lengths = dict[int, tuple[re.Pattern[str], re.Pattern[str]]]
_TYPES = (
    "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail", "fixed_line",
    "mobile",
)  # fmt: skip


@cache
def _spanish_numbers() -> re.Pattern[str]:
    """Nine digits that are a Spanish number with a type."""
    return _table(SPAIN, "ES")[1][9][1]


@cache
def _table(country_code: int, region: str) -> tuple[re.Pattern[str] | None, _Lengths]:
    """The digits by which a region is known among those with the same code; and for each length the patterns of all its
    numbers and of those with a type."""
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
    general = metadata.general_desc if metadata else None
    if metadata is None or general is None or general.national_number_pattern is None:
        return None, {}
    patterns: dict[int, list[str]] = {}
    for one in (getattr(metadata, name) for name in _TYPES):
        if one is not None and one.national_number_pattern:
            for length in one.possible_length or general.possible_length:
                patterns.setdefault(length, []).append(f"(?:{one.national_number_pattern})")
    every = re.compile(general.national_number_pattern or "")
    lengths = {length: (every, re.compile("|".join(found))) for length, found in patterns.items()
               if not general.possible_length or length in general.possible_length}  # fmt: skip
    return re.compile(metadata.leading_digits) if metadata.leading_digits else None, lengths


def _with_plus(digits: str, country: str, code_apart: bool) -> Phone:
    """Read digits behind a +, which people also put before a number without its country's code."""
    phone = _international(digits)
    if phone.reason is None and (code_apart or len(digits) > _WITHOUT_CODE or len(_lengths(country)) > 2):
        return phone
    home = _national(digits, country)
    if phone.e164:
        both = home.e164 is not None and home.e164 != phone.e164
        return failed(Reason.AMBIGUOUS, (phone.e164, str(home.e164))) if both else phone
    return replace(phone, offered=(home.e164,)) if home.e164 else phone


def _plain(text: str, country: str | None) -> Phone:
    """Read with libphonenumber and the Spanish table, without any other reading."""
    try:
        parsed = _parse(text, country)
    except NumberParseException as error:
        return failed(reason_of_error(error))
    if not is_given_out(parsed.country_code, national_significant_number(parsed)) and not spanish_range(parsed):
        return failed(reason_of_length(parsed))
    return Phone(format_number(parsed, PhoneNumberFormat.E164), parsed.country_code, None, parsed)


def _international(digits: str) -> Phone:
    """Read digits that begin with a country's code: as they are, then without what people write too much."""
    if len(digits.lstrip("0")) > _E164 + 2:
        return failed(Reason.TOO_LONG)
    if len(digits) == 11 and digits.startswith("34") and (spanish := _spanish(digits[2:])) is not None:
        return spanish
    phone = _plain("+" + digits, None) if len(digits) <= _E164 else failed(Reason.TOO_LONG)
    if phone.reason is None:
        return phone
    code = code_of(digits)
    if code is None:
        bare = digits.lstrip("0")
        return _international(bare) if bare != digits and code_of(bare) else phone
    rest = digits[len(code) :]
    for shorter in _without_doubles(code, rest):
        other = _plain("+" + code + shorter, None)
        if other.reason is None:
            return other
    return phone


def _without_doubles(code: str, rest: str) -> list[str]:
    """The rest of a number without a second country's code, a 0 that is only dialled at home, and Mexico's old 1."""
    found = [rest[len(again) :] for again in (code, "00" + code, "0" + code) if rest.startswith(again)]
    if rest.startswith("0"):
        found.append(rest.lstrip("0"))
    if code == "52":
        found.extend(_mexican(rest))
    return found


def _mexican(digits: str) -> list[str]:
    """The ten digits behind 1, 01, 044 or 045, which Mexico gave up in August 2019."""
    return [digits[len(old) :] for old in ("044", "045", "01", "1") if digits.startswith(old) and
            len(digits) == len(old) + 10]  # fmt: skip


def _national(digits: str, country: str) -> Phone:
    """Read digits without a prefix: as a number of the country, then with what is missing or too much."""
    if country == "ES" and len(digits) == 9 and (spanish := _spanish(digits)) is not None:
        return spanish
    if len(digits) < _shortest(country):
        return failed(Reason.SHORT_NUMBER if _is_short(digits, country) else Reason.TOO_SHORT)
    code = str(country_code_for_region(country) or "")
    home = _plain(digits, country)
    if home.e164:
        own = _own(digits, code, home)
        if own and own.e164 != home.e164:
            return failed(Reason.AMBIGUOUS, (str(own.e164), home.e164))
        return home
    if code:
        bare = digits.lstrip("0")
        if bare.startswith(code):
            own = _international(bare)
            if own.e164:
                return own
        if country == "MX":
            for shorter in _mexican(digits):
                phone = _plain(shorter, country)
                if phone.e164:
                    return phone
        if _is_short(digits, country):
            return failed(Reason.SHORT_NUMBER)
    return _offering(home, digits, country)


def _own(digits: str, code: str, home: Phone) -> Phone | None:
    """The reading of a valid national number as one that begins with the country's own code, if that is valid too."""
    bare = digits
    if digits.startswith("0") and len(digits) > _USUAL_LENGTH + 1:
        bare = digits[1:]
    if not code or not bare.startswith(code) or home.e164 == "+" + bare:
        return None
    own = _plain("+" + bare, None)
    return own if own.e164 else None


def _is_short(digits: str, country: str) -> bool:
    if len(digits) > _LONG_SHORT:
        return False
    zero = digits.startswith("0")
    number = PhoneNumber(
        country_code_for_region(country), int(digits), italian_leading_zero=zero or None,
        number_of_leading_zeros=len(digits) - len(digits.lstrip("0")) if digits.startswith("00") else None,
    )  # fmt: skip
    return is_valid_short_number_for_region(number, country)


def _offering(home: Phone, digits: str, country: str) -> Phone:
    """Add the numbers that invalid digits may mean: with a 0 more or less, or of another country."""
    bare = digits.lstrip("0")
    for other in ("0" + digits, bare):
        if other != digits:
            phone = _plain(other, country) if len(other) in _lengths(country) else home
            if phone.e164 and len(other) >= _SHORTEST_OFFER:
                return failed(Reason.LEADING_ZERO, (phone.e164,))
    if _FOREIGN_LENGTH <= len(bare) < _E164:  # sixteen digits in fours are a card
        foreign = _international(bare)
        if foreign.e164:
            return failed(Reason.OTHER_COUNTRY, (foreign.e164,))
    return home


def code_of(digits: str) -> str | None:
    """Return the country's code that digits begin with; None when no country has one."""
    for length in (1, 2, 3):
        if digits[:length] and digits[0] != "0" and int(digits[:length]) in COUNTRY_CODE_TO_REGION_CODE:
            return digits[:length]
    return None


@cache
def countries() -> tuple[str, ...]:
    """Return the two-letter codes of all countries whose numbering plan libphonenumber knows, sorted."""
    return tuple(sorted(SUPPORTED_REGIONS))
