"""One person's counting of choices does not take the pages from others. alice makes many choices at once, bob one."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User, start_session
from portal.clock import utcnow
from portal.database import db
from portal.documents import preview
from portal.documents.check import CheckFacts
from tests.support import cast

CODES = ["FR", "DE", "IT", "PT", "GB", "US", "MX", "AR", "CL", "CO", "PE", "BR", "NL", "BE"]
PATIENCE_SECONDS = 60.0
NUMBERS = ["+34 612 34 56 78", "030 1234567"]


class HeldCounting:
    """Counts a choice as the page does; in alice's threads it begins only once it is let go."""

    def __init__(self) -> None:
        self.real = preview.check_facts
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.under_way, self.most, self.lock = 0, 0, threading.Lock()

    def __call__(self, *given: Any) -> CheckFacts:
        if threading.current_thread() is threading.main_thread():  # bob's
            return self.real(*given)
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.begun.set()
        assert self.let_go.wait(PATIENCE_SECONDS)
        with self.lock:
            self.under_way -= 1
        return self.real(*given)


@pytest.fixture
def held(app: Flask, monkeypatch: pytest.MonkeyPatch) -> HeldCounting:
    preview._figures.cache_clear()
    counting = HeldCounting()
    monkeypatch.setattr(preview, "check_facts", counting)
    monkeypatch.setattr(preview, "_LONGEST_WAIT_SECONDS", 2 * PATIENCE_SECONDS)
    return counting


def browsers(app: Flask, user: User, count: int) -> list[FlaskClient]:
    person = User(id=user.id, auth_epoch=user.auth_epoch)
    db.session.rollback()  # on SQLite our own transaction would keep the new session waiting
    token = start_session(person, utcnow())
    made = [app.test_client() for _ in range(count)]
    for browser in made:
        with browser.session_transaction() as kept:
            kept.update(_user_id=token, _fresh=True)
    return made


def test_many_choices_of_one_person_leave_the_pages_to_others(
    app: Flask, alice: User, bob: User, held: HeldCounting
) -> None:
    hers, his = (f"/documents/{cast.make_document(app, user, NUMBERS).id}?country=" for user in (alice, bob))
    of_alice, (of_bob,) = browsers(app, alice, len(CODES)), browsers(app, bob, 1)
    with ThreadPoolExecutor(len(CODES)) as pool:
        try:
            asked = [pool.submit(browser.get, hers + code) for browser, code in zip(of_alice, CODES, strict=True)]
            # One is being counted and one waits for it: all the others have their answer already.
            refused = [each.result() for each in islice(as_completed(asked, PATIENCE_SECONDS), len(CODES) - 2)]
            assert {each.status_code for each in refused} == {503}
            assert all("busy" in each.text and each.headers["Retry-After"] for each in refused)
            assert held.begun.wait(PATIENCE_SECONDS)
            assert of_bob.get(his + "CH").status_code == 200
            browsers(app, bob, 1)  # and no lock of the database is held meanwhile: his next session is written
            assert held.under_way == 1
        finally:
            held.let_go.set()
        answers = sorted(each.result().status_code for each in asked)
    assert answers == [200, 200] + [503] * len(refused) and held.most == 1
    assert of_alice[0].get(hers + CODES[0]).status_code == 200, "once the others are done, it is counted"


def test_the_choice_after_the_one_being_counted_waits_for_it(app: Flask, alice: User, held: HeldCounting) -> None:
    document_id = cast.make_document(app, alice, NUMBERS).id
    two = browsers(app, alice, 2)
    with ThreadPoolExecutor(2) as pool:
        try:
            asked = [
                pool.submit(browser.get, f"/documents/{document_id}?country={code}")
                for browser, code in zip(two, CODES, strict=False)
            ]
            assert held.begun.wait(PATIENCE_SECONDS)
        finally:
            held.let_go.set()
        assert [each.result().status_code for each in asked] == [200, 200]
    assert held.most == 1
