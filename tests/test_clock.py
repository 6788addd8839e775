"""The portal's clock is the database's: a machine whose own clock is off takes no job away, and nothing goes back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from portal import clock, database_clock
from portal.clock import utcnow
from portal.database import db
from portal.jobs.attempt.heartbeat import beat
from portal.jobs.core.job_tables import SweepState
from portal.jobs.core.status import Status
from portal.jobs.health import processes
from portal.jobs.health.checks import HealthState, finding
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from portal.jobs.worker.scheduler import sweep_is_late
from tests.support import cast
from tests.support.databases import ON_BOTH, ON_POSTGRESQL

LEASE = 60


@pytest.fixture(autouse=True)
def own_clock() -> Iterator[None]:
    """The machine's own clock again after the test."""
    yield
    database_clock._follows = False
    clock.look_first(None)
    clock.set_clock(None)


def connect_anew() -> None:
    db.session.remove()
    db.engine.dispose()
    database_clock.follow_clock(db.engine)


@ON_POSTGRESQL
@pytest.mark.parametrize("seconds", [70, -70])
def test_a_machine_whose_clock_is_off_goes_by_the_databases(app, alice, make_job, seconds: int) -> None:
    job = make_job(alice, 3)
    ScrapingJob.claim(job.id, 0, utcnow(), worker="elsewhere", lease_seconds=LEASE)
    db.session.commit()
    job_id = job.id
    right = datetime.now(UTC)
    with time_machine.travel(right + timedelta(seconds=seconds), tick=True):
        connect_anew()
        assert list(steps.take_back_lost(utcnow())) == [], "its worker lives"
        assert db.session.get_one(ScrapingJob, job_id).status == Status.PROCESSING
        assert abs(utcnow() - right) < timedelta(seconds=20)
        assert abs(clock.skew_seconds() - seconds) < 20
        with time_machine.travel(right - timedelta(hours=1), tick=True):
            assert abs(utcnow() - right) < timedelta(seconds=20), "a step of the machine's clock moves nothing"


@ON_POSTGRESQL
def test_a_beat_looks_at_the_clock_again(app, alice, make_job) -> None:
    job = make_job(alice, 3)
    ScrapingJob.claim(job.id, 0, utcnow(), worker="here", lease_seconds=LEASE)
    holding, right = cast.hold(job, utcnow(), LEASE, worker="here"), datetime.now(UTC)
    connect_anew()
    with db.engine.connect():  # the pool has a connection: a new one would look too, as the first `utcnow` does
        utcnow()
    clock.set_clock(right - timedelta(minutes=10), clock.uptime_seconds())  # set right since the last look
    assert beat(db.engine, holding, utcnow(), LEASE)
    assert abs(utcnow() - right) < timedelta(seconds=20)


@ON_POSTGRESQL
def test_health_names_the_machine_whose_clock_is_off(app) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=70), tick=True):
        connect_anew()
        url = db.engine.url.render_as_string(hide_password=False)
        processes.Reporter(url, "scrape", utcnow()).report(utcnow())
        found = finding("clock", utcnow())
    assert found.state == HealthState.WARN
    assert [60 < seconds < 80 for seconds in found.facts["wrong"].values()] == [True]


@pytest.mark.parametrize(("ended", "late"), [(-119, False), (-121, True), (119, False), (3600, True)])
def test_a_sweep_that_ended_in_the_future_is_late_too(app, now: datetime, ended: int, late: bool) -> None:
    db.session.add(SweepState(id=1, ended_at=now + timedelta(seconds=ended)))
    db.session.commit()
    assert sweep_is_late(now, 60) is late, "the clock was set back, and nobody sweeps"


@ON_BOTH
def test_the_clock_of_a_single_machine_is_its_own(app, now: datetime) -> None:
    with db.engine.connect() as connection:
        database_clock.measure_clock(connection)
    with time_machine.travel(now, tick=False):
        assert utcnow() == now
        assert finding("clock", utcnow()).state == HealthState.WELL
