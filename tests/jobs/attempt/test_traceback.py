"""An error in the program during an attempt: its traceback is kept with the attempt, without secrets."""

from pathlib import Path
from shutil import copytree

import pytest
from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs.attempt import answer_buffer, outcome
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.job_tables import Attempt
from portal.jobs.core.retry_backoff import Backoff
from portal.sources import catalogue
from portal.sources.recipes.folder import EXAMPLES
from tests.support.cast import NOW

GIVEN = Conditions("w", 60, Backoff(1), clock=lambda: NOW)


def kept() -> list[str | None]:
    db.session.rollback()
    return list(db.session.scalars(select(Attempt.traceback)))


def test_a_source_that_breaks_leaves_its_first_traceback(alice: User, make_job, counting) -> None:
    run(make_job(alice, 3, source="counting").id, 0, GIVEN)
    assert kept() == [None], "what goes well leaves none"

    def breaks(e164: str) -> object:
        raise KeyError(f"no field for {e164[-1]}")

    counting.lookup = breaks
    run(make_job(alice, 3, source="counting").id, 0, GIVEN)
    _, text = kept()
    assert text and text.startswith("Traceback") and "KeyError: 'no field for" in text and text.count("Traceback") == 1


def test_a_fault_of_our_own_is_kept_too_and_goes_on_up(
    alice: User, make_job, counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **more: object) -> None:
        raise RuntimeError("rows do not add up")

    monkeypatch.setattr(answer_buffer, "save", broken)
    with pytest.raises(RuntimeError):
        run(make_job(alice, 3, source="counting").id, 0, GIVEN)
    assert "rows do not add up" in (kept()[0] or "")


def test_no_secret_gets_into_it(tmp_path: Path) -> None:
    copytree(EXAMPLES, tmp_path / "recipes")
    name = next(found.missing[0] for found in catalogue.configure(None, tmp_path / "recipes", {}) if found.missing)
    catalogue.configure(None, tmp_path / "recipes", {name: "s3cr3t/key"})
    try:
        said = "asked https://x/?key=s3cr3t%2Fkey with s3cr3t/key, redis://:pass@host/0"
        text = outcome.redacted_traceback(ValueError(said))
        assert len(outcome.redacted_traceback(ValueError(said * 500))) == outcome.MAX_CHARACTERS
    finally:
        catalogue.configure(None, tmp_path / "none", {})
    assert "asked https" in text and "s3cr3t" not in text and "pass@" not in text
