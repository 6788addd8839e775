"""A number that an administrator tries costs as much as in a file: it is counted, and no cap is exceeded by it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from flask_babel import force_locale

from portal.accounts import User
from portal.causes import CauseCode
from portal.clock import utcnow
from portal.database import db
from portal.jobs import one_number
from portal.jobs.attempt import runner as attempts
from portal.jobs.core.spending_tables import NOBODY, CapScope, Reservation, Spending
from portal.jobs.core.status import Status
from portal.jobs.spending import caps, reservations
from portal.jobs.trials import draft_bill, draft_samples, source_trial
from portal.jobs.trials.source_trial import SourceTrial
from portal.sources import catalogue, drafts, exclusions
from portal.sources.drafts import DraftSample
from tests.jobs.attempt.test_budget import LOW, priced, spent
from tests.support.cast import NOW, mobile
from tests.support.databases import ON_BOTH
from tests.support.provider import Answered, Provider
from tests.support.recipes import LOOPBACK

CENT = 10**7
NUMBER = f"+34{mobile(1)}"


@pytest.fixture
def paid(app: Flask, tmp_path: Path) -> Iterator[Provider]:
    """A source that charges a cent for each question."""
    with priced(tmp_path) as server:
        yield server


def trial(user: User, number: str = NUMBER, source: str = "priced") -> SourceTrial:
    """Try a number, and be the worker."""
    with pytest.raises(source_trial.RedisAway):
        source_trial.start(source, number, user.email, utcnow(), user_id=user.id)
    row = db.session.query(SourceTrial).order_by(SourceTrial.asked_at.desc()).first()
    assert row is not None
    source_trial.run(row.token)
    db.session.refresh(row)
    return row


@ON_BOTH
def test_a_trial_is_counted_for_the_person_the_source_and_the_month(ada: User, paid: Provider) -> None:
    row = trial(ada)
    assert row.trial is not None and (row.trial["cost"], row.trial["currency"]) == (CENT, "EUR")
    assert spent() == spent(ada.id) == spent(0, "priced") == spent(ada.id, "priced") == (CENT, 0, 0)
    assert [one.month for one in db.session.query(Spending)] == [reservations.month_of(utcnow())] * 4
    assert not db.session.query(Reservation).all() and len(paid.asked) == 1


@pytest.mark.parametrize("scope", list(CapScope))
def test_a_trial_respects_every_cap_and_says_so(
    scope: CapScope, ada: User, as_ada: FlaskClient, paid: Provider
) -> None:
    whose = {CapScope.PERSON: str(ada.id), CapScope.SOURCE: "priced", CapScope.PORTAL: ""}[scope]
    caps.set_cap(scope, whose, "EUR", CENT, "ada", NOW)
    assert trial(ada).trial
    row = trial(ada, f"+34{mobile(2)}")
    assert row.trial is not None and row.trial["reason"] == CauseCode.CAP_REACHED
    assert len(paid.asked) == 1 and spent() == (CENT, 0, 0)
    page = as_ada.get(f"/admin/sources/priced/try/{row.token}").text
    assert "Nothing was sent." in page and "The spending limit is reached." in page and "/admin/spending#caps" in page


def test_a_source_whose_price_nobody_knows_before_is_not_tried_under_a_cap(ada: User, tmp_path: Path) -> None:
    with priced(tmp_path, 'price = "spent"', lambda _: Answered({"operator": "x", "spent": 0.02})) as server:
        assert trial(ada).trial and spent() == (2 * CENT, 0, 0)
        caps.set_cap(CapScope.PORTAL, "", "EUR", 100 * CENT, "ada", NOW)
        row = trial(ada)
        assert row.trial is not None and row.trial["reason"] == CauseCode.CAP_REACHED and len(server.asked) == 1


def test_a_trial_that_is_lost_counts_as_perhaps_spent(
    ada: User, paid: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(source_trial, "try_source", die)
        patched.setattr("portal.jobs.spending.trial_bill._settle", lambda *_: None)
        with pytest.raises(Killed):
            trial(ada)
    assert spent() == (0, 0, CENT)
    assert not list(reservations.close_lost(utcnow()))
    assert len(list(reservations.close_lost(utcnow() + timedelta(minutes=11)))) == 1
    assert spent() == spent(ada.id, "priced") == (0, CENT, 0)


def test_one_whose_answer_does_not_come_counts_as_perhaps_spent(ada: User, tmp_path: Path) -> None:
    with priced(tmp_path, say=lambda _: Answered("", 200, [("Content-Length", "900")])):
        row = trial(ada)
    assert row.trial is not None and row.trial["unsure"] and spent() == (0, CENT, 0)


def test_a_single_number_is_counted_as_a_file_is(
    app: Flask, alice: User, as_alice: FlaskClient, paid: Provider
) -> None:
    with force_locale("en"):
        job = one_number.look_up(mobile(3), "priced", "ES", alice, app.extensions["storage"], utcnow())
    assert attempts.run(job.id, 0, LOW) == Status.COMPLETED
    assert spent(alice.id, "priced")[0] == CENT
    assert "Cost: €0.01" in as_alice.get(f"/lookups/{job.id}").text


@pytest.fixture
def in_folder(app: Flask, tmp_path: Path) -> Iterator[Provider]:
    """The same source as a recipe in the folder, as the command finds it."""
    with priced(tmp_path) as server:
        catalogue.configure(None, tmp_path, {}, LOOPBACK, keys=app.config["SIGNING_KEYS"])
        yield server
        catalogue.configure(None, tmp_path / "nowhere", {})


def test_the_command_is_counted_as_nobodys_and_respects_lists_and_caps(
    runner: FlaskCliRunner, as_ada: FlaskClient, in_folder: Provider
) -> None:
    done = runner.invoke(args=["source", "try", "priced", mobile(1)])
    assert done.exit_code == 0 and "Coste: 0,01" in done.output
    assert spent() == spent(NOBODY, "priced") == (CENT, 0, 0)
    page = as_ada.get("/admin/spending").text
    assert "Command on the server" in page and "Command on the server" in as_ada.get("/admin/spending.csv").text
    exclusions.add("Robinson", NOW.date(), {f"+34{mobile(2)}"}, "ada", NOW)
    assert runner.invoke(args=["source", "try", "priced", mobile(2)]).exit_code == 1
    caps.set_cap(CapScope.PORTAL, "", "EUR", CENT, "ada", NOW)
    done = runner.invoke(args=["source", "try", "priced", mobile(3)])
    assert done.exit_code == 1 and "límite de gasto" in done.output and len(in_folder.asked) == 1


def ask(token: str, user: User, *numbers: str) -> None:
    """Ask a draft about these numbers, and be the worker."""
    with pytest.raises(source_trial.RedisAway):
        draft_samples.ask(token, [(one, "exists") for one in numbers], user.email, utcnow(), user_id=user.id)
    for row in db.session.query(DraftSample).filter_by(taken_at=None):
        draft_samples.run(row.id)


def test_what_a_draft_asks_is_counted_and_respects_caps(ada: User, in_folder: Provider, tmp_path: Path) -> None:
    token = drafts.create((tmp_path / "my.toml").read_text(), "ada", utcnow())
    ask(token, ada, NUMBER)
    assert spent() == spent(ada.id, "priced") == (CENT, 0, 0)
    exclusions.add("Robinson", NOW.date(), {f"+34{mobile(5)}"}, "ada", NOW)
    caps.set_cap(CapScope.PERSON, str(ada.id), "EUR", CENT, "ada", NOW)
    ask(token, ada, f"+34{mobile(2)}", f"+34{mobile(5)}")
    reasons = [(one.facts or {})["reason"] for one in drafts.samples(token)]
    assert reasons[1:] == [CauseCode.CAP_REACHED, CauseCode.EXCLUDED] and len(in_folder.asked) == 1


FREE = '[cost]\nprice = 0\ncurrency = "EUR"\n'


def without_price(tmp_path: Path) -> str:
    whole = (tmp_path / "my.toml").read_text()
    return whole[: whole.index("[cost]")]


def test_a_draft_asks_nothing_before_it_says_what_a_lookup_costs(
    ada: User, in_folder: Provider, tmp_path: Path
) -> None:
    token = drafts.create(without_price(tmp_path), "ada", utcnow())
    with pytest.raises(draft_bill.NoPrice):
        draft_samples.ask(token, [(NUMBER, "exists")], "ada", utcnow(), user_id=ada.id)
    assert not db.session.query(DraftSample).count()
    drafts.change(token, without_price(tmp_path) + FREE, "ada", utcnow())
    with pytest.raises(source_trial.RedisAway):
        draft_samples.ask(token, [(NUMBER, "exists")], "ada", utcnow(), user_id=ada.id)
    drafts.change(token, without_price(tmp_path), "ada", utcnow())  # as text, before a worker takes it
    draft_samples.run(db.session.query(DraftSample).one().id)
    assert in_folder.asked == [] and spent() == (0, 0, 0)


@ON_BOTH
def test_the_first_questions_of_a_draft_without_a_field_respect_caps(
    ada: User, in_folder: Provider, tmp_path: Path
) -> None:
    text = (tmp_path / "my.toml").read_text()
    start, end = text.index("[fields]"), text.index("[cost]")
    token = drafts.create(text[:start] + text[end:].replace('"found"', '"asked"'), "ada", utcnow())
    caps.set_cap(CapScope.PERSON, str(ada.id), "EUR", 2 * CENT, "ada", NOW)
    ask(token, ada, NUMBER, f"+34{mobile(2)}", f"+34{mobile(3)}")
    assert spent() == spent(ada.id, "priced") == (2 * CENT, 0, 0) and len(in_folder.asked) == 2


@ON_BOTH
def test_what_was_asked_is_booked_anew_as_the_draft_says_in_the_end(
    ada: User, in_folder: Provider, tmp_path: Path
) -> None:
    whole = (tmp_path / "my.toml").read_text()
    token = drafts.create(without_price(tmp_path) + FREE, "ada", utcnow())
    ask(token, ada, NUMBER, f"+34{mobile(7)}")
    ask(token, ada, NUMBER)  # the same once more: it costs once more
    assert spent() == (0, 0, 0) and len(drafts.samples(token)) == 2
    draft_bill.settle(token, ada.id)
    assert spent() == (0, 0, 0)
    drafts.change(token, whole, "ada", utcnow())
    for _ in range(2):
        draft_bill.settle(token, ada.id)
        assert spent() == spent(ada.id, "priced") == (3 * CENT, 0, 0)
    drafts.change(token, whole.replace('"priced"', '"other"').replace("0.01", "0.02"), "ada", utcnow())
    draft_bill.settle(token, ada.id)
    # The answer that was asked for anew is gone, and stays with what it was booked with.
    assert spent() == spent(ada.id, "other") == (5 * CENT, 0, 0) and spent(ada.id, "priced") == (0, 0, 0)
    assert NUMBER[3:] not in str([one.facts for one in db.session.query(DraftSample).filter_by(meaning="replaced")])


def test_the_page_that_offers_books_them(as_ada: FlaskClient, ada: User, in_folder: Provider, tmp_path: Path) -> None:
    token = drafts.create(without_price(tmp_path).replace('"priced"', '"other"') + FREE, "ada", utcnow())
    ask(token, ada, NUMBER)
    form = {"title_es": "x", "title_en": "x", "price": "0,02", "currency": "EUR", "per": "asked"}
    assert as_ada.post(f"/admin/editor/{token}/offer", data=form).status_code == 303
    assert spent(ada.id, "other") == (2 * CENT, 0, 0)
    assert "€0.02" in as_ada.get(f"/admin/editor/{token}/answers").text
