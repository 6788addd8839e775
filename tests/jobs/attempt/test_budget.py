"""No cap is exceeded, and what is shown as spent is what the source has counted: whoever is killed when."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.attempt import runner
from portal.jobs.attempt.ask_journal import AskJournal
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.derived import Summary, summary_sentence
from portal.jobs.core.job_tables import Number
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.spending_tables import CapScope, Reservation, Spending
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.spending import caps, reservations
from portal.jobs.sweep import steps
from portal.jobs.sweep.capped import lift_caps
from portal.sources.base import Outcome
from tests.support.cast import NOW, mobile
from tests.support.provider import Answered, Asked, Provider, provider
from tests.support.recipes import registered
from tests.sources.http.test_cost import recipe_of

CENT = 10**7
LOW = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)


def answer(asked: Asked) -> Answered:
    number = asked.query["n"]
    return Answered({"state": "unknown"} if number.endswith("7") else {"operator": "Orange"})


@contextmanager
def priced(folder: Path, cost: str = "price = 0.01", say: Callable[[Asked], Answered] = answer) -> Iterator[Provider]:
    """A source that counts and charges a cent for each question."""
    with provider(say) as server, registered(recipe_of(folder, server.url, f'[cost]\n{cost}\ncurrency = "EUR"')):
        yield server


def spent(user_id: int = 0, source: str = "") -> tuple[int, int, int]:
    row = db.session.execute(
        select(func.sum(Spending.spent), func.sum(Spending.unsure), func.sum(Spending.reserved)).where(
            Spending.user_id == user_id, Spending.source == source
        )
    ).one()
    return tuple(int(value or 0) for value in row)  # type: ignore[return-value]


def numbers(count: int) -> list[object]:
    return [mobile(n) for n in range(count)]


def test_a_file_pauses_at_its_cap_and_goes_on_when_there_is_room(app, alice, make_job, tmp_path: Path) -> None:
    with priced(tmp_path) as server:
        job = make_job(alice, numbers(30), source="priced")
        job.cost_cap = 12 * CENT
        db.session.commit()
        assert runner.run(job.id, 0, LOW) == Status.RETRYING
        assert (len(server.asked), job.cost, job.processed_numbers) == (12, 12 * CENT, 12)
        assert job.paused_at and job.wait_cause == CauseCode.CAP_REACHED and not job.retry_count
        assert summary_sentence(job, NOW) == Summary.CAP_REACHED
        assert not list(lift_caps(NOW))
        job.cost_cap = 40 * CENT
        db.session.commit()
        assert [one.id for one in lift_caps(NOW)] == [job.id]
        assert runner.run(job.id, 1, LOW) == Status.COMPLETED
    assert (len(server.asked), job.cost, job.cost_unsure) == (30, 30 * CENT, 0)
    assert spent() == spent(alice.id, "priced") == (30 * CENT, 0, 0)
    assert not db.session.scalars(select(Reservation)).all()


@pytest.mark.parametrize("scope", list(CapScope))
def test_a_monthly_cap_holds_over_files_until_the_next_month(
    scope: CapScope, app, alice, bob, make_job, tmp_path: Path
) -> None:
    whose = {CapScope.PERSON: str(alice.id), CapScope.SOURCE: "priced", CapScope.PORTAL: ""}[scope]
    caps.set_cap(scope, whose, "EUR", 25 * CENT, "ada", NOW)
    with priced(tmp_path) as server:
        first, second = (make_job(alice, numbers(20), source="priced") for _ in range(2))
        other = make_job(bob, numbers(20), source="priced")
        assert runner.run(first.id, 0, LOW) == Status.COMPLETED
        assert runner.run(second.id, 0, LOW) == Status.RETRYING
        assert second.processed_numbers == 5
        assert runner.run(other.id, 0, LOW) == (Status.COMPLETED if scope == CapScope.PERSON else Status.RETRYING)
        later = datetime(2099, 1, 2, tzinfo=UTC)
        assert second.id in [job.id for job in lift_caps(later)]
        assert runner.run(second.id, 1, replace(LOW, clock=lambda: later)) == Status.COMPLETED
    assert len(server.asked) == 20 + 20 + (20 if scope == CapScope.PERSON else 0)


def test_no_cap_holds_a_source_whose_price_nobody_knows_before(app, alice, make_job, tmp_path: Path) -> None:
    with priced(tmp_path, 'price = "spent"') as server:
        job = make_job(alice, numbers(5), source="priced")
        caps.set_cap(CapScope.PORTAL, "", "EUR", 500 * CENT, "ada", NOW)
        assert runner.run(job.id, 0, LOW) == Status.RETRYING and job.wait_cause == CauseCode.CAP_REACHED
        assert not server.asked
        caps.set_cap(CapScope.PORTAL, "", "EUR", None, "ada", NOW)
        assert len(list(lift_caps(NOW))) == 1
        assert runner.run(job.id, 1, LOW) == Status.COMPLETED


class Killed(BaseException):
    """The process ends here."""


def test_killed_at_random_no_cap_is_exceeded_and_what_is_shown_was_counted(
    app, alice, make_job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills at both sides of a save and at a question, each followed by what the worker's parent does with its
    journal. `RUNS` more in `make chaos`."""
    luck = random.Random(7)
    journal = AskJournal()
    conditions = replace(LOW, journal=journal)
    counts = {"saves": 0, "kill_at": 0}
    real = db.session.commit

    def commit() -> None:
        counts["saves"] += 1
        before = luck.random() < 0.5
        if counts["saves"] == counts["kill_at"] and before:
            db.session.rollback()
            raise Killed
        real()
        if counts["saves"] == counts["kill_at"]:
            raise Killed

    with priced(tmp_path) as server:
        for run in range(30):
            server.asked.clear()
            known = spent()
            job = make_job(alice, numbers(40), source="priced")
            job.cost_cap = luck.randint(1, 60) * CENT
            real()
            for _ in range(20):
                if job.status in (Status.COMPLETED, Status.FAILED) or job.paused_at:
                    break
                counts.update(saves=0, kill_at=luck.randint(1, 14))
                monkeypatch.setattr(db.session, "commit", commit)
                try:
                    runner.run(job.id, job.attempt, conditions)
                except Killed:
                    pass
                finally:
                    monkeypatch.setattr(db.session, "commit", real)
                    db.session.rollback()
                if (of := journal.of()) is not None:
                    reservations.close_dead(*of, journal.marked(), NOW)
                    journal.end()
                job = db.session.get_one(ScrapingJob, job.id, populate_existing=True)
                if job.status == Status.PROCESSING:
                    ScrapingJob.hand_back(job.id, job.attempt, CauseCode.RESTART, NOW)
                    real()
            asked = len(server.asked) * CENT
            assert asked <= job.cost_cap, f"run {run}"
            assert job.cost + job.cost_unsure == asked, f"run {run}"
            now = spent()
            assert sum(now) - sum(known) == asked and now[2] == 0
