"""The source that ships with the portal: what libphonenumber's tables say of a number. It asks nobody.

Its tables take 100 MB and 0.4 s: only a worker may import this module (`warm` before it forks), never a web process,
which finds what it may know in `offline_facts`.

It gives the same answers as libphonenumber's public calls one after the other, half as fast again and more: a number's
validity is its type, so that is asked once; mobiles have no province and fixed lines no operator's range.
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
from portal.sources.base import Answer, Outcome
from portal.sources.offline_facts import FACTS, LINE_TYPES

# Names of places and operators are kept in one language, so that an answer is the same whoever asked for it.
LANGUAGE = "es"
# Numbers of several kinds: their first lookups load what a worker should have before it forks.
SAMPLES = ("+34612345678", "+34912345678", "+34800123456", "+14155552671", "+447911123456")

_TYPES = {getattr(PhoneNumberType, name.upper()): code for name, code in LINE_TYPES.items()}
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.PAGER)
_FIXED = (PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_BY_COUNTRY: dict[int, str] = {}  # time zones of numbers that are bound to no place


class OfflineSource:
    """Validity, line type, country, province, original operator and time zone, from tables."""

    name = "offline"
    fields = FACTS.fields
    concurrency = FACTS.concurrency
    together = 50  # a lookup takes microseconds, so that handing them over singly would cost a tenth more
    data_version = FACTS.data_version

    def lookup(self, e164: str) -> Answer:
        """The answer for one number, always a final one."""
        try:
            number = parse(e164, None)
        except NumberParseException as error:
            return Answer(Outcome.INVALID, reason=reason_of_error(error).value)
        kind = number_type(number)
        if kind == PhoneNumberType.UNKNOWN:
            return Answer(Outcome.INVALID, reason=reason_of_length(number).value)
        fields = {
            "e164": format_number(number, PhoneNumberFormat.E164),
            "national": _national(number),
            "line_type": _TYPES[kind],
            "country": region_code_for_number(number) or "",
            "province": _province(number) if kind in _FIXED else "",
            "original_operator": carrier.name_for_valid_number(number, LANGUAGE) if kind in _MOBILE else "",
            "time_zone": _time_zone(number, kind),
        }
        return Answer(Outcome.FOUND, {name: value for name, value in fields.items() if value})

    def seconds_for(self, numbers: int) -> float:
        """About how long so many lookups take."""
        return FACTS.seconds_for(numbers)


def warm() -> None:
    """Load the tables, in the process that forks the workers: each then starts in a twentieth of the time."""
    source = OfflineSource()
    for e164 in SAMPLES:
        source.lookup(e164)
    # The tables live as long as the process. Walking them costs the collector more than the lookups themselves, and
    # would write to memory that all forks share.
    gc.collect()
    gc.freeze()


def _national(number: PhoneNumber) -> str:
    """The digits as dialled within the country, a leading 0 included where it has one."""
    text = format_number(number, PhoneNumberFormat.NATIONAL)
    return "".join(filter(str.isdigit, text))


def _province(number: PhoneNumber) -> str:
    """The region within the country, empty where the tables know the country only."""
    place = geocoder.description_for_valid_number(number, LANGUAGE)
    return "" if place == geocoder.country_name_for_number(number, LANGUAGE) else place


def _time_zone(number: PhoneNumber, kind: int) -> str:
    """All time zones that the number may be in. Spain's mobiles have two: who calls must heed both."""
    code = number.country_code or 0
    if is_number_type_geographical(kind, code):
        return _joined(timezone.time_zones_for_geographical_number(number))
    if code not in _BY_COUNTRY:  # the type is not one of a place: all such numbers of the country have the same
        _BY_COUNTRY[code] = _joined(timezone.time_zones_for_number(number))
    return _BY_COUNTRY[code]


@cache
def _joined(zones: tuple[str, ...]) -> str:
    return " / ".join(zone for zone in zones if zone != timezone.UNKNOWN_TIMEZONE)
