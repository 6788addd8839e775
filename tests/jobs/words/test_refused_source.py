"""What a file's owner reads while its source refuses the portal, is down or is paused: on its page and in the list."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import select

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs import queries
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.models import ScrapingJob
from portal.jobs.words.statuses import reason_words
from portal.notices.models import Notice
from portal.sources import pause
from portal.sources.base import Answer, SourceBusy, SourceStopped
from tests.support import scenes
from tests.support.sources import CountingSource

MakeJob = Callable[..., ScrapingJob]
NOTIFIED = "The administrators have been notified."


def refused(job: ScrapingJob, counting: CountingSource, error: Exception) -> ScrapingJob:
    """The job after an attempt that the source refused."""

    def refuse(e164: str) -> Answer:
        raise error

    counting.script = refuse
    runner.run(job.id, job.attempt, Conditions(worker="w", lease_seconds=60, backoff=Backoff(base_seconds=600)))
    db.session.refresh(job)
    return job


def said(cause: str) -> str:
    """The sentence for a cause, in alice's language."""
    with force_locale("en"):
        return reason_words(cause)


def page(client: FlaskClient, address: str) -> str:
    return unescape(client.get(address).get_data(as_text=True))


@pytest.mark.parametrize("cause", ["credentials", "no_credit", "blocked", "secret_missing", "source_unknown"])
def test_a_refusal_says_whose_side_it_is_and_what_happens_next(
    as_alice: FlaskClient, alice: User, ada: User, make_job: MakeJob, counting: CountingSource, cause: str
) -> None:
    job = refused(make_job(alice, 3, source="counting"), counting, SourceStopped(cause))
    seen = page(as_alice, f"/jobs/{job.id}")
    assert f"{said(cause)} {NOTIFIED} We will continue automatically once it is fixed" in seen
    for part in ("With the administrators", "We will try the source again:", "Why it waits", "does not use a retry"):
        assert part in seen
    assert "busy" not in seen
    assert said(cause) in page(as_alice, "/")


@pytest.mark.parametrize("cause", ["page_changed", "recipe_broken", "robots_refuse"])
def test_a_broken_recipe_is_explained_to_owner_and_admins(
    as_alice: FlaskClient, alice: User, ada: User, make_job: MakeJob, counting: CountingSource, cause: str
) -> None:
    job = refused(make_job(alice, 3, source="counting"), counting, SourceStopped(cause))
    seen = page(as_alice, f"/jobs/{job.id}")
    assert f"{said(cause)} {NOTIFIED} We will try again automatically" in seen and "Yes, automatically:" in seen
    assert said(cause) in page(as_alice, "/")
    told = db.session.scalars(select(Notice)).all()
    assert [(notice.kind, notice.user_id) for notice in told] == [("source_stopped", ada.id)]


def test_a_file_stopped_by_the_source_only_asks_its_owner_to_wait(
    as_alice: FlaskClient, alice: User, make_job: MakeJob, counting: CountingSource
) -> None:
    job = make_job(alice, 3, source="counting")
    job.max_retries = 0
    db.session.commit()
    refused(job, counting, SourceStopped("page_changed"))
    seen = page(as_alice, f"/jobs/{job.id}")
    assert "Ask an administrator to fix this, then press Retry." in seen and "no answer yet" not in seen


def test_a_source_that_is_down_is_not_called_busy(
    as_alice: FlaskClient, alice: User, make_job: MakeJob, counting: CountingSource
) -> None:
    job = refused(make_job(alice, 3, source="counting"), counting, SourceBusy("source_down", 300))
    seen = page(as_alice, f"/jobs/{job.id}")
    assert (
        f"{said('source_down')} The lookup will continue automatically" in seen
        and "At the source" in seen
        and "Continues:" in seen
    )


def test_a_file_of_a_paused_source_says_so_and_is_not_queued(
    as_alice: FlaskClient, alice: User, ada: User, make_job: MakeJob, counting: CountingSource
) -> None:
    job, other = make_job(alice, 3, source="counting"), make_job(alice, 3)
    before = scenes.page_version(queries.find_job(alice, job.id), utcnow())  # type: ignore[arg-type]
    pause.pause("counting", ada.email, "the bill", utcnow())
    db.session.commit()
    seen = page(as_alice, f"/jobs/{job.id}")
    assert "An administrator has paused the source. The lookup will continue automatically once" in seen
    assert "in the queue" not in seen and ada.email not in seen
    assert "An administrator has paused the source." in page(as_alice, "/")
    assert "next in the queue" in page(as_alice, f"/jobs/{other.id}"), "a paused source's file is not ahead of others"
    again = queries.find_job(alice, job.id)
    assert again is not None
    assert scenes.page_version(again, utcnow()) != before, "a page that is open would not hear of it"
    pause.resume("counting")
    db.session.commit()
    assert "The file is in the queue." in page(as_alice, f"/jobs/{job.id}")


def test_the_cause_is_gone_once_a_worker_takes_the_file(
    alice: User, make_job: MakeJob, counting: CountingSource
) -> None:
    job = refused(make_job(alice, 3, source="counting"), counting, SourceStopped("credentials"))
    assert (job.wait_cause, job.last_error) == ("credentials", None)
    later = utcnow() + timedelta(hours=1)
    taken = ScrapingJob.claim(job.id, job.attempt, later, worker="w", lease_seconds=60)
    assert taken is not None and taken.wait_cause is None


@pytest.mark.parametrize("cause", ["blocked", "source_down"])
@pytest.mark.parametrize("tried", [True, False])
def test_a_file_that_waited_too_long_says_what_its_owner_can_do(
    as_alice: FlaskClient, alice: User, make_job: MakeJob, counting: CountingSource, cause: str, tried: bool
) -> None:
    job = make_job(alice, 3, source="counting")
    if tried:
        refused(job, counting, SourceBusy(cause, 300))
    job.wait_cause, job.waits_since = cause, utcnow() - timedelta(hours=25)
    db.session.commit()
    assert ScrapingJob.stop_waiting(job.id, utcnow() - timedelta(hours=24), utcnow())
    db.session.commit()
    seen = page(as_alice, f"/jobs/{job.id}")
    assert said(cause) in seen and "press Retry" in seen.replace("Press", "press")
    assert "We stopped after 1 attempt" in seen if tried else "The source could not be asked" in seen
    assert "You do not need to do anything" not in seen and "The file had been waiting since" in seen
