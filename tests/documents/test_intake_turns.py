"""Several intake workers: no document is read twice, and people take turns. alice has uploaded many files, bob one."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.accounts import User
from portal.database import db
from portal.documents import intake
from portal.documents.models import Document, Reading
from portal.documents.reader.limits import ReadLimits
from portal.documents.storage import LocalStorage
from tests.support.databases import ON_BOTH

MakeDocument = Callable[..., int]
LIMITS = ReadLimits()


class CountingStorage(LocalStorage):
    """Counts how often each document's file was opened for reading, and can stop readers on the way."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: Counter[str] = Counter()
        self.on_read: Callable[[str], object] = lambda key: None
        self.lock = threading.Lock()

    def fetch(self, key: str, part: str = "") -> Path:
        with self.lock:
            first = threading.current_thread().name, key
            self.reads[f"{first}"] += 1
        self.on_read(key)
        return super().fetch(key, part)

    def readers(self, key: str) -> int:
        """The number of threads that have read this file."""
        return sum(name.endswith(f"'{key}')") for name in self.reads)


@pytest.fixture
def storage(tmp_path: Path) -> CountingStorage:
    return CountingStorage(tmp_path / "storage")


@pytest.fixture
def upload(app: Flask, storage: CountingStorage, tmp_path: Path, now: datetime) -> MakeDocument:
    def put(user: User, **more: Any) -> int:
        (path := tmp_path / "one.csv").write_text("Tel\n612345678\n")
        with path.open("rb") as file:
            stored = storage.put(file)
        document = Document(
            user_id=user.id, file_name="one.csv", storage_key=stored.key, sha256=stored.sha256,
            size_bytes=stored.size_bytes, created_at=now, enqueued_at=now, **more,
        )  # fmt: skip
        db.session.add(document)
        db.session.commit()
        return document.id

    return put


def read_all(app: Flask, storage: CountingStorage, now: datetime) -> list[int]:
    """What one worker reads until nothing waits."""
    read: list[int] = []
    with app.app_context():
        while (found := intake.read_next(storage, lambda _: LIMITS, lambda: now)) is not None:
            read.append(found)
        db.session.remove()
    return read


@ON_BOTH
def test_two_workers_read_each_document_once(
    app: Flask, alice: User, storage: CountingStorage, upload: MakeDocument, now: datetime
) -> None:
    documents = [upload(alice) for _ in range(6)]
    db.session.rollback()
    storage.reads.clear()
    with ThreadPoolExecutor(2) as pool:
        read = list(pool.map(lambda _: read_all(app, storage, now), range(2)))
    assert sorted(read[0] + read[1]) == documents
    assert all(read), "both have read"
    found = list(db.session.scalars(db.select(Document)))
    assert {each.state for each in found} == {Reading.READY} and {each.read_attempts for each in found} == {1}
    assert [storage.readers(each.storage_key) for each in found] == [1] * 6


@ON_BOTH
def test_people_take_turns(
    app: Flask, alice: User, bob: User, ada: User, storage: CountingStorage, upload: MakeDocument, now: datetime
) -> None:
    hers = [upload(alice) for _ in range(3)]
    his, adas = [upload(bob), upload(bob)], [upload(ada)]
    order: list[int] = []
    for n in range(6):
        found = intake.read_next(storage, lambda _: LIMITS, lambda n=n: now + timedelta(seconds=n))
        assert found is not None
        order.append(found)
    assert order == [hers[0], his[0], adas[0], hers[1], his[1], hers[2]]


@ON_BOTH
def test_a_person_with_a_file_in_work_waits_for_one_with_none(
    app: Flask, alice: User, bob: User, upload: MakeDocument, now: datetime
) -> None:
    upload(alice, read_lease_until=now + timedelta(seconds=60))
    hers, his = upload(alice), upload(bob, read_began_at=now)
    assert intake.next_in_turn(now) == his
    db.session.execute(db.update(Document).where(Document.id == his).values(enqueued_at=now + timedelta(minutes=5)))
    db.session.commit()
    assert intake.next_in_turn(now) == hers, "his machine has failed, and his turn comes later"


@ON_BOTH
@pytest.mark.parametrize("done", [True, False], ids=["done", "still reading"])
def test_a_reader_that_was_overtaken_saves_nothing(
    app: Flask, alice: User, storage: CountingStorage, upload: MakeDocument, now: datetime, done: bool
) -> None:
    """It froze for longer than its lease; another has claimed the document meanwhile."""
    document_id = upload(alice)
    later = now + timedelta(seconds=intake.LEASE_SECONDS + 1)
    overtaken: list[bool] = []

    def freeze(key: str) -> None:
        storage.on_read = lambda key: None
        if done:
            overtaken.append(intake.read_document(document_id, storage, LIMITS, later, "ES"))
        else:
            overtaken.append(intake._claim(document_id, later) is not None)

    storage.on_read = freeze
    assert not intake.read_document(10**6, storage, LIMITS, now)
    assert intake.read_document(document_id, storage, LIMITS, now, "FR")
    document = db.session.get_one(Document, document_id, populate_existing=True)
    assert overtaken == [True] and document.read_claim == 2
    if not done:
        assert document.state == Reading.READING and document.read_at is None
        return
    assert document.read_at == later and [":ES" in key for key in document.checks] == [True], "the second reader's"
    assert intake.next_in_turn(later) is None


def test_a_lease_is_renewed_while_its_file_is_read(
    app: Flask, alice: User, storage: CountingStorage, upload: MakeDocument, now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(intake, "RENEWED_SECONDS", 0)
    document_id = upload(alice)
    seen: list[datetime | None] = []

    def look() -> bool:
        seen.append(db.session.scalar(db.select(Document.read_lease_until).where(Document.id == document_id)))
        db.session.rollback()
        return False

    intake.read_document(document_id, storage, LIMITS, now, stopped=look)
    assert seen and all(until is not None and until > now + timedelta(seconds=intake.LEASE_SECONDS) for until in seen)
