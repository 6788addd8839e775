"""Everybody acts on one job in any order, on each database, and it never reaches a forbidden state.

`make test` takes 1,000 steps; `make chaos` sets MACHINE_STEPS to 10,000.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from portal.database import db
from portal.jobs.models import ScrapingJob
from tests.jobs.machine import JobMachine
from tests.support import cast

STEPS_OF_A_RUN = 50
STEPS = settings(
    max_examples=int(os.environ.get("MACHINE_STEPS", "1000")) // STEPS_OF_A_RUN,
    stateful_step_count=STEPS_OF_A_RUN,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


# The same runs every time, up to the first that catches it: a test of the model must not depend on luck.
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


def run_machine(app: Flask, steps: settings = STEPS) -> None:
    owner = cast.make_user("alice@example.com")
    run_state_machine_as_test(type("Machine", (JobMachine,), {"app": app, "owner_id": owner.id}), settings=steps)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nobody_can_bring_a_job_into_a_forbidden_state(either_app: Flask) -> None:
    run_machine(either_app)


def test_without_the_fence_the_model_catches_a_late_worker(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScrapingJob, "held_by", classmethod(lambda cls, job_id, attempt: (cls.id == job_id,)))
    with pytest.raises(AssertionError):
        run_machine(app, CATCHING)
