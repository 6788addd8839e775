"""`check-scraping-jobs`: the seed's report, the sweep's steps, and a dry run that changes nothing."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from portal.accounts import User
from portal.application import build
from portal.clock import utcnow
from portal.config import read_settings
from portal.database import db
from portal.jobs.core.job_tables import Event
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from tests.support import cast

MakeJob = Callable[..., ScrapingJob]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")


def silent_for(job: ScrapingJob, minutes: float, *, row_after: float | None = None) -> ScrapingJob:
    """Let a living worker have had a job for `minutes`; `row_after`: minutes from the start to its last row."""
    assert job.mark_as_processing()
    job.started_at = utcnow() - timedelta(minutes=minutes)
    if row_after is not None:
        job.last_progress_at = job.started_at + timedelta(minutes=row_after)
    db.session.commit()
    return job


def failed(job: ScrapingJob, retries: int = 0) -> ScrapingJob:
    job.retry_count = retries
    assert job.mark_as_failed("source_error")
    if job.next_retry_at:
        job.next_retry_at = utcnow() + timedelta(seconds=1)  # earlier than the retry of a job that times out only now
        db.session.commit()
    return job


def lost(job: ScrapingJob) -> ScrapingJob:
    silent_for(job, 90)
    job.lease_until = utcnow() - timedelta(minutes=89)
    db.session.commit()
    return job


def status_of(job: ScrapingJob) -> Status:
    db.session.rollback()
    return db.session.get_one(ScrapingJob, job.id, populate_existing=True).status


def every_row(app: Flask) -> list[str]:
    db.session.rollback()
    tables = db.metadata.sorted_tables
    rows = [f"{table.name} {sorted(map(str, db.session.execute(table.select())))}" for table in tables]
    db.session.rollback()
    return rows


def test_the_report_has_the_seeds_layout(runner: FlaskCliRunner, make_job: MakeJob, alice: User) -> None:
    late = silent_for(make_job(alice), 45.3)
    broken = failed(make_job(alice))
    final = failed(make_job(alice), retries=3)
    make_job(alice)
    answer = runner.invoke(args=["check-scraping-jobs", "--retry-failed"])
    assert answer.exit_code == 0, answer.output
    printed = "\n".join(line for line in answer.stdout.splitlines() if not line.startswith("{"))
    rule = "=" * 70
    assert (
        printed
        == f"""{rule}
Checking scraping jobs...
{rule}

1. Checking for timed-out jobs (>30 min)...
  ⚠ Job #{late.id} (clientes.xlsx) - User: alice@example.com - Elapsed time: 45.3 min
    → Marked as TIMEOUT
  → 1 job marked as timeout

2. Retrying failed jobs...
  🔄 Job #{broken.id} (clientes.xlsx) - User: alice@example.com - Retry 1/3
    → Without Redis: the sweep will send it
  🔄 Job #{late.id} (clientes.xlsx) - User: alice@example.com - Retry 1/3
    → Without Redis: the sweep will send it
  ✓ 2 jobs retried

3. General statistics:
  📊 Pending:    1
  ⚙️  Processing: 0
  ✅ Completed:  0
  ❌ Failed:     1
  ⏱️  Timeout:    0
  🔄 Retrying:   2
  🚫 Cancelled:  0
  ━━━━━━━━━━━━━━━━━━━━
  📈 Total:      4

✓ Check completed"""
    )
    assert [status_of(job) for job in (late, broken, final)] == [Status.RETRYING, Status.RETRYING, Status.FAILED]
    kinds = {event.kind: event.actor for event in db.session.query(Event).filter_by(job_id=late.id)}
    assert (kinds["timeout"], kinds["retry_due"], kinds["started"]) == ("system (CLI)", "system (CLI)", None)


def test_it_speaks_the_seeds_spanish_by_default(
    runner: FlaskCliRunner, make_job: MakeJob, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    late, broken = silent_for(make_job(alice), 45.3), failed(make_job(alice))
    answer = runner.invoke(args=["check_scraping_jobs", "--retry-failed"])
    assert answer.exit_code == 0, answer.output
    for line in (
        "Verificando jobs de scraping...",
        "1. Verificando jobs en timeout (>30 min)...",
        f"  ⚠ Job #{late.id} (clientes.xlsx) - Usuario: alice@example.com - Tiempo transcurrido: 45.3 min",
        "    → Marcado como TIMEOUT",
        "  → 1 jobs marcados como timeout",
        "2. Reintentando jobs fallidos...",
        f"  🔄 Job #{broken.id} (clientes.xlsx) - Usuario: alice@example.com - Reintento 1/3",
        "  ✓ 2 jobs reintentados",
        "3. Estadísticas generales:",
        "  📊 Pendientes:   0",
        "  ⚙️  Procesando:   0",
        "  ✅ Completados:  0",
        "  ❌ Fallidos:     0",
        "  ⏱️  Timeout:      0",
        "  🔄 Reintentando: 2",
        "  🚫 Cancelados:   0",
        "  ━━━━━━━━━━━━━━━━━━━━",
        "  📈 Total:        2",
        "✓ Verificación completada",
    ):
        assert line in answer.stdout.splitlines()


@pytest.mark.parametrize("options", [["--dry-run"], ["--dry-run", "--retry-failed", "--timeout-minutes", "5"]])
def test_a_dry_run_changes_nothing(
    app: Flask, runner: FlaskCliRunner, make_job: MakeJob, alice: User, options: list[str]
) -> None:
    late, gone, broken = silent_for(make_job(alice), 45), lost(make_job(alice)), failed(make_job(alice))
    make_job(alice)
    before = every_row(app)
    assert any("sweep_state" in line for line in before)
    answer = runner.invoke(args=["check-scraping-jobs", *options])
    assert answer.exit_code == 0, answer.output
    assert every_row(app) == before
    assert f"Job #{late.id} (clientes.xlsx)" in answer.stdout and "[DRY RUN] Marked as TIMEOUT" in answer.stdout
    assert f"Job #{gone.id} (clientes.xlsx)" in answer.stdout and "[DRY RUN] Returned to the queue" in answer.stdout
    assert "1 job would be marked as timeout" in answer.stdout
    if "--retry-failed" in options:
        assert f"🔄 Job #{broken.id} (clientes.xlsx) - User: alice@example.com - Retry 1/3" in answer.stdout
        assert "2 jobs would be retried" in answer.stdout


def test_a_dry_run_announces_the_real_run(runner: FlaskCliRunner, make_job: MakeJob, alice: User) -> None:
    silent_for(make_job(alice), 45)
    lost(make_job(alice))
    failed(make_job(alice))

    def named(*options: str) -> list[str]:
        printed = runner.invoke(args=["check-scraping-jobs", "--retry-failed", *options]).stdout
        return sorted(re.findall(r"[⚠🔄] Job #\d+ .*? - (?:Elapsed|Its|Retry \d/\d)", printed))

    announced = named("--dry-run")
    assert len(announced) == 4
    assert named() == announced


def test_without_retry_failed_it_only_counts(runner: FlaskCliRunner, make_job: MakeJob, alice: User) -> None:
    job = failed(make_job(alice))
    answer = runner.invoke(args=["check-scraping-jobs"])
    assert "2. Failed jobs: 1 job can be retried (with --retry-failed)" in answer.stdout
    assert status_of(job) == Status.FAILED


def test_timeout_minutes_replaces_each_jobs_limit(runner: FlaskCliRunner, make_job: MakeJob, alice: User) -> None:
    job = silent_for(make_job(alice), 45)
    longer = runner.invoke(args=["check-scraping-jobs", "--timeout-minutes", "60"])
    assert "(>60 min)" in longer.stdout and "0 jobs marked as timeout" in longer.stdout
    assert status_of(job) == Status.PROCESSING
    runner.invoke(args=["check-scraping-jobs", "--timeout-minutes", "44"])
    assert status_of(job) == Status.TIMEOUT


def test_a_job_with_progress_is_left_alone(runner: FlaskCliRunner, make_job: MakeJob, alice: User) -> None:
    moving, stuck = silent_for(make_job(alice), 180, row_after=179), silent_for(make_job(alice), 180, row_after=120)
    printed = runner.invoke(args=["check-scraping-jobs"]).stdout
    assert status_of(moving) == Status.PROCESSING
    assert status_of(stuck) == Status.TIMEOUT
    assert "Elapsed time: 180.0 min - 60.0 min since the last row" in printed


def test_a_lost_worker_is_not_a_timeout(runner: FlaskCliRunner, make_job: MakeJob, alice: User) -> None:
    job = lost(make_job(alice))
    printed = runner.invoke(args=["check-scraping-jobs"]).stdout
    assert "Its worker stopped answering" in printed and "0 jobs marked as timeout" in printed
    assert status_of(job) == Status.RETRYING


def test_a_retried_job_is_in_redis(
    tmp_path: Path, valkey: str, monkeypatch: pytest.MonkeyPatch, usual_database: dict[str, str]
) -> None:
    app = cast.make_app(tmp_path, REDIS_URL=valkey, **usual_database)
    with app.app_context():
        job_id = failed(cast.make_job(app, cast.make_user("alice@example.com"))).id
        db.session.remove()
        answer = app.test_cli_runner().invoke(args=["check-scraping-jobs", "--retry-failed"])
        assert "    → Job sent again successfully" in answer.stdout.splitlines()
        assert db.session.get_one(ScrapingJob, job_id).enqueued_at is not None
        db.session.remove()
        db.engine.dispose()
        app.extensions["redis"].close()


@pytest.mark.parametrize(
    "command", ["check-scraping-jobs", "auto-retry-jobs", "check_scraping_jobs", "auto_retry_jobs"]
)
def test_a_missing_database_is_exit_code_1(tmp_path: Path, command: str) -> None:
    environ = {"PORTAL_DATA_DIR": str(tmp_path), "REDIS_URL": cast.DEAD_REDIS}
    app = build(read_settings({**environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}))
    answer = app.test_cli_runner().invoke(args=[command])
    assert answer.exit_code == 1
    assert "There is a problem with the database" in answer.stderr
    assert "Traceback" not in answer.output and "Error(" not in answer.output


@pytest.mark.parametrize("options", [["--timeout-minutes", "0"], ["--timeout-minutes", "soon"], ["--retry"], ["now"]])
def test_wrong_usage_is_exit_code_2(runner: FlaskCliRunner, options: list[str]) -> None:
    assert runner.invoke(args=["check-scraping-jobs", *options]).exit_code == 2
