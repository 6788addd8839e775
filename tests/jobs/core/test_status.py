"""The statuses and the moves between them."""

import pytest
from sqlalchemy.exc import IntegrityError

from portal.database import db
from portal.jobs.core.status import ENDED, MOVES, RETRYABLE, STOPPABLE, WAITING, Status, may_move, statuses_before


def test_every_status_has_its_line_of_moves() -> None:
    assert set(MOVES) == set(Status)


def test_a_completed_job_moves_only_when_its_cells_are_corrected() -> None:
    assert [after for after in Status if may_move(Status.COMPLETED, after)] == [Status.RETRYING]


def test_a_worker_claims_what_waits_and_nothing_else() -> None:
    assert set(statuses_before(Status.PROCESSING)) == set(WAITING)


def test_stoppable_is_what_may_be_cancelled() -> None:
    assert set(STOPPABLE) == set(statuses_before(Status.CANCELLED))


def test_the_groups_do_not_overlap() -> None:
    assert not set(WAITING) & set(ENDED)
    assert set(RETRYABLE) <= set(ENDED)
    assert {*WAITING, *ENDED, Status.PROCESSING} == set(Status)


def test_the_database_refuses_an_unknown_status(alice, make_job) -> None:
    job = make_job(alice)
    with pytest.raises(IntegrityError):
        db.session.execute(db.text("UPDATE scraping_jobs SET status = 'limbo' WHERE id = :id"), {"id": job.id})
