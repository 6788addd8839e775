"""What a source is and what it answers. It must not know where numbers come from or where answers go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """What is known of one number. The first four are final: such a number is never looked up again."""

    FOUND = "found"
    NOT_FOUND = "not_found"  # the source knows that there is nothing to know
    INVALID = "invalid"  # not a telephone number, or one that no plan has
    REJECTED = "rejected"  # the source refuses this number for good
    WAITING = "waiting"  # not looked up yet
    FAILED = "failed"  # the source gave no answer; another attempt may get one


FINAL = (Outcome.FOUND, Outcome.NOT_FOUND, Outcome.INVALID, Outcome.REJECTED)
OPEN = (Outcome.WAITING, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Answer:
    """One number's answer. `fields` has the source's field names as keys; `reason` is a code of the catalogue."""

    outcome: Outcome
    fields: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True)
class SourceFacts:
    """What can be said of a source without making it: a web process must not load what a source works with."""

    fields: tuple[str, ...]
    concurrency: int
    data_version: str
    seconds_per_number: float

    def seconds_for(self, numbers: int) -> float:
        """About how long so many lookups take."""
        return numbers * self.seconds_per_number


class SourceBusy(Exception):
    """The source cannot answer anybody now. The job waits `seconds` and uses no retry."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


class SourceStopped(Exception):
    """The source refuses us altogether (credentials, credit, a changed page): the attempt ends at once."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Source(Protocol):
    """Where answers come from. One contract test runs over every source."""

    name: str
    fields: tuple[str, ...]  # the columns it adds to the file, in order
    concurrency: int  # numbers in flight at once; 1 = asked in the caller's own thread
    data_version: str  # what its answers rest on, shown beside the result

    def lookup(self, e164: str) -> Answer:
        """The answer for one valid number in E.164. A failure of this number alone is an Answer with `failed`;
        raises SourceBusy or SourceStopped for what concerns them all."""

    def seconds_for(self, numbers: int) -> float:
        """About how long so many lookups take, for the estimate on the check page."""
