"""Several sources for one file in the terminal: asked in their order, continued where it stopped, and each once."""

from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from portal import sources
from portal.accounts import User
from portal.causes import CauseCode
from portal.database import db
from portal.jobs.core import steps
from portal.jobs.models import ScrapingJob
from portal.sources.base import Answer, SourceStopped
from tests.cli.scraping import records, scrape, spreadsheet
from tests.jobs.attempt.test_steps import asked, calls, says
from tests.jobs.attempt.test_steps_money import CENT, priced
from tests.support.cast import mobile


@pytest.fixture(autouse=True)
def in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return spreadsheet(tmp_path / "clientes.xlsx", [mobile(n) for n in range(6)])


def jobs() -> list[ScrapingJob]:
    return list(db.session.scalars(select(ScrapingJob).order_by(ScrapingJob.id)))


def test_one_after_the_other_in_one_run(runner: FlaskCliRunner, ada: User, file: Path, tmp_path: Path) -> None:
    with asked(first="+-", second="-+-", third="+") as (first, second, third):
        how = ("--source", "first", "--then", "second", "--then", "third", "--then-mode", "not_found", "--then-mode",
               "beside", "--columns", "all")  # fmt: skip
        done = scrape(runner, file, "-o", tmp_path / "out.xlsx", *how)
        assert done.exit_code == 0, done.output
        assert "all 6 numbers are ready" in done.stderr
        assert (calls(first), calls(second), calls(third)) == ([*range(6)], [1, 3, 5], [*range(6)])
        (job,) = jobs()
        assert [(one.source, one.rule) for one in steps.of_job(job)] == [
            ("first", "first"), ("second", "not_found"), ("third", "beside")
        ]  # fmt: skip
        assert [row["Source"] for row in records(tmp_path / "out.xlsx")][:2] == ["first + third", "second + third"]
        again = scrape(runner, file, "-o", tmp_path / "out.xlsx", *how)
        assert "Use --again" in again.stderr and len(jobs()) == 1
        other = scrape(runner, file, "-o", tmp_path / "out.xlsx", "--source", "first", "--then", "second")
        assert other.exit_code == 0 and len(jobs()) == 2, "other sources are another job"


def test_it_continues_at_the_source_where_it_stopped(
    runner: FlaskCliRunner, ada: User, file: Path, tmp_path: Path
) -> None:
    with asked(first="-", second="+") as (first, second):

        def refuses(e164: str) -> Answer:
            del second.calls[e164]
            raise SourceStopped(CauseCode.NO_CREDIT)

        second.script = refuses
        words = (runner, file, "-o", tmp_path / "out.xlsx", "--source", "first", "--then", "second")
        stopped = scrape(*words)
        assert stopped.exit_code == 1 and "The credit at the source has run out." in stopped.stderr
        assert "The source is busy" in scrape(*words).stderr
        second.script = says("second", "+")
        db.session.execute(db.update(ScrapingJob).values(not_before=None))
        db.session.commit()
        done = scrape(*words)
        assert done.exit_code == 0, done.output
        assert (calls(first), calls(second), len(jobs())) == ([*range(6)], [*range(6)], 1)


def test_each_has_a_limit_of_its_own_that_a_later_run_may_raise(
    runner: FlaskCliRunner, ada: User, file: Path, tmp_path: Path
) -> None:
    with priced(tmp_path, "cheap", "0.01"), priced(tmp_path, "dear", "0.05"):
        words = (
            runner,
            file,
            "-o",
            tmp_path / "out.xlsx",
            "--source",
            "cheap",
            "--then",
            "dear",
            "--then-mode",
            "beside",
        )
        stopped = scrape(*words, "--then-cap", "0.10")
        assert stopped.exit_code == 1 and "The spending limit is reached." in stopped.stderr
        (job,) = jobs()
        assert [one.cost for one in steps.of_job(job)] == [6 * CENT, 10 * CENT]
        assert scrape(*words, "--then-cap", "0,50").exit_code == 0
        db.session.rollback()
        assert [one.cost for one in steps.of_job(job)] == [6 * CENT, 30 * CENT]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--then", "nowhere"], "The source nowhere does not exist. Available:"),
        (["--then", "first"], "A source is chosen twice."),
        (["--then-mode", "beside"], "There are more values of --then-mode than of --then."),
        (
            ["--then", "second", "--then-cap", "1", "--then-cap", "1"],
            "There are more values of --then-cap than of --then.",
        ),
        (["--then", "second", "--then-cap", "much"], "Write the limit as an amount, such as 25.00."),
        (["--then", "second", "--then-mode", "first"], "'first' is not one of"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_asked(
    runner: FlaskCliRunner, ada: User, file: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    with asked(first="+", second="+") as (first, _):
        done = scrape(runner, file, "-o", tmp_path / "out.xlsx", "--source", "first", *words)
        assert done.exit_code in (1, 2) and said in " ".join(done.stderr.split()) and not first.calls and not jobs()


def test_the_help_says_how(runner: FlaskCliRunner) -> None:
    words = " ".join(scrape(runner, "--help").stdout.split())
    assert "--then NAME" in words and "--then-mode [not_found|no_answer|beside]" in words and "--then-cap" in words
    assert "offline" in sources.names()
