"""Files past their days are deleted for good, and only those: not files that run, wait or are kept for their owner."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.accounts import User, set_retention
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.models import Document
from portal.jobs import commands, erasure, queries
from portal.jobs.core import retention
from portal.jobs.core.job_tables import Number
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import expiry, steps
from portal.sources.base import Outcome
from tests.support import cast, scenes
from tests.support.cast import NOW

DAY = timedelta(days=1)
EVER = timedelta(days=4000)


@pytest.fixture(autouse=True)
def thirty_days(app) -> None:
    app.config["RETENTION_DAYS"] = 30


def rows(job: ScrapingJob) -> int:
    return db.session.scalar(select(func.count()).select_from(Number).where(Number.job_id == job.id)) or 0


def keep(person: User, days: int | None) -> None:
    """Set the days as an admin does, in a transaction of its own."""
    person_id = person.id
    db.session.commit()
    set_retention(person_id, days)
    db.session.expire_all()


def stored(app, job: ScrapingJob) -> bool:
    document = db.session.get_one(Document, job.document_id, populate_existing=True)
    return app.extensions["storage"].exists(document.storage_key)


def test_a_job_expires_with_its_file_and_keeps_its_totals(app, alice, make_job) -> None:
    job = scenes.completed(make_job(alice))
    assert retention.deleted_on(job) == NOW + 30 * DAY
    assert steps.sweep(NOW + 30 * DAY - timedelta(seconds=1)).expired == 0
    assert rows(job) == 5 and stored(app, job)
    assert steps.sweep(NOW + 30 * DAY).expired == 1
    job = db.session.get_one(ScrapingJob, job.id, populate_existing=True)
    assert rows(job) == 0 and not stored(app, job)
    assert (job.status, job.found_count, job.expired_at) == (Status.COMPLETED, 5, NOW + 30 * DAY)
    assert queries.find_expired(alice, job.id) is job
    assert steps.sweep(NOW + EVER).expired == 0


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.RETRYING])
def test_what_runs_or_waits_is_never_deleted(status, app, alice, make_job) -> None:
    job = scenes.in_status(make_job(alice), status)
    assert retention.deleted_on(job) is None
    assert list(expiry.expire_jobs(NOW + EVER, app.extensions["storage"])) == []
    assert rows(job) == 5


def test_what_the_portal_will_retry_is_never_deleted(app, alice, make_job) -> None:
    job = scenes.failed(make_job(alice))
    commands.pause(job.id, "alice@example.com", NOW)
    assert list(expiry.expire_jobs(NOW + EVER, app.extensions["storage"])) == []


def test_a_job_retried_at_that_moment_stays(app, alice, make_job) -> None:
    job = scenes.failed(make_job(alice), final=True)
    seen = expiry._past_days(NOW + 31 * DAY)
    commands.retry(job.id, job.round, "alice@example.com", NOW + 31 * DAY)
    (job_id, before), *_ = seen
    assert ScrapingJob.expire(job_id, before, NOW + 31 * DAY) is None


def test_a_persons_own_days_go_before_the_portals(app, alice, bob, ada, make_job) -> None:
    jobs = [scenes.completed(make_job(person)) for person in (alice, bob, ada)]
    keep(alice, 5)
    keep(bob, 0)
    assert [retention.deleted_on(job) for job in jobs] == [NOW + 5 * DAY, None, NOW + 30 * DAY]
    storage = app.extensions["storage"]
    assert [job.id for job in expiry.expire_jobs(NOW + 6 * DAY, storage)] == [jobs[0].id]
    assert [job.id for job in expiry.expire_jobs(NOW + EVER, storage)] == [jobs[2].id]
    keep(bob, None)
    assert [job.id for job in expiry.expire_jobs(NOW + EVER, storage)] == [jobs[1].id]
    for wrong in (-1, 40_000):
        with pytest.raises(ValueError, match="days"):
            keep(bob, wrong)


def test_a_file_stays_while_another_job_of_it_does(app, alice, make_job) -> None:
    old = scenes.completed(make_job(alice))
    document = db.session.get_one(Document, old.document_id)
    choice = SheetChoice(0, 1, (0,), "ES")
    young = scenes.completed(
        commands.start(document, choice, "offline", alice, NOW + 20 * DAY, push=False), NOW + 20 * DAY
    )
    assert steps.sweep(NOW + 31 * DAY).expired == 1
    assert stored(app, young) and rows(young) == 5
    assert steps.sweep(NOW + 51 * DAY).expired == 1
    assert not stored(app, young)


@pytest.mark.parametrize("kept", [0, 3, 30])
def test_a_file_that_was_never_started_goes_after_a_week_at_most(app, alice, kept: int) -> None:
    document = cast.make_document(app, alice, ["612345678"])
    key = document.storage_key
    days = {0: 7, 3: 3, 30: 7}[kept]
    app.config["RETENTION_DAYS"] = kept
    assert retention.unstarted_deleted_on(document) == NOW + days * DAY
    assert list(expiry.expire_unstarted(NOW + (days - 1) * DAY)) == []
    assert steps.sweep(NOW + days * DAY).unstarted == 1
    assert not app.extensions["storage"].exists(key)
    assert not list(app.extensions["storage"].path(key).parent.glob(f"{key}*")), "nor what was derived from it"


def test_the_next_sweep_finishes_an_interrupted_deletion(app, alice, make_job) -> None:
    job = scenes.completed(make_job(alice))

    class Dies:
        def delete(self, key: str) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(expiry.expire_jobs(NOW + 30 * DAY, Dies()))  # type: ignore[arg-type]
    db.session.rollback()
    assert stored(app, job) and rows(job) == 0
    assert len(list(erasure.erase_files(NOW + 30 * DAY, app.extensions["storage"]))) == 1
    assert not stored(app, job)
    assert list(erasure.erase_files(NOW + 30 * DAY, app.extensions["storage"])) == []


def test_with_nothing_set_all_that_was_started_is_kept(app, alice, make_job) -> None:
    app.config["RETENTION_DAYS"] = 0
    job = scenes.completed(make_job(alice))
    swept = steps.sweep(NOW + EVER)
    assert (swept.expired, swept.unstarted) == (0, 0)
    assert retention.deleted_on(job) is None and rows(job) == 5


def test_only_owner_and_admins_find_an_expired_job(app, alice, bob, ada, make_job) -> None:
    job = scenes.claim(make_job(alice))
    scenes.answer(job, [Outcome.FOUND] * 5)
    assert isinstance(alice, User) and queries.find_expired(alice, job.id) is None
    ScrapingJob.complete(job.id, job.attempt, NOW)
    db.session.commit()
    list(expiry.expire_jobs(NOW + EVER, app.extensions["storage"]))
    assert [queries.find_expired(person, job.id) is None for person in (alice, bob, ada)] == [False, True, False]
    assert queries.find_expired(alice, 2**40) is None


def test_a_file_that_cannot_be_deleted_stops_no_other(app, alice, make_job, monkeypatch) -> None:
    storage = app.extensions["storage"]
    stays, goes = scenes.completed(make_job(alice)), scenes.completed(make_job(alice))
    key = db.session.get_one(Document, stays.document_id).storage_key
    delete = storage.delete

    def refuse(asked: str) -> None:
        if asked == key:
            raise PermissionError(asked)
        delete(asked)

    monkeypatch.setattr(storage, "delete", refuse)
    swept = steps.sweep(NOW + 30 * DAY)
    assert (swept.expired, swept.erased) == (2, 1), "each goes, and one file is left"
    assert (stored(app, stays), stored(app, goes)) == (True, False)
    monkeypatch.undo()
    assert steps.sweep(NOW + 31 * DAY).erased == 1 and not stored(app, stays), "as soon as it can be"
