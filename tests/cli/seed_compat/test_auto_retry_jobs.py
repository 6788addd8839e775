"""`auto-retry-jobs`: one pass of the sweep, with lines for cron's log."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.job_tables import Event, SweepState
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob

MakeJob = Callable[..., ScrapingJob]
STAMP = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] "


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LANG", "en")


@pytest.fixture
def late(make_job: MakeJob, alice: User) -> ScrapingJob:
    job = make_job(alice)
    job.mark_as_processing()
    job.started_at = utcnow() - timedelta(minutes=45)
    db.session.commit()
    return job


@pytest.fixture
def due(make_job: MakeJob, alice: User) -> ScrapingJob:
    job = make_job(alice)
    job.mark_as_failed("source_error")
    job.next_retry_at = utcnow() - timedelta(seconds=1)
    db.session.commit()
    return job


def printed_lines(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith(("[2", " "))]


@pytest.mark.parametrize("command", ["auto-retry-jobs", "auto_retry_jobs"])
def test_the_log_has_the_seeds_lines(runner: FlaskCliRunner, late: ScrapingJob, due: ScrapingJob, command: str) -> None:
    answer = runner.invoke(args=[command])
    assert answer.exit_code == 0, answer.output
    first, *between, last = answer.stdout.splitlines()
    assert re.fullmatch(STAMP + r"Starting the automatic check of the jobs\.\.\.", first)
    assert between == [
        f"  ⚠ Timeout detected: Job #{late.id} - clientes.xlsx",
        f"  🔄 Retrying: Job #{due.id} - clientes.xlsx (attempt 1/3)",
        "    → Without Redis: the sweep will send it",
    ]
    assert re.fullmatch(STAMP + "Check completed: 1 timeouts, 1 retries", last)
    db.session.rollback()
    actors = {event.kind: event.actor for event in db.session.query(Event).filter_by(job_id=late.id)}
    assert actors["timeout"] == "system (CLI)"


def test_it_speaks_the_seeds_spanish(
    runner: FlaskCliRunner, late: ScrapingJob, due: ScrapingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "")
    lines = runner.invoke(args=["auto-retry-jobs"]).stdout.splitlines()
    assert re.fullmatch(STAMP + r"Iniciando verificación automática de jobs\.\.\.", lines[0])
    assert lines[1] == f"  ⚠ Timeout detectado: Job #{late.id} - clientes.xlsx"
    assert lines[2] == f"  🔄 Reintentando: Job #{due.id} - clientes.xlsx (intento 1/3)"
    assert re.fullmatch(STAMP + "Verificación completada: 1 timeouts, 1 reintentos", lines[-1])


def test_it_runs_and_records_a_whole_sweep(runner: FlaskCliRunner, make_job: MakeJob, alice: User) -> None:
    final = make_job(alice)
    final.retry_count = final.max_retries
    final.mark_as_failed("source_error")
    gone = make_job(alice)
    gone.mark_as_processing()
    gone.lease_until = utcnow() - timedelta(seconds=1)
    db.session.commit()
    began = utcnow()
    answer = runner.invoke(args=["auto-retry-jobs"])
    assert f"  ⚠ Worker lost: Job #{gone.id} - clientes.xlsx\n    → Returned to the queue\n" in answer.stdout
    assert "0 timeouts, 0 retries, 1 taken back from a lost worker, 1 notice sent" in answer.stdout
    db.session.rollback()
    state = db.session.get_one(SweepState, 1)
    assert state.ended_at is not None and state.ended_at >= began


def test_a_second_run_finds_nothing(runner: FlaskCliRunner, late: ScrapingJob, due: ScrapingJob) -> None:
    runner.invoke(args=["auto-retry-jobs"])
    again = runner.invoke(args=["auto-retry-jobs"])
    assert len(again.stdout.splitlines()) == 2
    assert "Check completed: 0 timeouts, 0 retries" in again.stdout


def test_a_job_not_due_yet_waits(runner: FlaskCliRunner, make_job: MakeJob, alice: User) -> None:
    job = make_job(alice)
    job.mark_as_failed("source_error")
    assert job.next_retry_at is not None and job.next_retry_at > utcnow()
    runner.invoke(args=["auto-retry-jobs"])
    db.session.rollback()
    assert db.session.get_one(ScrapingJob, job.id).status == Status.FAILED


def test_with_redis_it_reports_the_sent_job(app: Flask, runner: FlaskCliRunner, due: ScrapingJob, valkey: str) -> None:
    app.config["REDIS_URL"] = valkey
    answer = runner.invoke(args=["auto-retry-jobs"])
    assert "(attempt 1/3)\n    ✓ Job sent again successfully\n" in answer.stdout
    assert "1 timeouts" not in answer.stdout and "1 job sent to the queue" in answer.stdout
    app.extensions["redis"].close()


def test_a_failed_step_is_exit_code_1(runner: FlaskCliRunner, late: ScrapingJob) -> None:
    late_id = late.id
    db.session.execute(db.text("ALTER TABLE notices RENAME COLUMN due_at TO gone"))
    db.session.commit()
    answer = runner.invoke(args=["auto-retry-jobs"])
    assert answer.exit_code == 1
    assert f"  ⚠ Timeout detected: Job #{late_id} - clientes.xlsx" in answer.stdout.splitlines()
    assert "Not every step could be done. The file logger.log says why." in answer.stderr
