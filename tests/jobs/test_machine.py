"""Everybody acts on one job in any order, on each database, and it never reaches a forbidden state.

`make test` takes 500 steps, and CI as many again with `make chaos`, which alone sets MACHINE_STEPS to 10,000. Only a
whole `make chaos` searches for the ways to catch a portal that lacks a promise; `make test` walks the shortest of them.
"""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import true

from portal import sources
from portal.database import db
from portal.jobs import opening, shares
from portal.jobs.attempt import save
from portal.jobs.core import poison_numbers
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from tests.jobs.machine import JobMachine
from tests.support import cast
from tests.support.sources import CountingSource

STEPS_OF_A_RUN = 50
STEPS = settings(
    max_examples=int(os.environ.get("MACHINE_STEPS", "500")) // STEPS_OF_A_RUN,
    stateful_step_count=STEPS_OF_A_RUN,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


# The same runs every time, up to the first that catches it: a test must not depend on luck.
CATCHING = settings(STEPS, max_examples=200, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def either_app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """The portal on each database in turn."""
    environ = {"LOG_LEVEL": "ERROR"}
    if request.param == "postgresql":
        environ["DATABASE_URL"] = request.getfixturevalue("postgres_server")
    app = cast.make_app(tmp_path, **environ)
    with app.app_context():
        yield app
        db.session.remove()
        db.drop_all()
        db.engine.dispose()


@pytest.fixture(autouse=True)
def more_sources() -> Iterator[None]:
    for name in ("source2", "source3"):
        sources.register(name, CountingSource)
    yield
    for name in ("source2", "source3"):
        sources.unregister(name)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "WORKER_ROWS", 3)
    monkeypatch.setattr(opening, "COPIED_ROWS", 3)


def machine_for(app: Flask) -> type[JobMachine]:
    owner = cast.make_user("alice@example.com")
    return type("Machine", (JobMachine,), {"app": app, "owner_id": owner.id})


def run_machine(app: Flask, steps: settings = STEPS) -> None:
    run_state_machine_as_test(machine_for(app), settings=steps)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nobody_can_bring_a_job_into_a_forbidden_state(either_app: Flask) -> None:
    run_machine(either_app)


def share_without_fence(patch: pytest.MonkeyPatch) -> None:
    """Whoever lost its share goes on to take and to save."""
    patch.setattr(shares, "renew", lambda *_: None)
    patch.setattr(save, "renew", lambda *_: None)


def job_without_fence(patch: pytest.MonkeyPatch) -> None:
    """Whoever had the job once goes on to save."""
    patch.setattr(ScrapingJob, "held_by", classmethod(lambda cls, job_id, attempt: (cls.id == job_id,)))


def two_completions(patch: pytest.MonkeyPatch) -> None:
    """Each worker that finds nothing left completes the job."""
    plain = ScrapingJob.complete

    def complete(job_id: int, attempt: int, now: datetime) -> ScrapingJob | None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(ScrapingJob, "held_by", classmethod(lambda cls, id, of: (cls.id == id, cls.attempt == of)))
            return plain(job_id, attempt, now)

    patch.setattr(ScrapingJob, "complete", complete)


def hasty_verdict(patch: pytest.MonkeyPatch) -> None:
    """A number is given up the second time that its worker is lost with it alone."""
    patch.setattr(poison_numbers, "DEADLY", 2)


def early_joining(patch: pytest.MonkeyPatch) -> None:
    """A worker looks numbers up while another still opens the ledger."""
    patch.setattr(ScrapingJob, "is_open", classmethod(lambda cls: true()))


def skipped_source_without_fence(patch: pytest.MonkeyPatch) -> None:
    """A worker looks numbers up while another still moves those on that wait at a skipped source."""
    plain = shares.may_be_joined
    patch.setattr(shares, "may_be_joined", lambda now: tuple(c for c in plain(now) if "skipped_step" not in str(c)))


def late_save(machine: JobMachine) -> None:
    machine.begin(rows=3, retries=0, twice=False, workers=2, large=False)
    machine.one_falls_silent("first", "saves")


def save_after_the_end(machine: JobMachine) -> None:
    machine.begin(rows=1, retries=1, twice=False, workers=1, large=False)
    machine.cancel()
    machine.save("first", [Outcome.FOUND])


def both_find_nothing_left(machine: JobMachine) -> None:
    machine.begin(rows=2, retries=0, twice=False, workers=2, large=False)
    for worker in ("first", "second"):
        machine.save(worker, [Outcome.FOUND])
    for worker in ("first", "second"):
        machine.complete(worker)


def killed_again_and_again(machine: JobMachine) -> None:
    machine.begin(rows=3, retries=2, twice=False, workers=2, large=False)
    machine.one_is_killed_by_what_it_looks_up("first")
    machine.all_holds()


def joined_while_it_opens(machine: JobMachine) -> None:
    machine.begin(rows=6, retries=0, twice=False, workers=1, large=True)
    machine.join("second")


def joined_while_numbers_move_on(machine: JobMachine) -> None:
    machine.begin(rows=3, retries=0, twice=False, workers=1, large=False, sources=2)
    machine.leave("first", "wait")
    machine.skip_source(stale=False)
    machine.claim("first", 0)
    machine.join("second")


# What a portal would have to be without for the model to catch it, and the shortest way there.
MUTANTS = {
    share_without_fence: late_save,
    job_without_fence: save_after_the_end,
    two_completions: both_find_nothing_left,
    hasty_verdict: killed_again_and_again,
    early_joining: joined_while_it_opens,
    skipped_source_without_fence: joined_while_numbers_move_on,
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_model_catches_a_portal_without_one_of_its_promises(
    app: Flask, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    way, machine = MUTANTS[mutant], machine_for(app)
    way(machine())
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        way(machine())


@pytest.mark.skipif("MACHINE_SEARCH" not in os.environ, reason="make chaos")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_search_finds_the_way_itself(
    app: Flask, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        run_machine(app, CATCHING)
