"""A number with the answer that came in for it."""

from typing import NamedTuple

from portal.jobs.core.ledger import WaitingNumber
from portal.sources.base import Answer


class LookedUp(NamedTuple):
    """One number that was looked up, and the answer for all cells where it stands. `fresh`: the source has just given
    it, not the cache."""

    number: WaitingNumber
    answer: Answer
    e164: str = ""
    fresh: bool = False
