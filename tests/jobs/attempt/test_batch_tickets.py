"""Tickets: any later attempt fetches what was handed in, and no number is paid for twice; on both databases."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs.attempt import number_queue
from portal.jobs.attempt import runner as runner
from portal.jobs.attempt.batch_tickets import KeptTickets
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import Event, Number, Ticket
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.spending_tables import Spending
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import AttemptTaken
from portal.sources.base import SubmittedBatch
from portal.sources.recipes.model import Cost, Recipe
from tests.support import cast
from tests.support.cast import NOW
from tests.support.databases import ON_BOTH
from tests.support.misbehaving import Misbehaving, always, misbehaving, never
from tests.support.recipes import recipe, registered

MakeJob = Callable[..., ScrapingJob]
ROWS = 25  # three batches
BACKOFF = Backoff(base_seconds=60, spread=0)
LATER = NOW + timedelta(minutes=10)
PATIENT = 5  # seconds for a request: a slow machine is not the fault of the source


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_queue, "BASE_SECONDS", 0.01)


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving() as server:
        server.polls_before_ready = 0
        yield server


def given(now: datetime = NOW) -> Conditions:
    return Conditions(worker="w", lease_seconds=60, backoff=BACKOFF, clock=lambda: now)


def run(job: ScrapingJob, made: Recipe, now: datetime = NOW) -> Status | None:
    with registered(made):
        ended = runner.run(job.id, job.attempt, given(now))
    db.session.refresh(job)
    db.session.commit()
    return ended


def impatient(folder: Path, server: Misbehaving) -> Recipe:
    """Let an attempt poll its tickets for only a tenth of a second."""
    made = recipe(folder, "poll", server.url, timeout=PATIENT)
    assert made.batch and made.batch.poll
    return replace(made, batch=replace(made.batch, poll=replace(made.batch.poll, limit_seconds=0.1)))


def begun(alice: User, make_job: MakeJob, made: Recipe) -> ScrapingJob:
    with registered(made):
        return make_job(alice, ROWS, source=made.name)


def tickets() -> list[Ticket]:
    return list(db.session.scalars(select(Ticket).order_by(Ticket.ticket)))


def lines(job: ScrapingJob, kind: str) -> list[dict[str, Any]]:
    return list(db.session.scalars(select(Event.facts).where(Event.job_id == job.id, Event.kind == kind)))


def handed_in(alice: User, make_job: MakeJob, server: Misbehaving, made: Recipe) -> ScrapingJob:
    """A job whose first attempt handed everything in and got no answer: its tickets are open."""
    job = begun(alice, make_job, made)
    server.holding = True
    assert run(job, made) == Status.RETRYING
    server.holding = False
    return job


def paid_once(server: Misbehaving) -> bool:
    return len(server.paid) == ROWS and set(server.paid.values()) == {1}


@ON_BOTH
def test_the_next_attempt_fetches_what_was_not_ready(app, alice, make_job, server, tmp_path) -> None:
    made = impatient(tmp_path, server)
    job = handed_in(alice, make_job, server, made)
    assert (job.retry_count, job.failed_count, job.not_before) == (0, 0, NOW + timedelta(seconds=60))
    assert lines(job, "handed_back")[0]["cause"] == "not_ready"
    kept = tickets()
    assert [(one.attempt, one.source, one.handed_in_at, len(one.numbers)) for one in kept] == [
        (1, "poll-test", NOW, size) for size in [len(one.numbers) for one in kept]
    ]
    assert sorted(number for one in kept for number in one.numbers) == sorted(f"+{number}" for number in server.paid)
    assert run(job, made, job.not_before) == Status.COMPLETED
    assert paid_once(server) and tickets() == []


def test_what_batches_may_cost_stays_reserved_until_they_are_fetched(app, alice, make_job, server, tmp_path) -> None:
    made = replace(impatient(tmp_path, server), cost=Cost(price=Decimal("0.01"), most=Decimal("0.01"), currency="EUR"))
    job = begun(alice, make_job, made)
    job.cost_cap = ROWS * 10**7
    db.session.commit()
    server.holding = True
    assert run(job, made) == Status.RETRYING
    server.holding = False

    def money() -> tuple[int, ...]:
        row = Spending
        sums = select(row.spent, row.unsure, row.reserved).where(row.user_id == 0, row.source == "")
        return tuple(db.session.execute(sums).one())

    assert money() == (0, 0, ROWS * 10**7) and job.cost_unsure == 0
    # The whole cap is reserved: what has been paid for is fetched all the same.
    assert run(job, made, job.not_before) == Status.COMPLETED
    assert money() == (ROWS * 10**7, 0, 0) and (job.cost, job.cost_unsure) == (ROWS * 10**7, 0)


def test_only_tickets_without_their_answers_stay(app, alice, make_job, server, tmp_path) -> None:
    made = impatient(tmp_path, server)
    job = begun(alice, make_job, made)
    server.holding = {"t1"}
    assert run(job, made) == Status.RETRYING
    (left,) = tickets()
    assert left.ticket == "t1" and job.processed_numbers == ROWS - len(left.numbers)
    server.holding, before = False, len(server.requests)
    assert run(job, made, LATER) == Status.COMPLETED
    assert [path for _, path, _, _ in server.requests[before:]] == ["/v2/batches/t1"]


def test_the_wait_grows_with_the_sources_time(app, alice, make_job, server, tmp_path) -> None:
    made = impatient(tmp_path, server)
    job = handed_in(alice, make_job, server, made)
    server.holding = True
    for hours, seconds in ((0.2, 720), (9, 3600)):
        now = NOW + timedelta(hours=hours)
        assert run(job, made, now) == Status.RETRYING
        assert job.not_before == now + timedelta(seconds=seconds)
    assert paid_once(server)


def test_a_ticket_survives_a_cancel_and_a_changed_recipe(app, alice, make_job, server, tmp_path) -> None:
    job = handed_in(alice, make_job, server, impatient(tmp_path, server))
    assert ScrapingJob.cancel(job.id, "alice@example.com", NOW)
    assert ScrapingJob.retry(job.id, job.round, "alice@example.com", NOW)
    db.session.commit()
    newer = recipe(tmp_path, "poll", server.url, timeout=PATIENT, changed=("interval = 0.02", "interval = 0.03"))
    assert newer.version not in tickets()[0].version
    assert run(job, newer, LATER) == Status.COMPLETED
    assert paid_once(server) and tickets() == []


def test_a_fixed_recipe_fetches_unreadable_answers_again(app, alice, make_job, server, tmp_path) -> None:
    wrong = recipe(tmp_path, "poll", server.url, timeout=PATIENT, changed=("data.operator", "data.carrier"))
    job = begun(alice, make_job, wrong)
    assert run(job, wrong) == Status.FAILED
    assert len(tickets()) == 3
    right = recipe(tmp_path, "poll", server.url, timeout=PATIENT)
    assert ScrapingJob.retry_when_due(job.id, LATER)
    db.session.commit()
    assert run(job, right, LATER) == Status.COMPLETED
    assert paid_once(server)


@pytest.mark.parametrize("status", [404, 410])
def test_an_unknown_ticket_is_dropped_and_its_numbers_sent_again(
    app, alice, make_job, server, tmp_path, status: int
) -> None:
    made = impatient(tmp_path, server)
    job = handed_in(alice, make_job, server, made)
    server.forgetting, server.forgotten = status, {"t0", "t1", "t2"}
    assert run(job, made, LATER) == Status.COMPLETED
    assert set(server.paid.values()) == {2} and tickets() == []
    assert sum(facts["numbers"] for facts in lines(job, "tickets_lost")) == ROWS


def test_404_right_after_the_hand_in_means_not_yet(app, alice, make_job, server, tmp_path) -> None:
    made = impatient(tmp_path, server)
    job = begun(alice, make_job, made)
    server.forgetting = 404
    assert run(job, made) == Status.RETRYING
    server.forgetting = None
    assert run(job, made, LATER) == Status.COMPLETED
    assert paid_once(server)


def test_a_ticket_that_is_never_ready_uses_a_retry(app, alice, make_job, server, tmp_path) -> None:
    made = impatient(tmp_path, server)
    job = handed_in(alice, make_job, server, made)
    server.holding = True
    day_after = NOW + timedelta(hours=24, minutes=1)
    assert run(job, made, day_after) == Status.FAILED
    assert {row.reason for row in db.session.scalars(select(Number))} == {"never_ready"}
    assert job.next_retry_at == day_after + timedelta(seconds=60) and tickets() == []
    server.holding = False
    assert ScrapingJob.retry_when_due(job.id, day_after + timedelta(hours=1))
    db.session.commit()
    assert run(job, made, day_after + timedelta(hours=1)) == Status.COMPLETED
    assert set(server.paid.values()) == {2}


def test_an_old_ticket_is_fetched_when_it_is_ready(app, alice, make_job, server, tmp_path) -> None:
    made = impatient(tmp_path, server)
    job = handed_in(alice, make_job, server, made)
    assert run(job, made, NOW + timedelta(days=3)) == Status.COMPLETED
    assert paid_once(server)


def test_while_the_source_is_away_a_ticket_stays_good(app, alice, make_job, server, tmp_path) -> None:
    made = impatient(tmp_path, server)
    job = handed_in(alice, make_job, server, made)
    server.down = True
    assert run(job, made, NOW + timedelta(hours=30)) == Status.RETRYING
    server.down = False
    assert run(job, made, NOW + timedelta(hours=40)) == Status.COMPLETED
    assert paid_once(server)


def test_a_key_makes_a_lost_hand_in_harmless(app, alice, make_job, server, tmp_path) -> None:
    """The source accepts the batch and the connection breaks before the reply, at every first try, then at every
    try."""
    made = recipe(tmp_path, "keyed", server.url, timeout=PATIENT)
    job = begun(alice, make_job, made)
    server.plan = lambda number, nth: "taken" if nth == 1 else None
    assert run(job, made) == Status.COMPLETED
    assert paid_once(server) and max(server.calls.values()) > 1 and tickets() == []
    other = begun(alice, make_job, made)
    server.plan, server.paid = always("taken"), type(server.paid)()
    run(other, made)
    assert {one.ticket for one in tickets()} == {None}, "known before it was sent"
    server.plan = never
    assert run(other, made, LATER) == Status.COMPLETED
    assert paid_once(server) and tickets() == []


def a_batch(n: int, ticket: str | None) -> SubmittedBatch:
    return SubmittedBatch(f"key{n}", (f"+34{cast.mobile(n)}",), ticket)


def late_worker_keeps(job: ScrapingJob) -> set[str | None]:
    """An attempt hands in a batch, is lost and another claims the job; then it wakes, and tries to keep one more ticket
    and to drop the first. Returns the tickets after that."""
    job_id, numbers = job.id, [f"+34{cast.mobile(n)}" for n in range(5)]
    assert ScrapingJob.claim(job_id, 0, NOW, worker="first", lease_seconds=60)
    db.session.commit()
    late = KeptTickets(job_id, 1, "s", "v", numbers, lambda: NOW, 60)
    late.keep(a_batch(1, None))
    late.keep(a_batch(1, "t1"))
    later = NOW + timedelta(minutes=5)
    assert ScrapingJob.lose(job_id, 1, later, BACKOFF)
    assert ScrapingJob.claim(job_id, 1, later, worker="second", lease_seconds=60)
    db.session.commit()
    with suppress(AttemptTaken):
        late.keep(a_batch(2, "t2"))
    with suppress(AttemptTaken):
        late.drop(a_batch(1, "t1"), lost=True)
    return {one.ticket for one in tickets()}


@ON_BOTH
def test_a_late_worker_cannot_change_tickets(app, alice, make_job, counting) -> None:
    assert late_worker_keeps(make_job(alice, source="counting")) == {"t1"}


@ON_BOTH
def test_without_the_fence_it_could(app, alice, make_job, counting, monkeypatch) -> None:
    """Tests the test above."""
    monkeypatch.setattr(ScrapingJob, "held_by", classmethod(lambda cls, job_id, attempt: (cls.id == job_id,)))
    assert late_worker_keeps(make_job(alice, source="counting")) == {"t2"}


@ON_BOTH
def test_a_ticket_is_deleted_once_all_its_answers_are_saved(app, alice, make_job, counting) -> None:
    job_id, numbers = make_job(alice, source="counting").id, [f"+34{cast.mobile(n)}" for n in range(3)]
    ScrapingJob.claim(job_id, 0, NOW, worker="w", lease_seconds=60)
    db.session.commit()
    kept = KeptTickets(job_id, 1, "s", "v", numbers, lambda: NOW, 60)
    batch = SubmittedBatch("key", (*numbers, "+34600000000"), "t")  # the last one has its answer already
    kept.keep(batch)
    kept.settle(numbers, NOW)  # before it was fetched, answers for its numbers do not come from it
    db.session.commit()
    assert len(tickets()) == 1
    db.session.commit()
    kept.fetched(batch, numbers)
    kept.settle(numbers[:2], NOW)()
    assert len(tickets()) == 1
    kept.settle(numbers[2:], NOW)
    assert tickets() == []
    db.session.rollback()
    assert len(tickets()) == 1, "it goes with the answers or not at all"
    committed = kept.settle(numbers[2:], NOW)  # the same transaction again
    db.session.commit()
    committed()
    assert tickets() == []


@ON_BOTH
@pytest.mark.parametrize("kind", ["many", "poll", "keyed"])
def test_answers_beside_a_refusal_are_paid_for_once(app, alice, make_job, server, tmp_path, kind) -> None:
    """Credit for seven of each batch of ten: what a ticket refused is handed in again, and the ticket ends."""
    made = recipe(tmp_path, kind, server.url, timeout=PATIENT, concurrency=1)
    job = begun(alice, make_job, made)
    now = NOW
    for attempt in range(1, 4):
        server.credit = 7
        assert run(job, made, now) == Status.RETRYING
        assert (job.processed_numbers, job.retry_count, tickets()) == (7 * attempt, 0, [])
        now = job.not_before
    server.credit = None
    assert run(job, made, now) == Status.COMPLETED
    assert paid_once(server) and tickets() == []


def test_a_poll_that_may_last_an_hour_is_handed_back_before_the_job_times_out(
    app, alice, make_job, server, tmp_path, monkeypatch
) -> None:
    """A minute is allowed without an answer: the attempt polls for a small part of it and waits outside the worker."""
    monkeypatch.setattr(runner, "POLL_SHARE", 0.005)
    made = recipe(tmp_path, "poll", server.url, timeout=PATIENT, changed=("limit = 5", "limit = 3600"))
    job = begun(alice, make_job, made)
    job.timeout_minutes = 1
    db.session.commit()
    server.holding = True
    assert run(job, made) == Status.RETRYING
    assert (job.wait_cause, job.retry_count) == ("not_ready", 0)
    server.holding = False
    assert run(job, made, job.not_before) == Status.COMPLETED
    assert paid_once(server)
