"""Whose job is next: people take turns, nobody's long files hold all workers, and the page counts who is ahead."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.database import db
from portal.jobs import lost_shares, shares, turns
from portal.jobs.core.job_tables import AttemptEnd
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from tests.support.cast import NOW, hold, make_job, make_user
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource

pytestmark = ON_BOTH
SECOND = timedelta(seconds=1)
LONG = 6001  # numbers that take the counting source more than a minute
ANY = 99


def queued(app: Flask, owner: User, numbers: int = 2, left: int | None = None, **changes: Any) -> ScrapingJob:
    """A job in the queue, with so many numbers left."""
    job = make_job(app, owner, numbers, source="counting")
    job.total_numbers = left if left is not None else numbers
    for name, value in {"enqueued_at": NOW, **changes}.items():
        setattr(job, name, value)
    db.session.commit()
    return job


def taken(now: datetime, limit: int = ANY) -> ScrapingJob | None:
    """The job that a worker takes now."""
    chosen = turns.next_job(now, limit)
    if chosen is None:
        return None
    job = ScrapingJob.claim(chosen.job_id, chosen.attempt, now, worker="w", lease_seconds=60)
    db.session.commit()
    assert job is not None
    return job


def ended(job: ScrapingJob, now: datetime) -> None:
    ScrapingJob.time_out_by_hand(job.id, "ada@example.com", "done", now, Backoff())
    db.session.commit()


def owners(count: int) -> list[str]:
    """Whose jobs one worker takes, one after the other, each to its end."""
    order = []
    for n in range(count):
        now = NOW + n * SECOND
        if (job := taken(now)) is None:
            break
        order.append(job.user.email[0])
        ended(job, now)
    return order


def test_people_take_turns_however_many_files_one_has(app: Flask, alice: User, bob: User, counting: Any) -> None:
    for _ in range(5):
        queued(app, alice)
    for _ in range(2):
        queued(app, bob)
    assert "".join(owners(9)) == "ababaaa"


def test_a_job_is_left_to_the_machine_that_offers_its_source(
    app: Flask, alice: User, bob: User, counting: CountingSource
) -> None:
    there, here = queued(app, alice, put_first_at=NOW), queued(app, bob)
    there.source = "elsewhere"
    db.session.commit()
    chosen = turns.next_job(NOW, ANY, elsewhere=["elsewhere"])
    assert chosen is not None and chosen.job_id == here.id
    claimed = ScrapingJob.claim(there.id, there.attempt, NOW, worker="other:1", lease_seconds=60)
    assert claimed is not None
    shares.hold(claimed, "other:1", NOW, 60)
    there.next_no = 1  # it has numbers that nobody has taken yet
    ScrapingJob.claim(here.id, here.attempt, NOW, worker="w", lease_seconds=60)
    db.session.commit()
    assert turns.next_job(NOW, ANY) is None, "nor does this machine join it there"


def test_who_comes_later_does_not_wait_for_all_files_of_another(
    app: Flask, alice: User, bob: User, counting: Any
) -> None:
    for _ in range(4):
        queued(app, alice)
    assert owners(1) == ["a"]
    queued(app, bob)
    job = taken(NOW + SECOND)
    assert job is not None and job.user_id == bob.id


def test_a_person_whose_files_have_workers_comes_after_one_without(
    app: Flask, alice: User, bob: User, counting: Any
) -> None:
    for owner in (bob, alice, alice):
        queued(app, owner)
    assert [job.user.email[0] for n in range(3) if (job := taken(NOW + n * SECOND))] == ["a", "b", "a"]


def test_of_one_persons_files_interrupted_then_small_and_nearly_finished_ones_are_first(
    app: Flask, alice: User, counting: Any
) -> None:
    large = queued(app, alice, left=500)
    nearly = queued(app, alice, left=400)
    nearly.processed_numbers = 395
    small = queued(app, alice, left=30)
    lost, stopped = queued(app, alice, left=900), queued(app, alice, left=950)
    for job, end in ((lost, AttemptEnd.LOST), (stopped, None)):
        ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=1)
        if end:
            ScrapingJob.lose(job.id, 1, NOW + 2 * SECOND, Backoff())
        else:
            ScrapingJob.hand_back(job.id, 1, "restart", NOW)
        job.enqueued_at = NOW
    db.session.commit()
    order = []
    for n in range(5):
        job = taken(NOW + (n + 3) * SECOND)
        assert job is not None
        order.append(job.id)
        ended(job, NOW + (n + 3) * SECOND)
    assert order == [job.id for job in (lost, stopped, nearly, small, large)]


def test_long_files_of_one_person_leave_a_worker_to_others(
    app: Flask, alice: User, bob: User, counting: CountingSource
) -> None:
    for _ in range(3):
        queued(app, alice, left=LONG)
    assert [bool(taken(NOW, limit=2)) for _ in range(3)] == [True, True, False]
    short = queued(app, alice, left=10)
    assert (taken(NOW, limit=2) or short).id == short.id and short.status == Status.PROCESSING, "a short one may"
    theirs = queued(app, bob, left=LONG)
    assert (taken(NOW, limit=2) or short).id == theirs.id


def test_no_file_is_taken_that_nobody_pushed_or_that_has_to_wait(app: Flask, alice: User, counting: Any) -> None:
    queued(app, alice, enqueued_at=None)  # a terminal's own
    queued(app, alice, paused_at=NOW)
    queued(app, alice, not_before=NOW + SECOND)
    queued(app, alice, deleted_at=NOW)
    assert turns.next_job(NOW, ANY) is None
    assert turns.next_job(NOW + SECOND, ANY) is not None


def test_an_admin_puts_a_file_first(
    app: Flask, alice: User, bob: User, ada: User, counting: Any, as_ada: FlaskClient, as_alice: FlaskClient
) -> None:
    first, second = queued(app, alice, left=LONG), queued(app, bob)
    put = queued(app, alice, left=LONG)
    assert f"/jobs/{put.id}/put-first" in as_ada.get(f"/jobs/{put.id}").get_data(as_text=True)
    assert as_alice.post(f"/jobs/{put.id}/put-first").status_code in (403, 404)
    assert as_ada.post(f"/jobs/{put.id}/put-first").status_code == 303
    db.session.refresh(put)
    put.enqueued_at = NOW  # there is no Redis here
    db.session.commit()
    assert put.put_first_at is not None and turns.jobs_ahead(put, NOW) == 0
    assert {turns.jobs_ahead(job, NOW) for job in (first, second)} == {1, 2}
    job = taken(NOW, limit=0)
    assert job is not None and job.id == put.id and job.put_first_at is None, "over the limit too"


def test_only_a_job_that_a_worker_could_take_is_in_the_queue(app: Flask, alice: User, counting: Any) -> None:
    held, paused, later = queued(app, alice), queued(app, alice, paused_at=NOW), queued(app, alice)
    behind = queued(app, alice)
    assert ScrapingJob.claim(held.id, 0, NOW, worker="w", lease_seconds=60)
    later.not_before = NOW + SECOND
    db.session.commit()
    assert [turns.jobs_ahead(job, NOW) for job in (held, paused, later, behind)] == [None, None, None, 0]
    assert [turns.jobs_ahead(job, NOW + SECOND) for job in (later, behind)] == [0, 1]


@pytest.mark.parametrize("seed", range(4))
def test_the_page_counts_those_who_are_really_ahead(
    app: Flask, alice: User, bob: User, counting: Any, seed: int
) -> None:
    drawn = random.Random(seed)
    carol = make_user("carol@example.com")
    jobs = [queued(app, drawn.choice((alice, alice, bob, carol)), left=drawn.randint(2, 50)) for _ in range(9)]
    drawn.choice(jobs).put_first_at = NOW
    db.session.commit()
    said = {job.id: turns.jobs_ahead(job, NOW) for job in jobs}
    order = []
    for n in range(len(jobs)):
        job = taken(NOW + n * SECOND)
        assert job is not None
        order.append(job.id)
        ended(job, NOW + n * SECOND)
    assert said == {job_id: place for place, job_id in enumerate(order)}
    assert turns.jobs_ahead(jobs[0], NOW) is None


@pytest.mark.parametrize(
    ("workers", "running", "ahead", "later", "seconds"),
    [
        (2, [("a", 6000)], [], 0, 0),  # one is free
        (1, [("a", 500)], [], 0, 5),  # 100 a second
        (1, [("a", 90_000)], [], 0, 60),  # it gives way after its turn
        (1, [("a", 90_000)], [], 45, 15),
        (1, [("c", 9000)], [], 0, 90),  # but not to its own person's
        (1, [("a", 1000)], [("b", 10), ("a", 1000)], 0, 10.1),
        (2, [("a", 1000), ("b", 2000)], [("b", 10), ("b", 3000)], 0, 10),
        (0, [], [], 0, None),
    ],
)
def test_the_page_says_when_a_file_starts(app, counting, workers, running, ahead, later, seconds) -> None:
    people = {name: make_user(f"{name}@example.com") for name in "abc"}
    for name, left in running:
        job = queued(app, people[name], left=left)
        assert taken(NOW)
        hold(job)
    for name, left in ahead:
        queued(app, people[name], left=left)
    mine = queued(app, people["c"], left=20_000)
    said = turns.starts_in_seconds(mine, NOW + later * SECOND, workers, limit=ANY)
    assert said == (pytest.approx(seconds) if seconds is not None else None)
    short = turns.starts_in_seconds(queued(app, people["c"], left=5), NOW, 2, limit=1)
    assert short is not None and (said is None or short <= said + later)


def test_a_message_whose_job_had_to_give_way_is_made_up_for(
    app: Flask, alice: User, counting: Any, monkeypatch
) -> None:
    """The queue is empty and a job waits: whoever ends a job pushes the next."""
    from portal.jobs.worker import tasks

    pushed: list[int] = []
    monkeypatch.setattr(tasks, "push_job", lambda job_id, now: pushed.append(job_id))
    job = queued(app, alice)
    monkeypatch.setattr(tasks, "queue_is_empty", lambda name: False)
    tasks.ring_for_the_next(NOW, tasks.look_around(NOW))
    monkeypatch.setattr(tasks, "queue_is_empty", lambda name: True)
    tasks.ring_for_the_next(NOW, tasks.look_around(NOW))
    assert pushed == [job.id]


def test_how_many_workers_one_person_may_have(app: Flask) -> None:
    from portal.jobs.worker import tasks

    assert tasks.look_around(NOW).limit_of_one_person == 1
    app.config["PORTAL_WORKERS_PER_PERSON"] = 5
    assert tasks.look_around(NOW).limit_of_one_person == 5


# ── several workers on one file ─────────────────────────────────────────────────────────────────────────────────────


def under_way(app: Flask, owner: User, left: int = LONG) -> ScrapingJob:
    """A job that one worker has, with so many numbers left."""
    job = queued(app, owner, left=left)
    assert taken(NOW) is not None
    db.session.refresh(job)
    hold(job)
    return job


def to_join(limit: int = ANY) -> int | None:
    """The job that a free worker joins now."""
    chosen = turns.next_job(NOW, limit)
    return chosen.job_id if chosen and chosen.join else None


def joined(job: ScrapingJob) -> None:
    assert shares.join(job.id, job.attempt, NOW, worker="another", lease_seconds=60, most=None)
    db.session.commit()


def test_a_free_worker_joins_a_long_file_when_none_waits(app, alice, bob, counting) -> None:
    job = under_way(app, alice)
    assert to_join() == job.id
    waiting = queued(app, bob)
    chosen = turns.next_job(NOW, ANY)
    assert chosen and (chosen.job_id, chosen.join) == (waiting.id, False), "a file that waits goes first"


def test_nobody_joins_what_is_nearly_done_has_its_share_or_is_to_end(app, alice, counting) -> None:
    job = under_way(app, alice)
    assert to_join(limit=1) is None, "one person's long files leave a worker to others"
    for changes in ({"total_numbers": 50}, {"not_before": NOW + SECOND}, {"paused_at": NOW}, {"next_no": None}):
        before = {name: getattr(job, name) for name in changes}
        for name, value in changes.items():
            setattr(job, name, value)
        db.session.commit()
        assert to_join() is None, changes
        for name, value in before.items():
            setattr(job, name, value)
        db.session.commit()
    assert to_join() == job.id


def test_a_source_says_how_many_workers_it_takes(app, alice, counting, monkeypatch) -> None:
    job = under_way(app, alice)
    monkeypatch.setattr(turns.sources, "most_workers", lambda _: 2)
    assert to_join() == job.id
    joined(job)
    assert to_join() is None


def test_a_share_whose_worker_was_lost_is_a_reason_to_join(app, alice, counting) -> None:
    job = under_way(app, alice)
    lost = shares.join(job.id, job.attempt, NOW, worker="lost", lease_seconds=1, most=None)
    assert lost and shares.take(lost, None, NOW, 1)
    db.session.commit()
    assert to_join() is None, "each number was given out"
    assert [one.worker for one in lost_shares.take_back_lost(NOW + 2 * SECOND)] == ["lost"]
    assert to_join() == job.id


def test_a_worker_leaves_a_file_of_many_for_somebody_who_has_none(app, alice, bob, counting) -> None:
    job = under_way(app, alice)
    joined(job)
    later = NOW + 3 * SECOND
    assert not turns.is_needed_elsewhere(job.id, job.attempt, later)
    queued(app, bob)
    assert turns.is_needed_elsewhere(job.id, job.attempt, later)
    assert not turns.is_needed_elsewhere(job.id, job.attempt, NOW), "a free worker takes it sooner"


def test_a_worker_leaves_a_file_of_many_for_an_interrupted_one_of_the_same_person(app, alice, counting) -> None:
    """Two long files lose their workers in a crash; the first that is taken back would have all until its end."""
    interrupted = queued(app, alice, left=LONG)
    assert taken(NOW) is not None
    ScrapingJob.lose(interrupted.id, 1, NOW + 61 * SECOND, Backoff())
    db.session.commit()
    other = queued(app, alice, left=LONG)
    ScrapingJob.claim(other.id, 0, NOW, worker="w", lease_seconds=60)
    db.session.commit()
    db.session.refresh(other)
    hold(other)
    later = NOW + 65 * SECOND
    assert not turns.is_needed_elsewhere(other.id, other.attempt, later), "it has one worker only"
    joined(other)
    assert not turns.is_needed_elsewhere(other.id, other.attempt, later), "nobody has pushed it"
    db.session.refresh(interrupted)
    interrupted.enqueued_at = NOW + 62 * SECOND
    db.session.commit()
    assert turns.is_needed_elsewhere(other.id, other.attempt, later)
    queued(app, alice, left=LONG)
    interrupted.paused_at = NOW
    db.session.commit()
    assert not turns.is_needed_elsewhere(other.id, other.attempt, later), "a new one waits for its turn"
