"""What libphonenumber's tables say of a country's numbers, from the tables themselves: it is asked for each cell. Pure.

A number is valid when the tables have a type for it (`is_given_out`), or when `spanish_plan` has its range.
"""

import re
from functools import cache
from typing import NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata, country_code_for_region

from portal.phone.spanish_plan import COUNTRY_CODE as SPAIN
from portal.phone.spanish_plan import RANGES

_NOTHING = r"(?!)"


class Dialled(NamedTuple):
    """What may stand before a national number and be no part of it: behind the country's code, and at home, where it
    may be the prefix of other countries or the country's own code as well."""

    country_code: int
    behind_code: re.Pattern[str]
    at_home: re.Pattern[str]


@cache
def dialled_in(region: str) -> Dialled | None:
    """Return what is dialled in a region; None for one that libphonenumber does not know."""
    return _dialled(PhoneMetadata.metadata_for_region(region, None))


@cache
def dialled_behind(country_code: int) -> Dialled | None:
    """Return what is dialled in the main region of a country's code."""
    region = COUNTRY_CODE_TO_REGION_CODE.get(country_code, ("",))[0]
    return _dialled(PhoneMetadata.metadata_for_region_or_calling_code(country_code, region))


def _dialled(metadata: PhoneMetadata | None) -> Dialled | None:
    if metadata is None or metadata.country_code is None:
        return None
    home, abroad = metadata.national_prefix_for_parsing or _NOTHING, metadata.international_prefix or _NOTHING
    everything = f"(?:{home})|(?:{abroad})|{metadata.country_code}"
    return Dialled(metadata.country_code, re.compile(home), re.compile(everything))


@cache
def calling_code(country: str) -> int:
    """Return the code that is dialled from abroad; 0 for a country that is not known."""
    return country_code_for_region(country) or 0


@cache
def lengths_of(country: str) -> frozenset[int]:
    """Return the lengths that national numbers of a country can have; none for a country that is not known."""
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
def shortest_of(country: str) -> int:
    """Return the digits below which every number of a country is too short, those dialled within a town included."""
    metadata = PhoneMetadata.metadata_for_region(country, None)
    local = metadata.general_desc.possible_length_local_only if metadata and metadata.general_desc else ()
    return min([*lengths_of(country), *(length for length in local if length > 0)], default=0)


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


@cache
def spanish_numbers() -> re.Pattern[str]:
    """Return nine digits that are a Spanish number with a type."""
    return _table(SPAIN, "ES")[1][9][1]


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
