"""What a source is and what it answers, and the tickets of batches that it has taken and not answered yet.

Pure: it knows no database and no job. A ticket is paid for when it is given. The caller of an attempt passes in a
`Tickets` that outlives it, so that the next attempt fetches what this one submitted instead of submitting it again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

import structlog

from portal.causes import CauseCode


@dataclass(frozen=True)
class SubmittedBatch:
    """A batch of numbers and the source's ticket for it. Without a ticket, whether it was taken is not known."""

    key: str  # ours, and its own for each batch: {batch_key} in a recipe
    numbers: tuple[str, ...]  # in the order in which they were sent
    ticket: str | None = None
    age_seconds: float = 0.0  # when the attempt began


class Tickets(Protocol):
    """One attempt's memory of what was handed in. Its methods may be called from many threads at once."""

    def open(self) -> Sequence[SubmittedBatch]:
        """What earlier attempts handed in and nobody has fetched, the oldest first."""

    def keep(self, batch: SubmittedBatch) -> None:
        """Remember this batch, or its ticket, before anything else is done. Raises when the attempt is over."""

    def fetched(self, batch: SubmittedBatch) -> None:
        """Its answers are there: it is forgotten in the moment in which they are saved."""

    def drop(self, batch: SubmittedBatch, *, lost: bool) -> None:
        """Forget it now: nothing will come of it. `lost`: it had been taken, and its numbers are asked for anew."""


class NoTickets:
    """Remembers nothing: for a single try by hand."""

    def open(self) -> Sequence[SubmittedBatch]:
        return ()

    def keep(self, batch: SubmittedBatch) -> None: ...

    def fetched(self, batch: SubmittedBatch) -> None: ...

    def drop(self, batch: SubmittedBatch, *, lost: bool) -> None: ...


log = structlog.get_logger(__name__)


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
    """One number's answer. `fields` has the source's field names as keys; `reason`: a `CauseCode` or a `phone.Reason`.

    `asked_at` is said of a kept answer alone: when the source was asked for it. It is no part of what was answered.
    """

    outcome: Outcome
    fields: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    asked_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class SourceFacts:
    """What can be said of a source without making it: a web process must not load what a source works with."""

    fields: tuple[str, ...]
    concurrency: int
    data_version: str
    seconds_per_number: float
    # What the offline source leaves out: `words` knows it. Texts by language; "" is for all others.
    title: Mapping[str, str] = field(default_factory=dict)
    description: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # of fields
    yes_no: frozenset[str] = frozenset()  # fields whose values are yes and no
    per_second: float | None = None  # the declared pace, in requests
    batch: int = 1  # numbers a request
    cache_days: float = 0.0

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


class SourceSessionLike(Protocol):
    """One attempt's conversation with a source."""

    @property
    def silent(self) -> bool:
        """Whether nothing has come of it but failures to answer at all: no connection, no answer in time, a 5xx."""

    def lookup_many(self, numbers: Sequence[str]) -> Mapping[str, Answer]:
        """The answers for one call's numbers. One that is missing was not asked, and stays as it was: we were told
        to stop. Raises SourceBusy or SourceStopped for what concerns them all."""


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


@runtime_checkable
class SessionSource(Protocol):
    """A source that also has a conversation with each attempt: it remembers what the attempt has seen, takes several
    numbers a call, and wants numbers that failed for a cause that `asks_again` to be asked again."""

    batch: int  # numbers a call
    tries: int  # how often an attempt may ask for one number

    def begin(self, stop: Callable[[], bool], tickets: Tickets) -> SourceSessionLike:
        """A conversation. Once `stop()` is true, nothing new is asked. What `tickets` has open is fetched and not
        asked for again."""


class PlainSession:
    """The conversation with a source that has none of its own: number by number, once."""

    silent = False

    def __init__(self, source: Source) -> None:
        self._source = source

    def lookup_many(self, numbers: Sequence[str]) -> Mapping[str, Answer]:
        lookup = self._source.lookup
        if len(numbers) == 1:
            return {numbers[0]: lookup(numbers[0])}
        try:
            return {number: lookup(number) for number in numbers}
        except (SourceBusy, SourceStopped):
            raise
        except Exception:  # one of them broke the source: ask singly, so that it alone fails
            return {number: self._singly(number) for number in numbers}

    def _singly(self, number: str) -> Answer:
        try:
            return self._source.lookup(number)
        except (SourceBusy, SourceStopped):
            raise
        except Exception:
            log.exception("lookup failed", source=self._source.name)
            return Answer(Outcome.FAILED, reason=CauseCode.SOURCE_ERROR)


def begin(source: Source, stop: Callable[[], bool], tickets: Tickets) -> tuple[SourceSessionLike, int, int]:
    """A conversation with any source, how many numbers it takes at once, and how often one may be asked for."""
    if isinstance(source, SessionSource):
        return source.begin(stop, tickets), source.batch, source.tries
    return PlainSession(source), getattr(source, "together", 1), 1
