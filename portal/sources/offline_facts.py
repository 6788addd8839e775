"""What a web process needs to know about the offline source, without loading its tables. Pure."""

from phonenumbers import (
    NumberParseException,
    PhoneNumberType,
    __version__,
    number_type,
    parse,
    region_code_for_number,
)

from portal.phone.plain_reading import spanish_range
from portal.phone.spanish_plan import DATE as SPANISH_PLAN
from portal.sources.base import SourceFacts

# libphonenumber's name of a line type → our code in the answer; `words` has the text for each.
LINE_TYPES = {
    "mobile": "mobile",
    "fixed_line": "fixed",
    "fixed_line_or_mobile": "fixed_or_mobile",
    "toll_free": "toll_free",
    "premium_rate": "premium",
    "shared_cost": "shared_cost",
    "voip": "voip",
    "personal_number": "personal",
    "pager": "pager",
    "uan": "company",
    "voicemail": "voicemail",
}
# Line types that only the Spanish plan has: `phone.spanish_plan.RANGES` names them.
SPANISH_LINE_TYPES = ("internet_access", "m2m", "commercial")

_PLACE = {"ES": ("Madrid", "Movistar")}  # a province and an operator, as an example


def country_and_line(e164: str) -> tuple[str, str]:
    """The country of a number, such as ES, and its line type; each empty where nobody knows it."""
    try:
        number = parse(e164, None)
    except NumberParseException:
        return "", ""
    spanish = spanish_range(number)
    kind = PhoneNumberType.to_string(number_type(number)).lower()
    line_type = spanish.line_type if spanish else LINE_TYPES.get(kind, "")
    return "ES" if spanish else region_code_for_number(number) or "", line_type


def example_of(e164: str) -> dict[str, str]:
    """An answer as it may look for this number: its line type and country, with a made-up province or operator."""
    country, line_type = country_and_line(e164)
    province, operator = _PLACE.get(country, ("", ""))
    fields = {
        "line_type": line_type,
        "country": country,
        "province": province if line_type == "fixed" else "",
        "original_operator": operator if line_type == "mobile" else "",
    }
    return {name: value for name, value in fields.items() if value}


FACTS = SourceFacts(
    # `original_operator` and never `operator`: a number can be ported away from the operator that got its range.
    fields=("e164", "national", "line_type", "country", "province", "original_operator", "time_zone"),
    concurrency=1,  # it only computes: a second thread would wait for the first
    data_version=f"libphonenumber {__version__}, CNMC {SPANISH_PLAN}",
    seconds_per_number=1 / 8000,  # including the save, on a modest machine
    example=example_of,
)
