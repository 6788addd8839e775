"""Alice starts several files at the same moment and may start one, on a database where writers do not wait for each
other.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal.accounts import User
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.models import Document
from portal.jobs import commands, one_number
from portal.jobs.models import ScrapingJob
from tests import services
from tests.support import cast

AT_ONCE = 5


@pytest.fixture
def on_postgresql(tmp_path: Path, postgres_server: str) -> Iterator[Flask]:
    with services.new_database(postgres_server) as url:
        app = cast.make_app(tmp_path, DATABASE_URL=url)
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


def at_once(do: Callable[[int], None], ids: list[int]) -> None:
    threads = [threading.Thread(target=do, args=(one,)) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def test_one_number_asked_for_several_times_at_once_is_one_job(on_postgresql: Flask) -> None:
    owner, together, found = cast.make_user("alice@example.com").id, threading.Barrier(AT_ONCE), set[int]()

    def look_up(_: int) -> None:
        with on_postgresql.test_request_context():
            user, storage = db.session.get_one(User, owner), on_postgresql.extensions["storage"]
            together.wait(20)
            found.add(one_number.look_up("612345678", "offline", "ES", user, storage, cast.NOW).id)
            db.session.remove()

    at_once(look_up, list(range(AT_ONCE)))
    there = (
        db.session.query(ScrapingJob).count(),
        db.session.query(Document).filter(Document.deleted_at.is_(None)).count(),
    )
    assert (len(found), *there) == (1, 1, 1)


def test_files_started_at_once_keep_the_daily_limit(on_postgresql: Flask) -> None:
    alice = cast.make_user("alice@example.com")
    alice.files_per_day = 1
    db.session.commit()
    ids = [cast.make_document(on_postgresql, alice, [cast.mobile(n)]).id for n in range(AT_ONCE)]
    owner, together, said = alice.id, threading.Barrier(AT_ONCE), list[str]()

    def start(document_id: int) -> None:
        with on_postgresql.app_context():
            document, user = db.session.get_one(Document, document_id), db.session.get_one(User, owner)
            together.wait(20)
            try:
                commands.start(document, SheetChoice(0, 1, (0,), "ES"), "offline", user, cast.NOW, push=False)
                said.append("started")
            except commands.CannotStart as error:
                said.append(error.code)
            finally:
                db.session.remove()

    at_once(start, ids)
    assert sorted(said) == ["files_spent"] * (AT_ONCE - 1) + ["started"]
    assert db.session.query(ScrapingJob).count() == 1
