"""What libphonenumber lacks of the Spanish numbering plan, in one table. Pure. It has all short numbers.

Sources, as of DATE: the national numbering plan (Real Decreto 2296/2004) as the ministry and the CNMC, which keeps the
register of what is given out, describe it; the resolution of 4 December 2008 for 905; the ministry's two resolutions
of 30 April 2026, by which machine-to-machine services have 13 digits from 59 and nomadic services 51; its proposal of
4 February 2026 for the 400 of commercial calls. To renew it: read the CNMC's register (numeracionyoperadores.cnmc.es).
"""

from typing import NamedTuple

COUNTRY_CODE = 34
DATE = "2026-11-29"


class Range(NamedTuple):
    """Numbers that begin with the same digits."""

    begins: str
    digits: int  # of the whole national number
    line_type: str  # the answer's code; `sources.words` has its text
    use: str


# Those that libphonenumber 9.0 does not know come first; it knows 51 and 400, but as something else.
RANGES = (
    Range("905", 9, "premium", "mass calls, televoting"),
    Range("907", 9, "premium", "premium rate, data"),
    Range("908", 9, "internet_access", "dial-up Internet access"),
    Range("909", 9, "internet_access", "dial-up Internet access"),
    Range("590", 13, "m2m", "machine to machine; the rest of 59 is not given out"),
    Range("51", 9, "voip", "nomadic services"),
    Range("400", 9, "commercial", "commercial calls"),
)


def range_of(national: str) -> Range | None:
    """Return the table's range of a Spanish number, given as digits without +34; None for all others."""
    for one in RANGES:
        if len(national) == one.digits and national.startswith(one.begins):
            return one
    return None
