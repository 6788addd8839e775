"""Read a waiting document: it becomes ready, with its sheets, or refused, with the reason.

Besides `upload`, the only place in this package that writes documents. It must not know jobs, queues or pages. No
transaction is open while the child process reads: that may take a minute, and SQLite has one writer.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from portal.database import db
from portal.documents.check import check_facts
from portal.documents.models import Document, Reading
from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.parent import MachineFailed, SheetFacts, convert, read
from portal.documents.storage import LocalStorage
from portal.phone import PARSER_VERSION

MAX_READ_ATTEMPTS = 3
LONGEST_WAIT_SECONDS = 900.0  # before a document is tried again whose machine has failed
MOST_WAITED_SECONDS = 86_400.0  # then it is refused


def read_document(
    document_id: int,
    storage: LocalStorage,
    limits: ReadLimits,
    now: datetime,
    country: str = "ES",
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Read a document whose state is `reading`; do nothing for any other state.

    `country` (two letters) is assumed for numbers without a prefix. Each try is counted before it begins and the
    fourth is refused, so that a file that kills its worker cannot do so forever. When the machine failed rather than
    the file (a full disk, a file on another machine, a deploy), the try does not count: the document stays `reading`,
    and the longer it has waited, the later it is tried again. Raises ReadingFailed or OSError then.
    """
    chosen = _begin(document_id)
    if chosen is None:
        return
    attempts, key, file_name = chosen
    if attempts > MAX_READ_ATTEMPTS:
        _finish(document_id, state=Reading.REFUSED, problem=FileProblem.UNSAFE.value, problem_facts={}, read_at=now)
        return
    try:
        sheets = read(
            storage.path(key), file_name, lambda index: storage.sheet_path(key, index), limits, country, stopped
        )
        convert(storage.path(key), file_name, storage.converted_path(key), limits, stopped)
    except (MachineFailed, OSError):
        _give_back(document_id, now)
        raise
    except Unreadable as error:
        problem, facts = error.problem.value, error.facts
        _finish(document_id, state=Reading.REFUSED, problem=problem, problem_facts=facts, read_at=now)
        return
    _finish(
        document_id,
        state=Reading.READY,
        problem=None,
        problem_facts={},
        sheets=[facts.to_dict() for facts in sheets],
        checks=_first_check(sheets, storage, key, country),
        read_at=now,
    )


def _begin(document_id: int) -> tuple[int, str, str] | None:
    """Count this try. Return tries so far, storage key and file name; None when the document is not waiting."""
    counted = (
        update(Document)
        .where(Document.id == document_id, Document.state == Reading.READING, Document.deleted_at.is_(None))
        .values(read_attempts=Document.read_attempts + 1)
        .returning(Document.read_attempts, Document.storage_key, Document.file_name)
        .execution_options(synchronize_session=False)
    )
    row = db.session.execute(counted).one_or_none()
    db.session.commit()
    return None if row is None else (row[0], row[1], row[2])


def _give_back(document_id: int, now: datetime) -> None:
    """Take the try off the count, and let the sweep wait with the next one: half as long as the document has waited.
    After a day it is refused, so that no file waits for ever."""
    created_at = db.session.scalar(select(Document.created_at).where(Document.id == document_id))
    waited = (now - created_at).total_seconds() if created_at else 0.0
    if waited > MOST_WAITED_SECONDS:
        _finish(document_id, state=Reading.REFUSED, problem=FileProblem.MACHINE.value, problem_facts={}, read_at=now)
        return
    later = now + timedelta(seconds=min(waited / 2, LONGEST_WAIT_SECONDS))
    still = (Document.id == document_id, Document.state == Reading.READING)
    returned = {"read_attempts": Document.read_attempts - 1, "enqueued_at": later}
    db.session.execute(update(Document).where(*still).values(returned).execution_options(synchronize_session=False))
    db.session.commit()


def _finish(document_id: int, **values: Any) -> None:
    """Save the result, if the document is still `reading`: a second reader that comes later changes nothing."""
    still = (Document.id == document_id, Document.state == Reading.READING)
    db.session.execute(update(Document).where(*still).values(**values).execution_options(synchronize_session=False))
    db.session.commit()


def default_sheet(sheets: list[SheetFacts]) -> SheetFacts | None:
    """Return the sheet that the check page shows first: the first usable visible one, else the first usable one."""
    usable = [facts for facts in sheets if facts.usable]
    return next((facts for facts in usable if not facts.hidden), None) or next(iter(usable), None)


def choice_key(sheet: int, header_row: int, column: int, country: str) -> str:
    """Return the key in Document.checks under which the counts of a choice are kept. Counts of an earlier parser have
    other keys, so that the check page promises what the start will do."""
    return f"{sheet}:{header_row}:{column}:{country}:{PARSER_VERSION}"


def _first_check(sheets: list[SheetFacts], storage: LocalStorage, key: str, country: str) -> dict[str, Any]:
    """Check the guessed choice, so that the check page opens with its counts."""
    first = default_sheet(sheets)
    if first is None:
        return {}
    facts = check_facts(storage.sheet_path(key, first.index), first.header_row, first.number_column, country)
    return {choice_key(first.index, first.header_row, first.number_column, country): facts.to_dict()}
