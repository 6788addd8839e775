"""What a web process needs to know about the offline source, without loading its tables. Pure."""

from phonenumbers import __version__

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

FACTS = SourceFacts(
    # `original_operator` and never `operator`: a number can be ported away from the operator that got its range.
    fields=("e164", "national", "line_type", "country", "province", "original_operator", "time_zone"),
    concurrency=1,  # it only computes: a second thread would wait for the first
    data_version=f"libphonenumber {__version__}, CNMC {SPANISH_PLAN}",
    seconds_per_number=1 / 8000,  # including the save, on a modest machine
)
