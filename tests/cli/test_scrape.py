"""A whole file in the terminal: read, looked up, written, and continued after an interruption."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from portal import sources
from portal.accounts import User, make_setup_link
from portal.cli.language import terminal_language
from portal.clock import utcnow
from portal.config import ROOT
from portal.database import db
from portal.documents.models import Document
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.run_in_terminal import TERMINAL
from portal.sources.base import Answer, Outcome
from tests.cli.scraping import records, scrape, spreadsheet
from tests.support import databases
from tests.support.cast import mobile
from tests.support.sources import CountingSource


@pytest.fixture(autouse=True)
def in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")


@pytest.fixture
def source() -> Iterator[CountingSource]:
    counting = CountingSource()
    sources.register("counting", lambda: counting)
    yield counting
    sources.unregister("counting")


def test_it_looks_up_and_writes_a_file(runner: FlaskCliRunner, ada: User, tmp_path: Path) -> None:
    file = spreadsheet(tmp_path / "clientes.xlsx", [mobile(1), "0034" + mobile(2), "nada", mobile(1)])

    done = scrape(runner, file, "-o", tmp_path / "out.xlsx", "--columns", "all")

    assert done.exit_code == 0, done.output
    assert "all 4 numbers are ready" in done.stderr and not done.stdout
    found = records(tmp_path / "out.xlsx")
    assert [row["Status"] for row in found] == ["Found", "Found", "Invalid", "Found"]
    assert found[1]["International number"] == "+34" + mobile(2)
    assert found[3]["Duplicate of row"] == 2


def test_several_columns_are_one_job_and_the_same_ones_are_not_looked_up_again(
    runner: FlaskCliRunner, ada: User, tmp_path: Path, source: CountingSource
) -> None:
    file = tmp_path / "clientes.csv"
    file.write_text(f"Fijo;Otro;Móvil\n911111111;a;{mobile(1)}\n;b;{mobile(2)} / {mobile(1)}\n")
    for columns in (("--column", "Fijo", "--column", "c"), ("--column", "Móvil", "--column", "A"), ()):
        done = scrape(runner, file, "-o", tmp_path / "out.xlsx", "--source", "counting", *columns)
        assert done.exit_code == 0, done.output
        assert "all 4 numbers are ready" in done.stderr
    assert set(source.calls.values()) == {1} and len(source.calls) == 3
    found = records(tmp_path / "out.xlsx")
    assert [row["Fijo: status"] for row in found] == ["Found", None]
    assert [row["Móvil: status"] for row in found] == ["Found", "Found"]
    wrong = scrape(runner, file, "-o", tmp_path / "out.xlsx", "--column", "Fijo", "--column", "Fax")
    assert wrong.exit_code != 0 and "The column Fax does not exist" in wrong.output


def test_it_is_the_same_job_as_on_the_pages(runner: FlaskCliRunner, ada: User, tmp_path: Path) -> None:
    scrape(runner, spreadsheet(tmp_path / "clientes.xlsx", [mobile(1)]), "-o", tmp_path / "out.csv")

    job = db.session.scalars(db.select(ScrapingJob)).one()

    assert (job.user_id, job.status, job.file_name, job.attempt) == (ada.id, Status.COMPLETED, "clientes.xlsx", 1)
    assert job.enqueued_at is None  # nothing was pushed, so that no worker takes the job


def test_it_continues_after_an_interruption(
    runner: FlaskCliRunner, ada: User, source: CountingSource, tmp_path: Path
) -> None:
    file = spreadsheet(tmp_path / "clientes.xlsx", [mobile(n) for n in range(6)])
    out = tmp_path / "out.xlsx"

    def pressing_ctrl_c(e164: str) -> Answer:
        if source.calls.total() == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return Answer(Outcome.FOUND, {"seen": e164})

    source.script = pressing_ctrl_c
    first = scrape(runner, file, "-o", out, "--source", "counting")
    job = db.session.scalars(db.select(ScrapingJob)).one()

    assert first.exit_code == 130, first.output
    assert "3 of 6 numbers are ready" in first.output and "Run the same command again" in first.output
    assert job.status == Status.RETRYING and job.paused_at is not None  # paused, so that no worker continues it
    assert sum(row["Status"] == "Found" for row in records(out)) == 3

    second = scrape(runner, file, "-o", out, "--source", "counting")
    db.session.refresh(job)

    assert second.exit_code == 0, second.output
    assert "Continuing: 3 of 6 numbers are ready" in second.output
    assert job.status == Status.COMPLETED
    assert set(source.calls.values()) == {1} and source.calls.total() == 6
    assert db.session.scalar(db.select(db.func.count(ScrapingJob.id))) == 1


def test_a_second_run_looks_up_what_is_unanswered(
    runner: FlaskCliRunner, ada: User, source: CountingSource, tmp_path: Path
) -> None:
    file = spreadsheet(tmp_path / "clientes.xlsx", [mobile(1), mobile(2)])
    out = tmp_path / "out.xlsx"
    bad = f"+34{mobile(2)}"
    source.script = lambda e164: Answer(Outcome.FAILED, reason="temporary") if e164 == bad else Answer(Outcome.FOUND)

    first = scrape(runner, file, "-o", out, "--source", "counting")

    assert first.exit_code == 1
    assert "1 of 2 numbers are ready" in first.output and "did not answer for some" in first.output
    assert records(out)[1]["Status"] == "No answer"

    source.script = lambda e164: Answer(Outcome.FOUND)
    assert scrape(runner, file, "-o", out, "--source", "counting").exit_code == 0
    assert source.calls == {f"+34{mobile(1)}": 1, bad: 2}


def test_a_complete_file_is_looked_up_only_with_again(
    runner: FlaskCliRunner, ada: User, source: CountingSource, tmp_path: Path
) -> None:
    file = spreadsheet(tmp_path / "clientes.xlsx", [mobile(1)])
    copy = tmp_path / "otro nombre.xlsx"
    shutil.copy(file, copy)
    scrape(runner, file, "-o", tmp_path / "one.xlsx", "--source", "counting")

    again = scrape(runner, copy, "-o", tmp_path / "two.xlsx", "--source", "counting")

    assert again.exit_code == 0
    assert "These numbers were looked up on" in again.output
    assert records(tmp_path / "two.xlsx") == records(tmp_path / "one.xlsx")
    assert source.calls.total() == 1

    assert scrape(runner, file, "-o", tmp_path / "three.xlsx", "--source", "counting", "--again").exit_code == 0
    assert source.calls.total() == 2
    assert db.session.scalar(db.select(db.func.count(Document.id))) == 1  # the same content is kept once


def test_a_killed_job_continues_after_its_lease(
    runner: FlaskCliRunner, ada: User, source: CountingSource, tmp_path: Path
) -> None:
    file = spreadsheet(tmp_path / "clientes.xlsx", [mobile(1), mobile(2)])
    arguments = (file, "-o", tmp_path / "out.xlsx", "--source", "counting")
    source.script = lambda e164: Answer(Outcome.FAILED, reason="temporary")
    scrape(runner, *arguments)
    job = db.session.scalars(db.select(ScrapingJob)).one()
    ScrapingJob.retry(job.id, job.round, "ada", utcnow())
    ScrapingJob.claim(job.id, job.attempt, utcnow(), worker="killed", lease_seconds=60)
    db.session.commit()
    source.script = lambda e164: Answer(Outcome.FOUND)

    held = scrape(runner, *arguments)
    assert held.exit_code == 1 and "The portal is working on this file" in held.output

    job.lease_until = utcnow() - timedelta(seconds=1)
    db.session.commit()
    assert scrape(runner, *arguments).exit_code == 0


def test_a_busy_source_says_until_when(
    runner: FlaskCliRunner, ada: User, source: CountingSource, tmp_path: Path
) -> None:
    def busy(e164: str) -> Answer:
        raise sources.base.SourceBusy("source_busy", 3600)

    file = spreadsheet(tmp_path / "clientes.xlsx", [mobile(1)])
    source.script = busy
    assert scrape(runner, file, "-o", tmp_path / "out.xlsx", "--source", "counting").exit_code == 1

    again = scrape(runner, file, "-o", tmp_path / "out.xlsx", "--source", "counting")

    assert again.exit_code == 1 and "The source is busy. Run the command again after" in again.output


def test_it_needs_no_admin_and_allows_the_first_one(runner: FlaskCliRunner, app: Flask, tmp_path: Path) -> None:
    done = scrape(runner, spreadsheet(tmp_path / "clientes.xlsx", [mobile(1)]), "-o", tmp_path / "out.xlsx")

    assert done.exit_code == 0, done.output
    nobody = db.session.scalars(db.select(User)).one()
    assert (nobody.email, nobody.is_active, nobody.is_admin) == (TERMINAL, False, False)
    db.session.rollback()
    assert make_setup_link(utcnow()) is not None


def test_spanish_is_the_default_language() -> None:
    assert terminal_language({"LC_ALL": "", "LANG": "en_GB.UTF-8"}, "es") == "en"
    assert terminal_language({"LC_ALL": "C.UTF-8", "LANG": "en_GB.UTF-8"}, "es") == "es"
    assert terminal_language({"LANG": "de_DE.UTF-8"}, "es") == "es"
    assert terminal_language({}, "en") == "en"


@pytest.mark.slow
def test_a_new_machine_and_a_real_ctrl_c(tmp_path: Path, usual_database: dict[str, str]) -> None:
    """A separate process on an empty data directory and database, stopped in the middle by a real Ctrl-C."""
    file = spreadsheet(tmp_path / "clientes.xlsx", [mobile(n) for n in range(4000)])
    environ = {
        "PATH": os.environ["PATH"], "PORTAL_DATA_DIR": str(tmp_path / "data"), "LC_ALL": "en_US.UTF-8",
        "REDIS_URL": "redis://127.0.0.1:1/0", **usual_database,
    }  # fmt: skip
    command = [sys.executable, "-m", "flask", "--app", "app", "scrape", str(file), "-o", str(tmp_path / "out.xlsx")]
    first = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
    _wait_for_first_rows(usual_database.get("DATABASE_URL") or tmp_path / "data" / "masterfilter.db", first)
    first.send_signal(signal.SIGINT)
    said = first.communicate(timeout=60)[1]

    assert first.returncode == 130, said
    assert "Creating its tables" in said and "Run the same command again" in said

    second = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 0, second.stderr
    assert "Continuing:" in second.stderr and "all 4,000 numbers are ready" in second.stderr
    assert {row["Status"] for row in records(tmp_path / "out.xlsx")} == {"Found"}


def _wait_for_first_rows(database: str | Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if isinstance(database, str) or database.exists():
                [(ready,)] = databases.query(database, "SELECT max(processed_numbers) FROM scraping_jobs")
                if ready:
                    return
        except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            pass  # no tables yet
        time.sleep(0.002)
    raise AssertionError(f"no row came in: {process.communicate(timeout=5)}")
