"""A source that is away for 40 minutes while 20 files wait for it. The clock is the test's own, Valkey a real one."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask_babel import force_locale
from redis import Redis
from sqlalchemy import select

from portal.database import db
from portal.jobs.attempt import number_queue, runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.words.statuses import summary_words
from portal.sources.limits.circuit_breaker import CircuitBreaker
from tests.support.cast import NOW
from tests.support.misbehaving import misbehaving
from tests.support.recipes import recipe, registered

pytestmark = pytest.mark.slow
JOBS = 20
OUTAGE = timedelta(minutes=40)
FIRST_WAIT, LONGEST_WAIT = 30, 600  # seconds between two probes


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def test_a_long_outage_costs_no_retry_and_few_probes(
    app, alice, make_job, valkey: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(number_queue, "BASE_SECONDS", 0.001)
    clock = Clock()
    given = Conditions("w", 60, Backoff(base_seconds=60, spread=0), clock=clock)
    redis = Redis.from_url(valkey)
    with misbehaving() as server:
        server.down = True
        made = recipe(tmp_path, "json", server.url, concurrency=8)
        breaker = CircuitBreaker(redis, made.name, clock)
        with registered(made, redis=redis, breaker=breaker):
            jobs = [make_job(alice, 5, source=made.name) for _ in range(JOBS)]
            probes: list[datetime] = []
            summaries: set[str] = set()
            while unfinished := [job for job in jobs if job.status != Status.COMPLETED]:
                assert clock.now < NOW + timedelta(hours=2), "they never end"
                due = [job for job in unfinished if job.not_before is None or job.not_before <= clock.now]
                for job in due:
                    before = len(server.requests)
                    runner.run(job.id, job.attempt, given)
                    if server.down and job.attempt > 1:
                        probes += [clock.now] * (len(server.requests) - before)
                    db.session.refresh(job)
                    if job.status != Status.COMPLETED:
                        assert job.status == Status.RETRYING
                        with force_locale("en"):
                            summaries.add(str(summary_words(job, clock.now)))
                db.session.commit()
                if not due:
                    clock.now = min(job.not_before for job in unfinished if job.not_before)
                server.down = clock.now < NOW + OUTAGE
    assert {job.retry_count for job in db.session.scalars(select(ScrapingJob))} == {0}
    assert sum(job.found_count + job.not_found_count + job.rejected_count for job in jobs) == JOBS * 5
    assert {text.split(". ", 1)[1] for text in summaries} == {
        "We try it again from time to time. The lookup will continue automatically; you do not need to do anything."
    }
    assert probes, "no request ever probed"
    gaps = [(after - before).total_seconds() for before, after in zip(probes, probes[1:], strict=False)]
    assert all(gap >= FIRST_WAIT for gap in gaps), "more than one probe an interval"
    assert len(probes) <= OUTAGE.total_seconds() / LONGEST_WAIT + 6  # 30 s, doubled up to ten minutes
