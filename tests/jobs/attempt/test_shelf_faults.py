"""A file of fifty numbers at every provider of the shelf, through all that goes wrong with one, on a clock of its own.

One file meets throttling, an outage of a minute, a spoilt key and credit that ends, one after the other, each in its
midst; a file that fits into one request meets them before its first answer. It waits with the right words, uses no
retry, pays for nothing twice and comes to the right sums. `make chaos` kills workers at the same fakes.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask_babel import force_locale
from redis import Redis
from sqlalchemy import select

from portal.accounts import User
from portal.causes import CauseCode
from portal.database import db
from portal.jobs.attempt import number_queue, runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import Number
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.words.statuses import summary_words
from portal.sources.limits import circuit_breaker
from portal.sources.limits.circuit_breaker import CircuitBreaker
from tests.support.cast import NOW
from tests.support.provider import Answered, Asked, provider
from tests.support.recipes import LOOPBACK, registered
from tests.support.shelf import NAMES, NO_CREDIT, NUMBERS, SECRETS, Pausing, ShelfFake, outcomes_of, recipe_at

AWAY = {CauseCode.SOURCE_DOWN, CauseCode.SOURCE_SILENT}
REFUSED = {CauseCode.CREDENTIALS}


class Staged(ShelfFake):
    """A fake that gets into one fault after the other, each after so many answers, until the test mends it."""

    def __init__(self, name: str, faults: list[tuple[int, str]]) -> None:
        super().__init__(name)
        self.left = faults
        self.throttled = 2

    def __call__(self, asked: Asked) -> Answered:
        if self.left and sum(self.answers.values()) >= self.left[0][0]:
            setattr(self, self.left[0][1], True)
        return super().__call__(asked)

    def mend(self) -> str:
        """Mend the fault that it is in, and return which it was."""
        _, fault = self.left.pop(0)
        setattr(self, fault, False)
        return fault


@pytest.mark.parametrize("name", NAMES)
def test_a_file_outlives_every_fault_of_a_provider(
    app, alice: User, make_job: Callable[..., ScrapingJob], valkey: str, tmp_path: Path, name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(number_queue, "BASE_SECONDS", 0.001)
    monkeypatch.setattr(circuit_breaker, "ASK_SECONDS", 0.0)
    now = [NOW]
    clock: Callable[[], datetime] = lambda: now[0]  # noqa: E731
    given = Conditions("w", 60, Backoff(base_seconds=60, spread=0), clock=clock)
    faults = ["down", "key_is_wrong", *(["no_credit"] if name in NO_CREDIT else [])]
    wanted = {"down": AWAY, "key_is_wrong": REFUSED, "no_credit": {CauseCode.NO_CREDIT}}
    if name == "lista-robinson":  # its 403 may as well be a block
        wanted["key_is_wrong"] = {CauseCode.BLOCKED}
    batch = recipe_at(name, "http://127.0.0.1:1", tmp_path).batch
    size = batch.size if batch else 1
    # One number after the other, after a first batch, or before the only one.
    after = (lambda n: 12 * (n + 1)) if size == 1 else lambda _: int(size < len(NUMBERS))
    fake = Staged(name, [(after(n), fault) for n, fault in enumerate(faults)])
    seen: list[tuple[str, str | None]] = []
    with provider(fake) as server:
        made = recipe_at(name, server.url, tmp_path)
        redis = Redis.from_url(valkey)
        parts = {"environ": SECRETS, "allow_private": LOOPBACK, "redis": redis, "make_limiter": lambda _: Pausing()}
        with registered(made, breaker=CircuitBreaker(redis, made.name, clock), **parts):
            job = make_job(alice, [one.removeprefix("+34") for one in NUMBERS], source=made.name)
            while job.status != Status.COMPLETED:
                assert now[0] < NOW + timedelta(hours=3), (seen, job.status, job.wait_cause, job.last_error)
                runner.run(job.id, job.attempt, given)
                db.session.refresh(job)
                if job.status == Status.COMPLETED:
                    break
                assert (job.status, job.retry_count) == (Status.RETRYING, 0), (seen, job.last_error)
                with force_locale("en"):
                    assert summary_words(job, now[0])
                if job.wait_cause == CauseCode.NOT_READY:  # it was handed in and is fetched later
                    now[0] = job.not_before
                    continue
                seen.append((fake.left[0][1] if fake.left else "", job.wait_cause))
                assert fake.left and job.wait_cause in wanted[fake.left[0][1]], (seen, fake.left)
                now[0] = max(job.not_before or now[0], now[0] + timedelta(seconds=61))
                fake.mend()
    assert [fault for fault, _ in seen] == faults
    assert job.retry_count == 0
    found = Counter(db.session.scalars(select(Number.outcome).where(Number.job_id == job.id)))
    assert found == outcomes_of(name)
    assert job.cost == fake.spent and set(fake.answers.values()) == {1}
