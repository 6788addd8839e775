"""A waiting document is read once, becomes ready or refused, and its counts are kept."""

import errno
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from portal.accounts import User
from portal.database import db
from portal.documents.check import CheckFacts
from portal.documents.choice import SheetChoice
from portal.documents.intake import MAX_READ_ATTEMPTS, read_document
from portal.documents.models import Document, Reading
from portal.documents.preview import (
    COLUMN_UNKNOWN,
    COUNTRY_UNKNOWN,
    HEADER_UNKNOWN,
    MOST_COLUMNS,
    NO_COLUMN,
    SHEET_UNKNOWN,
    TOO_MANY_COLUMNS,
    choice_problem,
)
from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.parent import ReadingFailed, SheetFacts
from portal.documents.storage import LocalStorage
from tests.documents import hostile
from tests.documents.sheets import xlsx
from tests.support.databases import change_beside

LINES = [["Nombre", "Teléfono"], ["Ana", 612345678], ["Luis", "no"], ["Eva", "0034612345678"], ["Leo", "698765432"]]


class WatchedStorage(LocalStorage):
    """A storage that calls the test's function while a document is being read."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def path(self, key: str, part: str = "") -> Path:
        if part:
            self.meanwhile()
        return super().path(key, part)


@pytest.fixture
def storage(tmp_path: Path) -> WatchedStorage:
    return WatchedStorage(tmp_path / "storage")


@pytest.fixture
def upload(alice: User, storage: WatchedStorage, now: datetime) -> Callable[[Path], int]:
    def put(path: Path) -> int:
        with path.open("rb") as file:
            stored = storage.put(file)
        document = Document(
            user_id=alice.id, file_name=path.name, storage_key=stored.key, sha256=stored.sha256,
            size_bytes=stored.size_bytes, created_at=now,
        )  # fmt: skip
        db.session.add(document)
        db.session.commit()
        return document.id

    return put


def found(document_id: int) -> Document:
    db.session.expire_all()
    document = db.session.get(Document, document_id)
    assert document is not None
    return document


def test_a_good_file_becomes_ready(
    tmp_path: Path, upload: Callable[[Path], int], storage: WatchedStorage, now: datetime
) -> None:
    document_id = upload(xlsx(tmp_path / "clientes.xlsx", LINES, [["tel"], [612345678]]))
    read_document(document_id, storage, ReadLimits(), now)
    document = found(document_id)
    assert (document.state, document.problem, document.read_at, document.read_attempts) == (Reading.READY, None, now, 1)
    assert [facts["name"] for facts in document.sheets] == ["Hoja1", "Hoja2"]
    assert document.checks[SheetChoice(0, 1, (1,), "ES").key]["to_look_up"] == 2
    assert CheckFacts.from_dict(document.checks[SheetChoice(0, 1, (1,), "ES").key]).bad_rows == [
        (3, "no", "not_a_number", (), 1)
    ]


def test_a_hostile_file_is_refused(
    tmp_path: Path, upload: Callable[[Path], int], storage: WatchedStorage, now: datetime
) -> None:
    document_id = upload(hostile.make(tmp_path, "tiny_rows.xlsx"))
    read_document(document_id, storage, ReadLimits(), now)
    document = found(document_id)
    assert (document.state, document.problem, document.sheets) == (Reading.REFUSED, "unsafe", [])


def test_a_refusal_keeps_its_facts(
    tmp_path: Path, upload: Callable[[Path], int], storage: WatchedStorage, now: datetime
) -> None:
    document_id = upload(xlsx(tmp_path / "clientes.xlsx", LINES))
    read_document(document_id, storage, ReadLimits(max_rows=3), now)
    document = found(document_id)
    assert (document.problem, document.problem_facts) == ("too_many_rows", {"rows": 4, "limit": 3})


def test_only_a_waiting_document_is_read(
    tmp_path: Path, upload: Callable[[Path], int], storage: WatchedStorage, now: datetime
) -> None:
    document_id = upload(xlsx(tmp_path / "clientes.xlsx", LINES))
    document = found(document_id)
    document.deleted_at = now
    db.session.commit()
    read_document(document_id, storage, ReadLimits(), now)
    read_document(999_999, storage, ReadLimits(), now)
    assert (found(document_id).state, found(document_id).read_attempts) == (Reading.READING, 0)


def test_reading_does_not_block_other_writers(
    app: Flask, tmp_path: Path, upload: Callable[[Path], int], storage: WatchedStorage, now: datetime
) -> None:
    document_id = upload(xlsx(tmp_path / "clientes.xlsx", LINES))
    wrote = []

    def write() -> None:
        change_beside("UPDATE users SET time_zone = 'Europe/Madrid'")
        wrote.append(1)

    storage.meanwhile = write
    read_document(document_id, storage, ReadLimits(), now)
    assert wrote
    assert found(document_id).state is Reading.READY


def test_a_second_reader_changes_nothing(
    tmp_path: Path, upload: Callable[[Path], int], storage: WatchedStorage, now: datetime
) -> None:
    document_id = upload(xlsx(tmp_path / "clientes.xlsx", LINES))

    def refuse() -> None:
        change_beside("UPDATE documents SET state = 'refused', problem = 'damaged'")

    storage.meanwhile = refuse
    read_document(document_id, storage, ReadLimits(), now)
    assert (found(document_id).state, found(document_id).problem) == (Reading.REFUSED, "damaged")
    assert found(document_id).sheets == []


def test_a_file_is_refused_after_three_tries(
    tmp_path: Path, upload: Callable[[Path], int], storage: WatchedStorage, now: datetime
) -> None:
    document_id = upload(xlsx(tmp_path / "clientes.xlsx", LINES))
    broken_machine = ReadLimits(base_memory_bytes=1, max_rows=1)
    for attempt in range(1, MAX_READ_ATTEMPTS + 1):
        with pytest.raises(ReadingFailed):
            read_document(document_id, storage, broken_machine, now)
        assert (found(document_id).state, found(document_id).read_attempts) == (Reading.READING, attempt)
    read_document(document_id, storage, broken_machine, now)
    assert (found(document_id).state, found(document_id).problem) == (Reading.REFUSED, "unsafe")


def test_choices_that_a_document_does_not_have(
    tmp_path: Path, upload: Callable[[Path], int], storage: WatchedStorage, now: datetime
) -> None:
    document_id = upload(xlsx(tmp_path / "clientes.xlsx", LINES, [["tel"], *([[612345678]] * 9)]))
    read_document(document_id, storage, ReadLimits(max_rows=5), now)
    document = found(document_id)
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    assert (
        choice_problem(sheets, SheetChoice(0, 1, (1,), "ES"))
        is choice_problem(sheets, SheetChoice(0, 0, (0, 1), "PT"))
        is None
    )
    for sheet, header_row, column, country, problem in (
        (-1, 1, 1, "ES", SHEET_UNKNOWN), (2, 1, 1, "ES", SHEET_UNKNOWN), (1, 1, 0, "ES", SHEET_UNKNOWN),
        (0, -1, 1, "ES", HEADER_UNKNOWN), (0, 5, 1, "ES", HEADER_UNKNOWN),
        (0, 1, 2, "ES", COLUMN_UNKNOWN), (0, 1, -1, "ES", COLUMN_UNKNOWN),
        (0, 1, 1, "XX", COUNTRY_UNKNOWN), (0, 1, 1, "es", COUNTRY_UNKNOWN),
    ):  # fmt: skip
        assert choice_problem(sheets, SheetChoice(sheet, header_row, (column,), country)) == problem
    assert choice_problem(sheets, SheetChoice(0, 1, (), "ES")) == NO_COLUMN
    assert choice_problem(sheets, SheetChoice(0, 1, (1, 2), "ES")) == COLUMN_UNKNOWN
    wide = [SheetFacts(0, "a", rows=9, columns=99)]
    assert choice_problem(wide, SheetChoice(0, 1, tuple(range(MOST_COLUMNS)), "ES")) is None
    assert choice_problem(wide, SheetChoice(0, 1, tuple(range(MOST_COLUMNS + 1)), "ES")) == TOO_MANY_COLUMNS


def _away(storage: WatchedStorage, document: Document) -> Callable[[], object]:
    """The file is on another machine, for the time being."""
    path = storage.path(document.storage_key)
    path.rename(elsewhere := path.with_name("elsewhere"))
    return lambda: elsewhere.rename(path)


def _full(storage: WatchedStorage, document: Document) -> Callable[[], object]:
    """The disk is full: no folder for the sheets can be made."""

    def raises() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    storage.meanwhile = raises  # type: ignore[method-assign]
    return lambda: setattr(storage, "meanwhile", lambda: None)


@pytest.mark.parametrize("fault", [_away, _full, None], ids=["file-away", "disk-full", "deploy"])
def test_a_fault_of_the_machine_uses_no_try(
    tmp_path: Path,
    upload: Callable[[Path], int],
    storage: WatchedStorage,
    now: datetime,
    fault: Callable[[WatchedStorage, Document], Callable[[], object]] | None,
) -> None:
    document_id = upload(xlsx(tmp_path / "clientes.xlsx", LINES))
    mend = fault(storage, found(document_id)) if fault else lambda: None
    waits = []
    for minutes in range(2 * MAX_READ_ATTEMPTS):
        at = now + timedelta(minutes=10 * minutes)
        with pytest.raises((ReadingFailed, OSError)):
            read_document(document_id, storage, ReadLimits(), at, stopped=lambda: fault is None)
        document = found(document_id)
        assert (document.state, document.read_attempts) == (Reading.READING, 0)
        assert document.enqueued_at
        waits.append(document.enqueued_at - at)
    assert waits == sorted(waits) and waits[-1] > timedelta(minutes=10)
    mend()
    read_document(document_id, storage, ReadLimits(), now)
    assert found(document_id).state == Reading.READY


def test_no_file_waits_for_its_machine_for_ever(
    tmp_path: Path, upload: Callable[[Path], int], storage: WatchedStorage, now: datetime
) -> None:
    document_id = upload(xlsx(tmp_path / "clientes.xlsx", LINES))
    _away(storage, found(document_id))
    with pytest.raises(OSError):
        read_document(document_id, storage, ReadLimits(), now + timedelta(hours=25))
    assert (found(document_id).state, found(document_id).problem) == (Reading.REFUSED, "machine")
