"""The source that ships with the portal: looks numbers up in libphonenumber's tables, without a network.

The tables take 100 MB and 0.4 s to load: only a worker may import this module (it calls `warm` before it forks). A web
process uses `offline_facts` instead.

Spanish ranges that libphonenumber lacks come from `phone.spanish_plan`. For all other numbers it
gives the same answers as libphonenumber's public calls one after the other, at more than one and a half times their
speed: a number is valid if it has a type, so the type is determined once; mobiles have no province, and fixed lines no
operator of the range.
"""

import gc
from functools import cache

from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    carrier,
    format_number,
    geocoder,
    number_type,
    parse,
    region_code_for_number,
    timezone,
)
from phonenumbers.phonenumberutil import is_number_type_geographical

from portal.phone import reason_of_error, reason_of_length
from portal.phone.plain_reading import spanish_range
from portal.sources.base import Answer, Outcome
from portal.sources.offline_facts import FACTS, LINE_TYPES

# Names of places and operators are in one language, so that an answer is the same for every reader.
LANGUAGE = "es"
# Numbers of several types: looking them up loads the tables that a worker should have before it forks.
SAMPLES = ("+34612345678", "+34912345678", "+34800123456", "+14155552671", "+447911123456")

_TYPES = {getattr(PhoneNumberType, name.upper()): code for name, code in LINE_TYPES.items()}
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.PAGER)
_FIXED = (PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_BY_COUNTRY: dict[int, str] = {}  # time zones of numbers without a place


class OfflineSource:
    """Validity, line type, country, province, original operator and time zone, from tables."""

    name = "offline"
    fields = FACTS.fields
    concurrency = FACTS.concurrency
    batch = 50  # a lookup takes microseconds; one number a call would cost a tenth more
    data_version = FACTS.data_version

    def lookup(self, e164: str) -> Answer:
        """The answer for one number; always final."""
        try:
            number = parse(e164, None)
        except NumberParseException as error:
            return Answer(Outcome.INVALID, reason=reason_of_error(error).value)
        kind = number_type(number)
        spanish = spanish_range(number)
        if kind == PhoneNumberType.UNKNOWN and spanish is None:
            return Answer(Outcome.INVALID, reason=reason_of_length(number).value)
        fields = {
            "e164": format_number(number, PhoneNumberFormat.E164),
            "national": _national(number),
            "line_type": spanish.line_type if spanish else _TYPES[kind],
            "country": "ES" if spanish else region_code_for_number(number) or "",
            "province": _province(number) if kind in _FIXED and not spanish else "",
            "original_operator": carrier.name_for_valid_number(number, LANGUAGE) if kind in _MOBILE else "",
            "time_zone": _time_zone(number, kind),
        }
        return Answer(Outcome.FOUND, {name: value for name, value in fields.items() if value})

    def seconds_for(self, numbers: int) -> float:
        """About how many seconds so many lookups take."""
        return FACTS.seconds_for(numbers)


def warm() -> None:
    """Load the tables in the process that forks the workers: each worker then starts in a twentieth of the time."""
    source = OfflineSource()
    for e164 in SAMPLES:
        source.lookup(e164)
    # The tables live as long as the process. Walking them would cost the garbage collector more than the lookups, and
    # would write to memory that all forks share.
    gc.collect()
    gc.freeze()


def _national(number: PhoneNumber) -> str:
    """The digits as dialled within the country, a leading 0 included where it has one."""
    text = format_number(number, PhoneNumberFormat.NATIONAL)
    return "".join(filter(str.isdigit, text))


def _province(number: PhoneNumber) -> str:
    """The region within the country; empty where the tables have only the country."""
    place = geocoder.description_for_valid_number(number, LANGUAGE)
    return "" if place == geocoder.country_name_for_number(number, LANGUAGE) else place


def _time_zone(number: PhoneNumber, kind: int) -> str:
    """All time zones that the number may be in. Spanish mobiles have two, and a caller has to consider both."""
    code = number.country_code or 0
    if is_number_type_geographical(kind, code):
        return _joined(timezone.time_zones_for_geographical_number(number))
    if code not in _BY_COUNTRY:  # numbers of this type have no place: the whole country has the same zones
        _BY_COUNTRY[code] = _joined(timezone.time_zones_for_number(number))
    return _BY_COUNTRY[code]


@cache
def _joined(zones: tuple[str, ...]) -> str:
    return " / ".join(zone for zone in zones if zone != timezone.UNKNOWN_TIMEZONE)
