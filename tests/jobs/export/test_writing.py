"""Writing a job's file blocks no other transaction, and leaves no half-written file."""

from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale
from openpyxl import load_workbook

from portal.accounts import User
from portal.database import db
from portal.jobs.export import RowFilter, export, write_export
from portal.jobs.export.lines import lines, plan_for
from portal.jobs.models import ScrapingJob
from tests.jobs.export.exporting import job_on, path_of, ran, rows_in

pytestmark = pytest.mark.usefixtures("ranges")


def test_writing_to_a_file_is_all_or_nothing(app: Flask, alice: User, tmp_path: Path) -> None:
    job = ran(job_on(app, alice, [["Tel"], ["612345678"]]))
    path = path_of(tmp_path, "xlsx")
    path.write_text("what stood there before")
    app.extensions["storage"].sheet_path(job.document.storage_key, 0).rename(tmp_path / "away")

    with force_locale("en"), pytest.raises(FileNotFoundError):
        write_export(job, app.extensions["storage"], path)
    assert path.read_text() == "what stood there before"

    (tmp_path / "away").rename(app.extensions["storage"].sheet_path(job.document.storage_key, 0))
    with force_locale("en"):
        write_export(job, app.extensions["storage"], path)
    assert rows_in(load_workbook(path))[1][:2] == ["612345678", "Found"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data", "salida.xlsx"]


def test_a_download_lets_a_worker_write_meanwhile(app: Flask, alice: User) -> None:
    job = job_on(app, alice, [["Tel"], *([f"6123{n:05d}"] for n in range(2500))])
    with force_locale("en"):
        plan = plan_for(job, app.extensions["storage"], RowFilter.ALL, None)
    db.session.commit()

    with force_locale("en"):
        for count, _ in enumerate(lines(plan)):
            if count in (1, 1500):
                with (
                    db.engine.begin() as connection
                ):  # takes SQLite's one write lock, or would wait for it until the timeout
                    connection.execute(db.update(ScrapingJob).values(last_error=f"written at {count}"))

    assert count == 2500
    assert job.last_error == "written at 1500"


def test_no_transaction_is_left_open_by_a_download(app: Flask, alice: User) -> None:
    job = job_on(app, alice, [["Tel"], ["612345678"]])
    assert job.status and db.session().in_transaction()

    with force_locale("en"):
        export(job, app.extensions["storage"]).close()

    assert not db.session().in_transaction()
