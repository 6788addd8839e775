"""No cap is exceeded, and what is shown as spent is what the source has counted: whoever is killed when."""

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.causes import CauseCode
from portal.database import db, reading
from portal.jobs import shares
from portal.jobs.attempt import runner
from portal.jobs.attempt.ask_journal import AskJournal
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.derived import Summary, summary_sentence
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.spending_tables import CapScope, Reservation, Spending
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.spending import caps, reservations
from portal.jobs.spending.reservations import Account
from portal.jobs.sweep.capped import lift_caps
from tests import services
from tests.sources.http.test_cost import recipe_of
from tests.support.cast import NOW, hold, mobile
from tests.support.databases import ON_BOTH
from tests.support.provider import Answered, Asked, Provider, provider
from tests.support.random_kills import RandomKills, settle_dead
from tests.support.recipes import registered

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


def test_killed_at_random_no_cap_is_exceeded_and_what_is_shown_was_counted(
    app, alice, make_job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before or after any commit; then its worker's parent settles by the journal. `make chaos` has more."""
    luck = random.Random(7)
    kills = RandomKills(luck, monkeypatch)
    with priced(tmp_path) as server:
        for run in range(int(os.environ.get("BUDGET_RUNS", "8"))):
            server.asked.clear()
            before = spent()
            job = make_job(alice, numbers(24), source="priced")
            job.cost_cap = luck.randint(1, 36) * CENT
            kills.commit()
            job = kills.run(job, LOW)
            asked = len(server.asked) * CENT
            now = spent()
            assert asked <= job.cost_cap, f"run {run}"
            assert job.cost + job.cost_unsure == asked == sum(now) - sum(before), f"run {run}"
            assert now[2] == 0, f"run {run}"


@ON_BOTH
def test_many_files_at_once_with_several_workers_each_stay_below_one_cap(
    app: Flask, alice, bob, make_job, tmp_path: Path
) -> None:
    caps.set_cap(CapScope.PORTAL, "", "EUR", 70 * CENT, "ada", NOW)
    with priced(tmp_path) as server:
        # Two workers for each of three files; who joins comes once the first has taken a share.
        job_ids = [make_job(owner, numbers(40), source="priced").id for owner in (alice, bob, alice)]
        db.session.commit()

        def work(job_id: int, join: bool) -> None:
            with app.app_context():
                given = replace(LOW, worker=f"w{job_id}{join}", workers=2)
                services.wait_until(lambda: not join or len(server.asked) > 3)
                runner.run(job_id, 0, given, join=join)
                db.session.remove()

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, [*job_ids, *job_ids], [False] * 3 + [True] * 3))
        db.session.rollback()
        for _ in range(5):  # what one had reserved and not used is there for the others
            for job in list(lift_caps(NOW)):
                runner.run(job.id, job.attempt, LOW)
        cost = db.session.scalar(select(func.sum(ScrapingJob.cost + ScrapingJob.cost_unsure)))
        assert len(server.asked) == 70 and cost == 70 * CENT == sum(spent())
    jobs = [db.session.get_one(ScrapingJob, job_id, populate_existing=True) for job_id in job_ids]
    assert all(job.status == Status.COMPLETED or job.wait_cause == CauseCode.CAP_REACHED for job in jobs)


def test_a_worker_that_is_really_killed_has_spent_what_it_had_sent(app, alice, make_job, tmp_path: Path) -> None:
    killed = threading.Event()

    def hold_from_the_tenth(asked: Asked) -> Answered:
        if int(asked.query["n"][-3:]) >= int(mobile(9)[-3:]):
            killed.wait(30)
        return answer(asked)

    journal = AskJournal()
    with priced(tmp_path, say=hold_from_the_tenth) as server:
        job = make_job(alice, numbers(20), source="priced")
        job.cost_cap = 19 * CENT
        job_id = job.id
        db.session.commit()
        pid = os.fork()
        if not pid:
            db.engine.dispose(close=False)
            runner.run(job_id, 0, replace(LOW, journal=journal))
            os._exit(1)
        # Nine are answered, and those in flight have all arrived: what is asked then is known exactly.
        services.wait_until(lambda: len(server.asked) == 9 + 4 and saved(job_id) == 9)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        killed.set()
        settle_dead(journal)
        job = db.session.get_one(ScrapingJob, job.id, populate_existing=True)
        assert (job.cost, job.cost_unsure, spent()) == (9 * CENT, 4 * CENT, (9 * CENT, 4 * CENT, 0))
        ScrapingJob.hand_back(job.id, job.attempt, CauseCode.RESTART, NOW)
        db.session.commit()
        assert runner.run(job.id, 1, LOW) == Status.RETRYING and job.paused_at
        assert len(server.asked) == 19 and job.cost + job.cost_unsure == 19 * CENT


def saved(job_id: int) -> int:
    with reading() as session:  # a usual one would keep the worker from saving until it is asked again
        return session.scalar(select(ScrapingJob.processed_numbers).where(ScrapingJob.id == job_id)) or 0


def test_what_a_lost_machine_had_reserved_counts_as_spent_after_a_while(app, alice, make_job, tmp_path: Path) -> None:
    with priced(tmp_path):
        job = make_job(alice, numbers(3), source="priced")
        account = Account(alice.id, "priced", "EUR")
        ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=60)
        holding = hold(job)
        assert reservations.reserve(holding, account, CENT, 3, NOW, 60)[0] == 3
        db.session.commit()
        shares.remove(holding)
        db.session.commit()
        assert not list(reservations.close_lost(NOW + timedelta(minutes=9)))
        assert spent() == (0, 0, 3 * CENT)
        assert len(list(reservations.close_lost(NOW + timedelta(minutes=11)))) == 1
        assert spent() == (0, 3 * CENT, 0) and job.cost_unsure == 3 * CENT
