"""In the terminal, too, the next run fetches a submitted batch instead of submitting it again."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner
from openpyxl import Workbook
from sqlalchemy import update

from portal.database import db
from portal.jobs.models import ScrapingJob
from tests.support.cast import mobile
from tests.support.misbehaving import misbehaving
from tests.support.recipes import recipe, registered


def test_a_second_run_fetches_a_submitted_batch(
    app, runner: FlaskCliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    workbook = Workbook()
    for row in ["Teléfono", *(mobile(n) for n in range(12))]:
        workbook.worksheets[0].append([row])
    workbook.save(tmp_path / "in.xlsx")
    command = ["scrape", str(tmp_path / "in.xlsx"), "-o", str(tmp_path / "out.csv"), "--source", "poll-test"]
    with misbehaving() as server:
        made = recipe(tmp_path, "poll", server.url, timeout=5)
        assert made.batch and made.batch.poll
        made = replace(made, batch=replace(made.batch, poll=replace(made.batch.poll, limit_seconds=0.1)))
        with registered(made):
            server.polls_before_ready, server.holding = 0, True
            assert runner.invoke(args=command).exit_code == 1
            assert "The source is busy. Run the command again after" in runner.invoke(args=command).output
            db.session.execute(update(ScrapingJob).values(not_before=None))  # a minute later
            db.session.commit()
            server.holding = False
            ended = runner.invoke(args=command)
    assert ended.exit_code == 0, ended.output
    assert len(server.paid) == 12 and set(server.paid.values()) == {1}
