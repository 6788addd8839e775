"""The seed's snippets, typed into a real `flask shell`: only the import lines differ."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from portal.accounts import User
from portal.clock import utcnow
from portal.config import ROOT
from portal.database import db
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from tests.support.databases import ON_SQLITE

MakeJob = Callable[..., ScrapingJob]
Shell = Callable[[str], list[str]]

LISTING = """
from portal.jobs.models import ScrapingJob

# Ver todos los jobs
ScrapingJob.objects.all()

# Jobs fallidos
ScrapingJob.objects.filter(status='failed')

# Jobs en timeout
ScrapingJob.objects.filter(status='timeout')

# Jobs que pueden reintentar
failed_jobs = ScrapingJob.objects.filter(status__in=['failed', 'timeout'])
[job for job in failed_jobs if job.can_retry()]

# Jobs de un usuario específico
user = User.objects.get(username='bob')
ScrapingJob.objects.filter(user=user)

# Estadísticas
ScrapingJob.objects.values('status').annotate(count=Count('id'))
"""

SIMULATED_TIMEOUT = """
from portal.jobs.models import ScrapingJob
from datetime import timedelta

# Crear job de prueba
job = ScrapingJob.objects.get(id=123)
job.started_at = timezone.now() - timedelta(minutes=45)
job.status = 'processing'
job.save()

# Verificar timeout
print(job.is_timed_out())  # True
"""

SIMULATED_RETRY = """
# Marcar como fallido
job.mark_as_failed("Error de prueba")

# Verificar si puede reintentar
print(job.can_retry())  # True si retry_count < max_retries

# Reintentar
if job.can_retry():
    job.increment_retry()
    print(f"Reintento {job.retry_count}/{job.max_retries}")

"""

RESET = """
job = ScrapingJob.objects.get(id=123)
job.max_retries = 5
job.retry_count = 0  # Reset contador
job.status = 'failed'  # Para que pueda reintentar
job.save()
"""


@pytest.fixture
def shell(app: Flask) -> Iterator[Shell]:
    """Type lines into `flask --app app shell`, and return what it printed, without its prompts."""

    def typed(text: str) -> list[str]:
        db.session.rollback()
        settings = {name: str(app.config[name]) for name in ("PORTAL_DATA_DIR", "REDIS_URL", "DATABASE_URL")}
        answer = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", "shell"],
            input=text, capture_output=True, text=True, timeout=60, cwd=ROOT,
            env={**os.environ, **settings, "HOME": str(app.config["PORTAL_DATA_DIR"])},
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        assert "Traceback" not in answer.stderr, answer.stderr
        prompts = {">>>", "...", ""}
        lines = (line.replace(">>> ", "").replace("... ", "").strip() for line in answer.stdout.splitlines())
        return [line for line in lines if line not in prompts]

    yield typed


NO_FOREIGN_KEYS = {
    "sqlite": "PRAGMA defer_foreign_keys = ON",
    "postgresql": "SET LOCAL session_replication_role = replica",
}


def numbered(job: ScrapingJob, job_id: int) -> ScrapingJob:
    """Copy a job to the id that the seed's snippets use."""
    db.session.execute(db.text(NO_FOREIGN_KEYS[db.engine.dialect.name]))
    places = {"scraping_jobs": "id", **dict.fromkeys(("numbers", "cells", "attempts", "events"), "job_id")}
    for table, column in places.items():
        db.session.execute(db.text(f"UPDATE {table} SET {column} = :new WHERE {column} = :old"),
                           {"new": job_id, "old": job.id})  # fmt: skip
    db.session.commit()
    db.session.expunge_all()
    return db.session.get_one(ScrapingJob, job_id)


def now_in_database(job_id: int) -> ScrapingJob:
    db.session.rollback()
    return db.session.get_one(ScrapingJob, job_id, populate_existing=True)


def test_the_seeds_listing(shell: Shell, make_job: MakeJob, alice: User, bob: User) -> None:
    waiting, broken, spent, late = (make_job(owner) for owner in (alice, bob, alice, alice))
    deleted = make_job(bob)
    ScrapingJob.delete(deleted.id, "bob@example.com", utcnow())
    broken.mark_as_failed("source_error")
    spent.retry_count = 3
    spent.mark_as_failed("source_error")
    late.mark_as_timeout()
    assert shell(LISTING) == [
        f"[<ScrapingJob {waiting.id}>, <ScrapingJob {broken.id}>, <ScrapingJob {spent.id}>, <ScrapingJob {late.id}>]",
        f"[<ScrapingJob {broken.id}>, <ScrapingJob {spent.id}>]",
        f"[<ScrapingJob {late.id}>]",
        f"[<ScrapingJob {broken.id}>, <ScrapingJob {late.id}>]",
        f"[<ScrapingJob {broken.id}>]",
        "[{'status': 'failed', 'count': 2}, {'status': 'pending', 'count': 1}, {'status': 'timeout', 'count': 1}]",
    ]


def test_the_seeds_timeout_retry_and_reset(
    shell: Shell, runner: FlaskCliRunner, make_job: MakeJob, alice: User
) -> None:
    numbered(make_job(alice), 123)
    assert shell(SIMULATED_TIMEOUT + SIMULATED_RETRY) == ["True", "True", "True", "True", "Reintento 1/3"]
    job = now_in_database(123)
    assert (job.status, job.retry_count, job.last_error) == (Status.RETRYING, 1, "Error de prueba")

    job.mark_as_failed("Error de prueba")
    job.retry_count, job.next_retry_at = 3, None  # as after the last retry
    db.session.commit()
    assert shell(RESET) == []
    answer = runner.invoke(args=["auto-retry-jobs"])
    assert "Job #123 - clientes.xlsx" in answer.stdout and "1/5)" in answer.stdout
    job = now_in_database(123)
    assert (job.status, job.retry_count, job.max_retries) == (Status.RETRYING, 1, 5)


def test_check_scraping_jobs_finds_a_simulated_timeout(
    shell: Shell, runner: FlaskCliRunner, make_job: MakeJob, alice: User
) -> None:
    numbered(make_job(alice), 123)
    assert shell(SIMULATED_TIMEOUT) == ["True"]
    assert "  ⚠ Job #123 (clientes.xlsx) - " in runner.invoke(args=["check-scraping-jobs"]).stdout
    assert now_in_database(123).status == Status.TIMEOUT


@ON_SQLITE
def test_an_open_shell_does_not_block_others(app: Flask, shell: Shell, make_job: MakeJob, alice: User) -> None:
    """The shell itself writes over a second connection that does not wait: a remaining lock would make it fail."""
    job_id = make_job(alice).id
    printed = shell(f"""
job = ScrapingJob.objects.get(id={job_id})
(job.user.email, job.can_retry(), len(ScrapingJob.objects.all()))
import sqlite3
other = sqlite3.connect(db.engine.url.database, timeout=0)
other.execute("UPDATE scraping_jobs SET last_error = 'written meanwhile'").rowcount
other.commit()
""")
    assert printed == ["('alice@example.com', False, 1)", "1"]


@pytest.mark.parametrize("rows_came", [timedelta(days=2), timedelta(minutes=2)])
def test_earlier_rows_do_not_hide_a_simulated_timeout(make_job: MakeJob, alice: User, rows_came: timedelta) -> None:
    job = make_job(alice)
    job.last_progress_at = utcnow() - rows_came
    db.session.commit()
    job.started_at = utcnow() - timedelta(minutes=5)
    job.status = "processing"  # type: ignore[assignment]  # as it is typed in the shell
    job.save()
    assert not job.is_timed_out()
    job.started_at = utcnow() - timedelta(minutes=45)
    job.save()
    assert job.is_timed_out()


def test_saving_keeps_a_final_job_final(make_job: MakeJob, alice: User) -> None:
    job = make_job(alice)
    job.retry_count = job.max_retries
    job.mark_as_failed("source_error")
    job.timeout_minutes = 45
    job.save()
    assert job.next_retry_at is None
    job.max_retries += 1
    job.save()
    assert job.next_retry_at is not None and job.round == 2


def test_an_unknown_status_is_refused(make_job: MakeJob, alice: User) -> None:
    job = make_job(alice)
    job.status = "exploded"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="exploded"):
        job.save()
    assert job.status == Status.PENDING


def test_a_limit_set_by_hand_is_kept(make_job: MakeJob, alice: User) -> None:
    job = make_job(alice)
    job.max_retries, job.timeout_minutes = 5, 45
    job.save()
    job = now_in_database(job.id)
    assert (job.max_retries, job.timeout_minutes) == (5, 45)
