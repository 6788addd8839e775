"""`make seed`: examples for every page, made with the same functions as real files and jobs."""

import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from openpyxl import load_workbook

from portal.accounts import User, Visitor, sign_in
from portal.cli.seed import ADA, ANA, LUIS
from portal.clock import utcnow
from portal.database import db
from portal.documents.models import Document, Reading
from portal.jobs.core.job_columns import COUNTERS
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep.steps import sweep
from portal.sources.base import Outcome
from tests.support import cast, databases


@pytest.fixture(autouse=True)
def in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the command once; return its data directory and what it printed."""
    folder = tmp_path_factory.mktemp("seeded")
    app = cast.make_app(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LC_ALL", "en_US.UTF-8")
        done = app.test_cli_runner().invoke(args=["seed"])
    assert done.exit_code == 0, done.output
    with app.app_context():
        db.engine.dispose()
    return folder / "data", str(done.output)


@pytest.fixture
def said(app: Flask, seeded: tuple[Path, str]) -> str:
    """Copy all that the command made into this test's portal; return what it printed."""
    if databases.USUAL == "postgresql":  # a database of its own cannot be copied with the folder
        db.session.remove()
        return str(app.test_cli_runner().invoke(args=["seed"]).output)
    made, output = seeded
    here = Path(app.config["PORTAL_DATA_DIR"])
    db.session.remove()
    db.engine.dispose()
    shutil.rmtree(here)
    shutil.copytree(made, here)
    return output.replace(str(made), str(here))


def jobs() -> list[ScrapingJob]:
    return list(db.session.scalars(db.select(ScrapingJob).order_by(ScrapingJob.id)))


def test_every_status_and_kind_of_waiting(said: str) -> None:
    assert {job.status for job in jobs()} == set(Status)
    assert any(job.paused_at for job in jobs())
    assert any(job.not_before and job.not_before > utcnow() for job in jobs())
    assert any(job.status == Status.FAILED and job.next_retry_at and job.next_retry_at > utcnow() for job in jobs())
    assert any(job.status == Status.FAILED and job.next_retry_at is None for job in jobs())


def test_counters_match_the_rows(said: str) -> None:
    for job in jobs():
        counted = dict(
            db.session.execute(
                db.select(CellAnswer.outcome, db.func.count())
                .where(CellAnswer.job_id == job.id)
                .group_by(CellAnswer.outcome)
            ).all()
        )
        assert {outcome: getattr(job, name) for outcome, name in COUNTERS.items() if getattr(job, name)} == {
            outcome: count for outcome, count in counted.items() if outcome != Outcome.WAITING
        }
        assert sum(counted.values()) == job.total_numbers


def test_nothing_is_from_the_future(said: str) -> None:
    for job in jobs():
        for at in (job.created_at, job.started_at, job.completed_at, job.last_progress_at, job.updated_at):
            assert at is None or at <= utcnow()


def test_examples_stay_while_the_portal_runs(said: str) -> None:
    before = {job.id: job.status for job in jobs()}
    db.session.rollback()

    sweep(utcnow() + timedelta(hours=5))

    db.session.expire_all()
    assert {job.id: job.status for job in jobs()} == before


def test_the_printed_passwords_work(said: str) -> None:
    passwords = dict(re.findall(r"(\S+@example\.com) can sign in with the password (\S+)", said))
    assert set(passwords) == {ADA, ANA, LUIS} and len(set(passwords.values())) == 3
    db.session.rollback()
    for email, password in passwords.items():
        assert sign_in(email, password, Visitor("127.0.0.1"), utcnow()) is not None
    admins = db.session.scalars(db.select(User.email).where(User.is_admin)).all()
    assert admins == [ADA]


def test_unstarted_refused_and_sample_files(said: str, app: Flask) -> None:
    started = db.select(ScrapingJob.document_id)
    others = db.session.scalars(db.select(Document).where(Document.id.not_in(started))).all()
    assert {document.state for document in others} == {Reading.READY, Reading.REFUSED}
    sample = Path(app.config["PORTAL_DATA_DIR"]) / "clientes-de-ejemplo.xlsx"
    assert str(sample) in said
    rows = list(load_workbook(sample).worksheets[0].iter_rows(values_only=True))
    assert len(rows) == 251 and rows[4][3] == "=1+1"


def test_a_second_run_needs_again(said: str, runner: FlaskCliRunner) -> None:
    before = len(jobs())

    refused = runner.invoke(args=["seed"])
    assert refused.exit_code == 1
    assert "The examples already exist" in refused.output
    assert len(jobs()) == before

    again = runner.invoke(args=["seed", "--again"])
    assert again.exit_code == 0, again.output
    assert len(jobs()) == 2 * before
    assert "already exists and keeps the same password" in again.output
    assert db.session.scalar(db.select(db.func.count(User.id))) == 3
