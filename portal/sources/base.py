"""What a source is and what it answers, and the tickets of batches that it has accepted and not yet answered.

Pure: knows no database and no job. A batch is paid for when the source gives its ticket. The caller passes in a
`Tickets` that outlives the attempt, so that the next attempt fetches what this one submitted instead of submitting it
again.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

import structlog

from portal.causes import CauseCode

log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """What is known about one number. The first four are final: such a number is never looked up again."""

    FOUND = "found"
    NOT_FOUND = "not_found"  # the source says that it has no data about the number
    INVALID = "invalid"  # not a telephone number, or in no numbering plan
    REJECTED = "rejected"  # the source refuses this number permanently
    WAITING = "waiting"  # not looked up yet
    FAILED = "failed"  # the source gave no answer; another attempt may get one

    # Equal to its text, so it has the text's hash; that of other enums is a call of Python for each answer.
    __hash__ = str.__hash__


FINAL = (Outcome.FOUND, Outcome.NOT_FOUND, Outcome.INVALID, Outcome.REJECTED)
OPEN = (Outcome.WAITING, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Answer:
    """One number's answer. `fields` has the source's field names as keys; `reason`: a `CauseCode` or a `phone.Reason`.

    `asked_at` is set only for an answer from the cache: when the source was asked for it. `cost`: what this attempt's
    requests about the number cost, in billionths of the source's currency. `unsure`: the last of them was sent and got
    no response, so that the source may have charged it. None of these takes part in comparisons.
    """

    outcome: Outcome
    fields: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    asked_at: datetime | None = field(default=None, compare=False)
    cost: int = field(default=0, compare=False)
    unsure: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class SourceFacts:
    """What the portal knows about a source without creating it: a web process must not load a source's tables."""

    fields: tuple[str, ...]
    concurrency: int
    data_version: str
    seconds_per_number: float
    # The offline source leaves these out, as `words` has its texts. They are keyed by language; "" means any other.
    title: Mapping[str, str] = field(default_factory=dict)
    description: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # of fields
    yes_no: frozenset[str] = frozenset()  # fields whose values are yes and no
    per_second: float | None = None  # the declared rate, in requests
    batch: int = 1  # numbers in one request
    cache_days: float = 0.0
    workers: int | None = None  # how many may look up one file's numbers at once; None: as many as are free
    price: Decimal | None = None  # of a lookup; None: not known before, or free
    price_per: str = "asked"  # asked | found
    most: Decimal | None = None  # what one lookup may cost at most; None: free, or the source does not say it before
    is_priced: bool = False  # whether a lookup may cost something
    has_balance: bool = False  # whether the source tells what is left of its credit
    currency: str = ""  # empty: the source says nothing of money
    warn_below: Decimal | None = None  # credit below which the administrators are warned
    countries: frozenset[str] = frozenset()  # which numbers it is asked about; empty: all
    lines: frozenset[str] = frozenset()
    example: Callable[[str], Mapping[str, str]] | None = None  # an answer as it may look for that number; not true

    def seconds_for(self, numbers: int) -> float:
        """About how many seconds so many lookups take."""
        return numbers * self.seconds_per_number


class LookupEnded(Exception):
    """What concerns all numbers ended a call. `answers` are those of the same call that had come in before: they are
    paid for, so whoever catches this saves them. Raised as SourceBusy or SourceStopped."""

    def __init__(self, reason: str, answers: Mapping[str, Answer]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.answers = answers

    def with_answers(self, answers: Mapping[str, Answer]) -> "LookupEnded":
        """A copy with these answers: several threads may raise the same exception, each with its own answers."""
        raise NotImplementedError


class SourceBusy(LookupEnded):
    """The source can answer no request now. The job waits for `seconds` and uses no retry."""

    def __init__(self, reason: str, seconds: float, answers: Mapping[str, Answer] | None = None) -> None:
        super().__init__(reason, answers or {})
        self.seconds = seconds

    def with_answers(self, answers: Mapping[str, Answer]) -> "SourceBusy":
        return SourceBusy(self.reason, self.seconds, {**answers, **self.answers})


class SourceStopped(LookupEnded):
    """The source refuses all our requests (credentials, credit, a changed page): the attempt ends at once."""

    def __init__(self, reason: str, answers: Mapping[str, Answer] | None = None) -> None:
        super().__init__(reason, answers or {})

    def with_answers(self, answers: Mapping[str, Answer]) -> "SourceStopped":
        return SourceStopped(self.reason, {**answers, **self.answers})


@dataclass(frozen=True)
class SubmittedBatch:
    """A batch of numbers and the source's ticket for it. Without a ticket, the source may or may not have it."""

    key: str  # our own key, unique for each batch: {batch_key} in a recipe
    numbers: tuple[str, ...]  # in the order in which they were sent
    ticket: str | None = None
    age_seconds: float = 0.0  # when the attempt began


class Tickets(Protocol):
    """What one attempt remembers of the batches it submitted. Its methods may be called from many threads at once."""

    longest_poll_seconds: float
    """How long one attempt may poll for a batch, whatever the recipe allows: without answers a job times out."""

    def open(self) -> Sequence[SubmittedBatch]:
        """Batches that earlier attempts submitted and did not fetch, the oldest first."""

    def keep(self, batch: SubmittedBatch) -> None:
        """Save this batch, or its ticket, before anything else is done. Raises when the attempt is over."""

    def fetched(self, batch: SubmittedBatch, numbers: Collection[str]) -> None:
        """Note that the answers for these of its numbers are here: it is deleted in the transaction that saves them,
        and its other numbers are submitted again."""

    def drop(self, batch: SubmittedBatch, *, lost: bool) -> None:
        """Delete it now, as no answer will come. `lost`: the source had accepted it, and its numbers are submitted
        again."""


class NoTickets:
    """Saves nothing: for a single lookup outside a job."""

    longest_poll_seconds = math.inf

    def open(self) -> Sequence[SubmittedBatch]:
        return ()

    def keep(self, batch: SubmittedBatch) -> None: ...

    def fetched(self, batch: SubmittedBatch, numbers: Collection[str]) -> None: ...

    def drop(self, batch: SubmittedBatch, *, lost: bool) -> None: ...


# Given numbers and True a moment before they are asked about: it returns whether they may be. Given them and False once
# it turns out that asking cost nothing.
NoteSent = Callable[[Sequence[str], bool], bool]


def always(numbers: Sequence[str], sent: bool) -> bool:
    """The usual NoteSent: any number may be asked about, and nobody keeps count."""
    return True


class LookupSession(Protocol):
    """One attempt's session with a source."""

    note_sent: NoteSent
    """Called for each number, from any thread; a caller that keeps count puts its own function here."""

    @property
    def silent(self) -> bool:
        """Whether the source has not responded at all so far, or no more: no connection, no answer in time, or a
        5xx."""

    def lookup_many(self, numbers: Sequence[str]) -> Mapping[str, Answer]:
        """The answers for one call's numbers, by number.

        A number that is missing was not looked up, as the attempt was stopped, and stays as it was. Raises SourceBusy
        or SourceStopped for what concerns all numbers, with the answers that had come in before.
        """


class Source(Protocol):
    """Where answers come from. One contract test runs over every source."""

    name: str
    fields: tuple[str, ...]  # the columns that it adds to the file, in order
    concurrency: int  # numbers in flight at once
    data_version: str  # the version of its data, shown beside the result

    def lookup(self, e164: str) -> Answer:
        """The answer for one valid number in E.164. A failure of this number alone is an Answer with `failed`; raises
        SourceBusy or SourceStopped for what concerns all numbers."""

    def seconds_for(self, numbers: int) -> float:
        """About how many seconds so many lookups take, for the estimate on the check page."""


@runtime_checkable
class SourceWithSessions(Protocol):
    """A source that opens a session for each attempt: the session remembers what the attempt has seen, takes several
    numbers a call, and expects numbers that failed for a cause that `asks_again` to be looked up again."""

    batch: int  # numbers in one call
    tries: int  # how often an attempt may look up one number
    answer_seconds: float  # how long one request may take, at most

    def open_session(self, stop: Callable[[], bool], tickets: Tickets) -> LookupSession:
        """A new session. Once `stop()` is true it sends no new request. It fetches the batches that `tickets` has open
        and does not submit them again."""


class OneByOneSession:
    """The session with a source that opens none itself: looks up each number once, one after the other."""

    silent = False

    def __init__(self, source: Source) -> None:
        self._source = source
        self.note_sent: NoteSent = always

    def lookup_many(self, numbers: Sequence[str]) -> Mapping[str, Answer]:
        answers: dict[str, Answer] = {}
        if not self.note_sent(numbers, True):
            return answers
        lookup, is_alone = self._source.lookup, len(numbers) == 1
        for number in numbers:
            try:
                answers[number] = lookup(number)
            except LookupEnded as ended:
                raise ended.with_answers(answers) from None
            except Exception:
                if is_alone:
                    raise
                log.exception("lookup failed", source=self._source.name)  # only this number fails
                answers[number] = Answer(Outcome.FAILED, reason=CauseCode.SOURCE_ERROR)
        return answers


def open_session(source: Source, stop: Callable[[], bool], tickets: Tickets) -> tuple[LookupSession, int, int]:
    """A session with any source, how many numbers one call takes, and how often one number may be looked up."""
    if isinstance(source, SourceWithSessions):
        return source.open_session(stop, tickets), source.batch, source.tries
    return OneByOneSession(source), getattr(source, "batch", 1), 1
