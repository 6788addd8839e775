"""An administrator lets many files go on with their next source: the cost is said before, and each goes once."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.audit import AuditEntry
from portal.causes import CauseCode
from portal.database import db
from portal.jobs import source_pause
from portal.jobs.attempt import runner
from portal.jobs.core import derived
from portal.jobs.core.derived import Action
from portal.jobs.core.status import RETRYABLE, Status
from portal.jobs.models import ScrapingJob
from portal.jobs.queries import with_source_pauses
from tests.jobs.attempt.test_steps import asked, given, then
from tests.jobs.attempt.test_steps_money import priced
from tests.support.cast import NOW
from tests.support.databases import ON_BOTH
from tests.web.admin.test_bulk import figures
from tests.web.admin.test_jobs import told


@pytest.fixture
def dear(tmp_path: Path) -> Iterator[None]:
    with priced(tmp_path, "dear", "0.05"), asked(first="+", other="+"):
        yield


@ON_BOTH
def test_files_that_wait_for_a_source_go_on_together(app, as_ada, alice, bob, make_job, dear) -> None:
    held = [make_job(who, 4, source="first", then=[then("dear")]) for who in (alice, bob)]
    others = [make_job(alice, source="first"), make_job(alice, source="other", then=[then("dear")])]
    source_pause.pause_source("first", "ada@example.com", None, NOW)
    assert 'value="skip_source"' in as_ada.get("/admin/jobs").text
    page = as_ada.post("/admin/jobs/plan", data={"verb": "skip_source", "all": "1"}).text
    assert figures(page) == {"to-move": "2", "to-skip": "2"} and "may charge up to €0.40" in page
    ids = ",".join(str(job.id) for job in (*held, *others))
    assert figures(as_ada.post("/admin/jobs/plan", data={"verb": "skip_source", "ids": ids}).text) == figures(page)
    said = told(as_ada, "/admin/jobs/next-source", ids=ids, why="the key has expired")
    assert "2 files go on with their next source" in said and "2 × does not wait for a source" in said
    for job in (*held, *others):
        db.session.refresh(job)
    assert [job.source for job in (*held, *others)] == ["dear", "dear", "first", "other"]
    assert [one.verb for one in db.session.scalars(select(AuditEntry)) if one.verb == "skip_source"] == [
        "skip_source"
    ] * 2
    assert "0 files go on" in told(as_ada, "/admin/jobs/next-source", ids=ids)  # pressed twice
    assert [job.step for job in held] == [2, 2]
    assert runner.run(held[0].id, 0, given()) == Status.COMPLETED or held[0].status in RETRYABLE


def test_what_the_page_offers_is_what_the_database_allows(alice, make_job, dear) -> None:
    """`derived.actions` of one job, and `held_up` of many, for each way in which a job can stand."""
    job = make_job(alice, 4, source="first", then=[then("dear")])
    source_pause.pause_source("other", "ada@example.com", None, NOW)
    causes = [None, CauseCode.SOURCE_DOWN, CauseCode.NO_CREDIT, CauseCode.CAP_REACHED, CauseCode.STARTS_LATER,
              CauseCode.SOURCE_SKIPPED, CauseCode.TURN]  # fmt: skip
    offered = 0
    for status, cause, paused, step, source in product(Status, causes, (None, NOW), (1, 2), ("first", "other")):
        values = {"status": status, "wait_cause": cause, "last_error": cause, "paused_at": paused, "step": step,
                  "source": source, "lease_until": None}  # fmt: skip
        db.session.execute(db.update(ScrapingJob).values(values))
        found = db.session.scalar(select(ScrapingJob.id).where(*ScrapingJob.held_up())) is not None
        db.session.refresh(job)
        offers = Action.SKIP_SOURCE in derived.actions(with_source_pauses([job])[0])
        assert offers is found, values
        offered += offers
    assert 10 < offered < 100
    db.session.rollback()
