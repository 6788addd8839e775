"""Read a waiting document: it becomes ready, with its sheets, or refused, with the reason.

Besides `upload`, the only place in this package that writes documents. It must not know jobs, queues or pages. No
transaction is open while the child process reads: that may take a minute, and SQLite has one writer.

Several workers may read at once. Each claims a document for a lease that it renews while it reads, and a claim raises
the document's number, which is the fence: a reader that was overtaken saves nothing. People take turns: the next
document is one of the person who has fewest being read, and among those of the one whose turn was longest ago.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import aliased

from portal.database import changed_rows, db
from portal.documents.check import check_facts
from portal.documents.choice import guessed
from portal.documents.models import Document, Reading
from portal.documents.reader.csv_text import TextChoice
from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.parent import MachineFailed, SheetFacts, likeliest_sheet, read
from portal.documents.storage import CONVERTED, Storage, sheet_part

MAX_READ_ATTEMPTS = 3
LONGEST_WAIT_SECONDS = 900.0  # before a document is tried again whose machine has failed
MOST_WAITED_SECONDS = 86_400.0  # then it is refused
LEASE_SECONDS = 60.0  # a reader that was killed keeps its document from the next one for so long
RENEWED_SECONDS = 15.0
CHECK_SECONDS = (
    300.0  # the lease for storing and counting what was read, up to a million rows, during which it is not renewed
)
EARLY_SECONDS = 2.0  # by which the clock of whoever pushed a document may be ahead of ours


class Overtaken(Exception):
    """Another worker reads this document now, or it was deleted."""


class _Claim(NamedTuple):
    """What a reader holds: the document, the number of its claim, tries so far, storage key, file name, and what was
    chosen for a text file."""

    document_id: int
    number: int
    attempts: int
    key: str
    file_name: str
    text_choice: dict[str, str]


def next_in_turn(now: datetime) -> int | None:
    """Return the document to be read next; None when none waits that nobody reads and whose time has come."""
    other = aliased(Document)
    of_person = other.user_id == Document.user_id
    held = select(func.count()).where(of_person, other.state == Reading.READING, other.read_lease_until >= now)
    last = select(func.max(other.read_began_at)).where(of_person)
    due = or_(Document.enqueued_at.is_(None), Document.enqueued_at <= now + timedelta(seconds=EARLY_SECONDS))
    waiting = (*_free(now), Document.deleted_at.is_(None), due)
    oldest = func.min(Document.id)
    found = db.session.scalar(
        select(oldest)
        .where(*waiting)
        .group_by(Document.user_id)
        .order_by(
            held.correlate(Document).scalar_subquery(),
            last.correlate(Document).scalar_subquery().nulls_first(),
            oldest,
        )
        .limit(1)
    )
    db.session.rollback()
    return found


def read_next(
    storage: Storage,
    limits_of: Callable[[int], ReadLimits],
    clock: Callable[[], datetime],
    country: str = "ES",
    stopped: Callable[[], bool] = lambda: False,
) -> int | None:
    """Read the document whose turn it is, and return its id; None when there is none. Raises as `read_document`."""
    while (document_id := next_in_turn(clock())) is not None:
        if read_document(document_id, storage, limits_of(document_id), clock(), country, stopped):
            return document_id
    return None


def read_document(
    document_id: int,
    storage: Storage,
    limits: ReadLimits,
    now: datetime,
    country: str = "ES",
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Read a document whose state is `reading` and which nobody reads. Returns whether this call claimed it.

    `country` (two letters) is assumed for numbers without a prefix. Each try is counted before it begins and the
    fourth is refused, so that a file that kills its worker cannot do so forever. When the machine failed rather than
    the file (a full disk, a storage that is away, a deploy), the try does not count: the document stays `reading`,
    and the longer it has waited, the later it is tried again. Raises ReadingFailed or OSError then.
    """
    claim = _claim(document_id, now)
    if claim is None:
        return False
    if claim.attempts > MAX_READ_ATTEMPTS:
        _finish(claim, state=Reading.REFUSED, problem=FileProblem.UNSAFE.value, problem_facts={}, read_at=now)
        return True
    lease = _Lease(claim, now)

    def interrupted() -> bool:
        lease.renew_when_due()
        return stopped()

    key = claim.key
    try:
        stored = storage.fetch(key)
        sheets = read(
            stored, claim.file_name, lambda index: storage.path(key, sheet_part(index)), limits, country, interrupted,
            storage.path(key, CONVERTED), TextChoice(**claim.text_choice),
        )  # fmt: skip
        is_converted = storage.path(key, CONVERTED).is_file()
        lease.renew(CHECK_SECONDS)
        parts = [sheet_part(facts.index) for facts in sheets if facts.problem is None]
        for part in [*parts, CONVERTED] if is_converted else parts:
            storage.put_derived(key, part)
        checks = _first_check(sheets, storage, key, country)
    except Overtaken:
        return True
    except (MachineFailed, OSError):
        _give_back(claim, now)
        raise
    except Unreadable as error:
        problem, facts = error.problem.value, error.facts
        _finish(claim, state=Reading.REFUSED, problem=problem, problem_facts=facts, read_at=now)
        return True
    except BaseException:
        db.session.rollback()
        _change(claim, read_lease_until=None)  # another may try at once; this try counts
        raise
    _finish(
        claim,
        state=Reading.READY,
        problem=None,
        problem_facts={},
        sheets=[facts.to_dict() for facts in sheets],
        checks=checks,
        read_at=now,
    )
    return True


def _free(now: datetime) -> tuple[Any, ...]:
    """The conditions of a document that waits and that nobody reads."""
    idle = or_(Document.read_lease_until.is_(None), Document.read_lease_until < now)
    return (Document.state == Reading.READING, idle)


def _claim(document_id: int, now: datetime) -> _Claim | None:
    """Claim the document and count this try; None when it does not wait, or somebody reads it."""
    claimed = (
        update(Document)
        .where(Document.id == document_id, *_free(now), Document.deleted_at.is_(None))
        .values(
            read_attempts=Document.read_attempts + 1,
            read_claim=Document.read_claim + 1,
            read_lease_until=now + timedelta(seconds=LEASE_SECONDS),
            read_began_at=now,
        )
        .returning(
            Document.id,
            Document.read_claim,
            Document.read_attempts,
            Document.storage_key,
            Document.file_name,
            Document.text_choice,
        )
        .execution_options(synchronize_session=False)
    )
    row = db.session.execute(claimed).one_or_none()
    db.session.commit()
    return None if row is None else _Claim(*row)


class _Lease:
    """The lease of one claim. `now` is the moment of the claim; later ones are counted by the machine's uptime."""

    def __init__(self, claim: _Claim, now: datetime) -> None:
        self._claim, self._now = claim, now
        self._began = self._renewed = time.monotonic()

    def renew_when_due(self) -> None:
        """Renew the lease every few seconds. Raises Overtaken when somebody else has the document."""
        if time.monotonic() - self._renewed >= RENEWED_SECONDS:
            self.renew(LEASE_SECONDS)

    def renew(self, seconds: float) -> None:
        """Hold the document for so long from now. Raises Overtaken when somebody else has it."""
        self._renewed = time.monotonic()
        now = self._now + timedelta(seconds=self._renewed - self._began)
        if not _change(self._claim, read_lease_until=now + timedelta(seconds=seconds)):
            raise Overtaken


def _give_back(claim: _Claim, now: datetime) -> None:
    """Take the try off the count, and let the sweep wait with the next one: half as long as the document has waited.
    After a day it is refused, so that no file waits for ever."""
    created_at = db.session.scalar(select(Document.created_at).where(Document.id == claim.document_id))
    waited = (now - created_at).total_seconds() if created_at else 0.0
    if waited > MOST_WAITED_SECONDS:
        _finish(claim, state=Reading.REFUSED, problem=FileProblem.MACHINE.value, problem_facts={}, read_at=now)
        return
    later = now + timedelta(seconds=min(waited / 2, LONGEST_WAIT_SECONDS))
    _change(claim, read_attempts=Document.read_attempts - 1, enqueued_at=later, read_lease_until=None)


def _finish(claim: _Claim, **values: Any) -> None:
    """Save the result, if this reader still holds the document: one that was overtaken changes nothing."""
    _change(claim, read_lease_until=None, **values)


def _change(claim: _Claim, **values: Any) -> bool:
    """Change the document if this reader still holds it, and return whether it does. Commits."""
    held = (Document.id == claim.document_id, Document.state == Reading.READING, Document.read_claim == claim.number)
    changed = changed_rows(update(Document).where(*held).values(**values))
    db.session.commit()
    return changed == 1


def default_sheet(sheets: list[SheetFacts]) -> SheetFacts | None:
    """Return the sheet that the check page shows first: of the usable ones, the one with the numbers."""
    return likeliest_sheet([facts for facts in sheets if facts.usable])


def _first_check(sheets: list[SheetFacts], storage: Storage, key: str, country: str) -> dict[str, Any]:
    """Check the guessed choice, so that the check page opens with its counts."""
    first = default_sheet(sheets)
    if first is None:
        return {}
    choice = guessed(first, country)
    return {choice.key: check_facts(storage.path(key, sheet_part(first.index)), choice).to_dict()}
