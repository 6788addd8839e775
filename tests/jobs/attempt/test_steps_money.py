"""The money of several sources for one file: each charges for its own, below its own cap, also when workers die."""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal.causes import CauseCode
from portal.database import db, reading
from portal.jobs import commands
from portal.jobs.attempt import runner
from portal.jobs.attempt.ask_journal import AskJournal
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core import steps
from portal.jobs.core.job_tables import Number
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.spending_tables import Spending
from portal.jobs.core.status import Status
from portal.jobs.core.step_tables import NextSource, StepRule
from portal.jobs.models import ScrapingJob
from portal.jobs.spending.room import room_of
from portal.jobs.sweep.capped import lift_caps
from portal.sources.recipes.loader import read_recipe
from tests import services
from tests.sources.http.test_cost import TEXT
from tests.support.cast import NOW, mobile
from tests.support.provider import Answered, Asked, Provider, provider
from tests.support.random_kills import RandomKills, settle_dead
from tests.support.recipes import registered

CENT = 10**7
LOW = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)


def answer(asked: Asked) -> Answered:
    """Every third number is found."""
    return Answered({"operator": "Orange"} if int(asked.query["n"]) % 3 == 0 else {"state": "unknown"})


@contextmanager
def priced(
    folder: Path, name: str, price: str, say: Callable[[Asked], Answered] = answer, currency: str = "EUR"
) -> Iterator[Provider]:
    with provider(say) as server:
        path = folder / f"{name}.toml"
        cost = f'[cost]\nprice = {price}\ncurrency = "{currency}"'
        text = TEXT.format(url=server.url, cost=cost, more="", cache=0).replace('"priced"', f'"{name}"')
        path.write_text(text)
        with registered(read_recipe(path)):
            yield server


def spent(source: str) -> tuple[int, int, int]:
    columns = (Spending.spent, Spending.unsure, Spending.reserved)
    row = db.session.execute(
        select(*(func.sum(one) for one in columns)).where(Spending.user_id == 0, Spending.source == source)
    ).one()
    return tuple(int(value or 0) for value in row)  # type: ignore[return-value]


def of_steps(job_id: int) -> list[tuple[int, int]]:
    job = db.session.get_one(ScrapingJob, job_id, populate_existing=True)
    rows = [(one.cost, one.cost_unsure) for one in steps.of_job(job)]
    db.session.commit()
    return rows


def answered_at(job_id: int, step: int) -> int:
    query = select(func.count()).where(Number.job_id == job_id, Number.step >= step, Number.outcome != "waiting")
    with reading() as session:
        return session.scalar(query) or 0


def in_a_fork(job: ScrapingJob, journal: AskJournal) -> int:
    job_id, attempt = job.id, job.attempt
    db.session.commit()
    pid = os.fork()
    if not pid:
        db.engine.dispose(close=False)
        runner.run(job_id, attempt, replace(LOW, journal=journal))
        os._exit(1)
    return pid


@pytest.mark.parametrize("rule", [StepRule.NOT_FOUND, StepRule.BESIDE])
def test_a_worker_killed_at_the_second_source_asks_nothing_twice_and_the_cost_is_to_the_cent(
    app, alice, make_job, tmp_path: Path, rule: StepRule
) -> None:
    killed, asked = threading.Event(), threading.Semaphore(5)

    def hold_after_five(question: Asked) -> Answered:
        if not asked.acquire(blocking=False):
            killed.wait(30)
        return answer(question)

    with priced(tmp_path, "cheap", "0.01") as cheap, priced(tmp_path, "dear", "0.05", hold_after_five) as dear:
        job = make_job(alice, [mobile(n) for n in range(30)], source="cheap", then=[NextSource("dear", rule)])
        expected = 30 if rule == StepRule.BESIDE else 20
        job_id = job.id
        assert runner.run(job_id, 0, LOW) == Status.RETRYING and job.source == "dear"
        assert len(cheap.asked) == 30 and of_steps(job_id) == [(30 * CENT, 0), (0, 0)]
        journal = AskJournal()
        pid = in_a_fork(job, journal)
        # Five are answered and saved, and those in flight have all arrived: what is asked then is known exactly.
        services.wait_until(lambda: len(dear.asked) == 5 + 4 and of_steps(job_id)[1][0] == 5 * 5 * CENT)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        killed.set()
        asked.release(100)
        settle_dead(journal)
        assert ScrapingJob.lose(job_id, 2, NOW + timedelta(minutes=5), Backoff()) and job.retry_count == 0
        db.session.commit()
        assert runner.run(job_id, 2, LOW) == Status.COMPLETED
        # Only what was in flight at the kill is asked again, and its price is not known to be spent.
        questions = Counter(one.query["n"] for one in dear.asked)
        assert sorted(questions.values()) == [1] * (expected - 4) + [2] * 4 and len(cheap.asked) == 30
        assert of_steps(job_id) == [(30 * CENT, 0), (expected * 5 * CENT, 4 * 5 * CENT)]
        db.session.refresh(job)
        assert (job.cost, job.cost_unsure) == (30 * CENT + expected * 5 * CENT, 20 * CENT)
        assert spent("cheap") == (30 * CENT, 0, 0) and spent("dear") == (expected * 5 * CENT, 20 * CENT, 0)
        assert len(dear.asked) * 5 * CENT == sum(of_steps(job_id)[1])


def test_a_source_pauses_the_file_at_its_own_cap(app, alice, make_job, tmp_path: Path) -> None:
    with priced(tmp_path, "cheap", "0.01") as cheap, priced(tmp_path, "dear", "0.05") as dear:
        then = [NextSource("dear", StepRule.NOT_FOUND, 25 * CENT)]
        job = make_job(alice, [mobile(n) for n in range(30)], source="cheap", then=then)
        assert runner.run(job.id, 0, LOW) == Status.RETRYING
        assert runner.run(job.id, 1, LOW) == Status.RETRYING
        assert (len(cheap.asked), len(dear.asked)) == (30, 5)
        assert job.paused_at and job.wait_cause == CauseCode.CAP_REACHED and not job.retry_count
        (cap,) = room_of(job, NOW).reached
        assert (cap.whose, cap.amount, cap.left) == ("dear", 25 * CENT, 0)
        assert not list(lift_caps(NOW))
        assert commands.set_cost_cap(job.id, None, "alice@example.com", NOW, step=2)
        assert runner.run(job.id, 2, LOW) == Status.COMPLETED and len(dear.asked) == 20


def test_the_cap_of_the_file_holds_over_all_its_sources(app, alice, make_job, tmp_path: Path) -> None:
    with priced(tmp_path, "cheap", "0.01"), priced(tmp_path, "dear", "0.05") as dear:
        then = [NextSource("dear", StepRule.NOT_FOUND)]
        job = make_job(alice, [mobile(n) for n in range(30)], source="cheap", then=then, cost_cap=45 * CENT)
        assert runner.run(job.id, 0, LOW) == Status.RETRYING and runner.run(job.id, 1, LOW) == Status.RETRYING
        assert len(dear.asked) == 3 and job.cost == 45 * CENT and job.wait_cause == CauseCode.CAP_REACHED


def test_sources_with_different_currencies_do_not_go_together(app, alice, make_job, tmp_path: Path) -> None:
    with priced(tmp_path, "cheap", "0.01"), priced(tmp_path, "dollars", "0.05", currency="USD"):
        with pytest.raises(commands.CannotStart, match="other_currency"):
            make_job(alice, 3, source="cheap", then=[NextSource("dollars", StepRule.BESIDE)])
        job = make_job(alice, 3, source="offline", then=[NextSource("dollars", StepRule.BESIDE)])
        assert job.currency == "USD"
        with pytest.raises(commands.CannotStart, match="source_twice"):
            make_job(alice, 3, source="cheap", then=[NextSource("cheap", StepRule.BESIDE)])


def test_killed_at_random_each_source_is_paid_once_for_each_number(
    app, alice, make_job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before or after any commit, of either source; then its worker's parent settles by the journal."""
    luck = random.Random(11)
    kills = RandomKills(luck, monkeypatch)
    with priced(tmp_path, "cheap", "0.01") as cheap, priced(tmp_path, "dear", "0.05") as dear:
        for run in range(int(os.environ.get("STEP_RUNS", "10"))):
            cheap.asked.clear()
            dear.asked.clear()
            rule = luck.choice([StepRule.NOT_FOUND, StepRule.BESIDE])
            then = [NextSource("dear", rule, luck.choice([None, 40 * CENT]))]
            job = make_job(alice, [mobile(n) for n in range(24)], source="cheap", then=then)
            kills.commit()
            job = kills.run(job, LOW)
            (of_cheap, of_dear), charged = of_steps(job.id), (len(cheap.asked) * CENT, len(dear.asked) * 5 * CENT)
            assert (sum(of_cheap), sum(of_dear)) == charged, f"run {run}"
            assert (of_cheap[0], job.cost + job.cost_unsure) == (24 * CENT, sum(charged)), f"run {run}"
            assert then[0].cost_cap is None or charged[1] <= then[0].cost_cap, f"run {run}"
            assert job.paused_at or of_dear[0] == 5 * CENT * (24 if rule == StepRule.BESIDE else 16), f"run {run}"
