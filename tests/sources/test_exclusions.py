"""Excluded numbers: never sent to a source, and told apart in the result by list and day."""

from collections.abc import Callable
from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import func, select, text

from portal.accounts import User
from portal.causes import CauseCode
from portal.clock import utcnow
from portal.database import db
from portal.jobs import corrections, queries
from portal.jobs.attempt import exclusion_watch, runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.export import export
from portal.jobs.models import ScrapingJob
from portal.jobs.trials import source_trial
from portal.sources import exclusions
from portal.sources.base import Answer, Outcome
from portal.sources.models import CachedAnswer
from tests.support.cast import NOW, make_document, mobile
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource

DAY = date(2026, 11, 12)


def add(*numbers: str, name: str = "Lista Robinson", **more: str) -> None:
    exclusions.add(name, DAY, {f"+34{one}" for one in numbers}, "ada@example.com", NOW, **more)


def run(job: ScrapingJob) -> Status | None:
    given = Conditions(worker="w", lease_seconds=60, backoff=Backoff(base_seconds=100), clock=lambda: NOW)
    return runner.run(job.id, job.attempt, given)


@ON_BOTH
def test_an_excluded_number_is_not_asked_and_its_row_names_the_list(
    app: Flask, make_job: Callable[..., ScrapingJob], alice: User, counting: CountingSource
) -> None:
    add(mobile(1), mobile(3))
    job = make_job(alice, [mobile(0), mobile(1), f"+34 {mobile(1)}", mobile(2)], source="counting")
    assert run(job) == Status.COMPLETED
    assert set(counting.calls) == {f"+34{mobile(0)}", f"+34{mobile(2)}"}
    db.session.refresh(job)
    assert (job.found_count, job.rejected_count, job.cost) == (2, 2, 0)
    rows = db.session.scalars(select(CellAnswer).order_by(CellAnswer.row_no)).all()
    assert [row.reason for row in rows] == [None, CauseCode.EXCLUDED, CauseCode.EXCLUDED, None]
    assert corrections.fixes_of(job) is None  # there is nothing to correct
    assert queries.excluded(job) == [("Lista Robinson", "2026-11-12", 2)]
    for locale, words in (
        ("es", "Excluido: Lista Robinson, 12/11/2026"),
        ("en", "Excluded: Lista Robinson, Nov 12, 2026"),
    ):
        with force_locale(locale), export(job, app.extensions["storage"], "csv") as file:
            assert file.read().decode("utf-8-sig").count(words) == 2
    assert not db.session.scalars(select(CachedAnswer)).all()
    kept = db.session.execute(text("SELECT * FROM excluded_numbers")).all()
    assert len(kept) == 2 and mobile(1) not in str(kept)


def test_one_that_is_added_while_its_file_is_looked_up_is_not_asked(
    app: Flask, make_job: Callable[..., ScrapingJob], alice: User, counting: CountingSource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(exclusion_watch, "LOOKED_EVERY_SECONDS", 0.0)
    counting.concurrency = 2  # looked up in threads
    job = make_job(alice, 60, source="counting")

    def answer(e164: str) -> Answer:
        if sum(counting.calls.values()) == 1:
            with app.app_context():
                add(mobile(59))
        return Answer(Outcome.FOUND, {"seen": "x"})

    counting.script = answer
    assert run(job) == Status.COMPLETED
    assert sum(counting.calls.values()) == 59 and f"+34{mobile(59)}" not in counting.calls


def test_neither_a_retry_nor_a_trial_asks_about_it(
    app: Flask, make_job: Callable[..., ScrapingJob], alice: User, ada: User, counting: CountingSource
) -> None:
    job = make_job(alice, 2, source="counting")
    counting.script = lambda _: Answer(Outcome.FAILED, reason="temporary")
    assert run(job) == Status.FAILED
    add(mobile(1))
    counting.script = lambda e164: Answer(Outcome.FOUND, {"seen": e164})
    ScrapingJob.retry(job.id, job.round, "a", NOW)
    db.session.commit()
    db.session.refresh(job)
    assert run(job) == Status.COMPLETED and counting.calls[f"+34{mobile(1)}"] == 1
    with pytest.raises(source_trial.RedisAway):
        source_trial.start("counting", f"+34{mobile(1)}", "ada", utcnow())
    source_trial.run(db.session.scalars(select(source_trial.SourceTrial.token)).one())
    trial = db.session.scalars(select(source_trial.SourceTrial)).one().trial
    assert trial is not None and trial["reason"] == CauseCode.EXCLUDED and counting.calls[f"+34{mobile(1)}"] == 1


def test_what_a_source_has_answered_may_be_a_list(
    app: Flask, make_job: Callable[..., ScrapingJob], alice: User, counting: CountingSource
) -> None:
    for n, found in enumerate(("yes", "no")):
        fields = {"excluded": found}
        row = CachedAnswer(source="lista-robinson", e164=f"+34{mobile(n)}", version="1", outcome=Outcome.FOUND)
        row.fields, row.answered_at = fields, NOW
        db.session.add(row)
    add(name="Robinson", source="lista-robinson", field="excluded")
    asked = [f"+34{mobile(n)}" for n in range(2)]
    assert set(exclusions.excluded_among(asked, "counting")) == {asked[0]}
    assert exclusions.excluded_among(asked, "lista-robinson") == {}


def test_a_list_outlives_its_secret_key_only_with_that_key(app: Flask) -> None:
    add(mobile(1))
    number, (old,) = f"+34{mobile(1)}", app.config["SIGNING_KEYS"]
    app.config["SIGNING_KEYS"] = ["another"]
    with pytest.raises(exclusions.ListUnreadable):  # nobody can tell: better no lookup than a wrong one
        exclusions.excluded_among([number], "counting")
    app.config["SIGNING_KEYS"] = [old, "another"]
    exclusions.encrypt_again(app.config["SIGNING_KEYS"])
    app.config["SIGNING_KEYS"] = ["another"]
    assert set(exclusions.excluded_among([number], "counting")) == {number}


def test_a_list_is_added_shown_counted_and_removed(
    app: Flask, as_ada: FlaskClient, as_alice: FlaskClient, alice: User, ada: User, counting: CountingSource
) -> None:
    document = make_document(app, alice, [mobile(0), mobile(1), mobile(1)])
    address = f"/documents/{document.id}?source=counting"
    assert "data-excluded" not in as_alice.get(address).text
    form = {"name": "Lista Robinson", "dated": "2026-11-12", "numbers": f"Ana;{mobile(1)}\nnadie\n+34 {mobile(9)}"}
    for wrong in ({"name": ""}, {"dated": "ayer"}, {"numbers": "nadie"}, {"answers": "no.such"}):
        assert as_ada.post("/admin/exclusions", data={**form, **wrong}).status_code == 422
    assert as_ada.post("/admin/exclusions", data=form).status_code == 303
    assert as_ada.post("/admin/exclusions", data=form).status_code == 422  # the name is taken
    page = as_ada.get("/admin/exclusions").text
    assert "Lista Robinson" in page and mobile(1) not in page
    assert 'data-excluded="1"' in as_alice.get(address).text
    db.session.get_one(User, alice.id).locale = "es"
    db.session.commit()
    assert "1 número excluido, que no se consulta: Lista Robinson, 12/11/2026." in as_alice.get(address).text
    assert as_alice.get("/admin/exclusions").status_code == 404
    as_ada.post("/admin/exclusions/1/remove")
    assert "data-excluded" not in as_alice.get(address).text
    assert db.session.scalar(select(func.count()).select_from(exclusions.ExcludedNumber)) == 0
