"""Shared by the export's tests: a job on a sheet of any cells, and its file read back by another library."""

import csv
import datetime
import io
import json
from pathlib import Path
from typing import Any

from flask import Flask
from flask_babel import force_locale
from openpyxl import load_workbook

from portal.accounts import User
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.models import Document, Reading
from portal.documents.reader.sheet_file import cell_of
from portal.jobs import commands
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.export import ColumnChoice, choice_from, columns_of, export, fields_of_job
from portal.jobs.models import ScrapingJob
from portal.sources.base import Answer, Outcome
from tests.support.cast import NOW
from tests.support.sources import CountingSource

TITLES = [["Listado de clientes 2026"], []]
HEADER = ["Nombre", "Teléfono", "Alta", "Saldo", "Activo"]
PEOPLE = [
    ["Ana", "612 34 56 78", datetime.datetime(2026, 1, 31), 12.5, True],  # noqa: DTZ001 - Excel's dates have no zone
    ["Luis", "0034612345678", datetime.datetime(2026, 1, 31, 18, 5), -3, False],  # noqa: DTZ001
    [],
    ["Marta", 691234567.0, None, 0.1 + 0.2, None],
    ["=1+1", "no tiene", None, 4, None],
    ["Eva", "+34 681 23 45 67", None, 1234567890123456, None],
    ["Pep", "912345678", None, 7, None],
    ["Iris", "622345678", None, 7, None],
]
FIELDS = ("line_type", "original_operator")


class RangeSource(CountingSource):
    """Answers by the number's first digits: 61 mobile with operator, 62 without, 68 not found, 69 fails, others
    fixed."""

    fields = FIELDS

    def __init__(self) -> None:
        super().__init__(self._answer)

    @staticmethod
    def _answer(e164: str) -> Answer:
        match e164[3:5]:
            case "69":
                return Answer(Outcome.FAILED, reason="temporary")
            case "68":
                return Answer(Outcome.NOT_FOUND)
            case "61":
                return Answer(Outcome.FOUND, {"line_type": "mobile", "original_operator": "Movistar"})
            case "62":
                return Answer(Outcome.FOUND, {"line_type": "mobile", "original_operator": ""})
            case _:
                return Answer(Outcome.FOUND, {"line_type": "fixed", "original_operator": ""})


def job_on(
    app: Flask,
    user: User,
    cells: list[list[Any]],
    *,
    header_row: int = 1,
    column: int = 0,
    source: str = "ranges",
    sheet_name: str = "Clientes",
    file_name: str = "clientes.xlsx",
    now: datetime.datetime = NOW,
) -> ScrapingJob:
    """A pending job on a sheet with these rows, header and title rows included, as the reader would have stored it."""
    storage = app.extensions["storage"]
    stored = storage.put(io.BytesIO(repr((cells, now)).encode("utf-8", "replace")))
    rows = [[cell_of(value) for value in row] for row in cells]
    width = max(map(len, rows))
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    storage.sheet_path(stored.key, 0).write_text(text, encoding="utf-8", newline="\n")
    facts = {"index": 0, "name": sheet_name, "rows": len(rows), "columns": width, "header_row": header_row}
    document = Document(
        user_id=user.id, file_name=file_name, storage_key=stored.key, sha256=stored.sha256,
        size_bytes=stored.size_bytes, state=Reading.READY, sheets=[facts], created_at=now, read_at=now,
    )  # fmt: skip
    db.session.add(document)
    db.session.commit()
    return commands.start(document, SheetChoice(0, header_row, (column,), "ES"), source, user, now, push=False)


def ran(job: ScrapingJob, now: datetime.datetime = NOW) -> ScrapingJob:
    """The job after one attempt."""
    run(job.id, job.attempt, Conditions(worker="test", lease_seconds=60, backoff=Backoff(), clock=lambda: now))
    return job


def sheet_of(app: Flask, job: ScrapingJob, language: str = "en", **asked: Any) -> list[list[Any]]:
    """The first sheet of the job's workbook, read by openpyxl."""
    with force_locale(language), export(job, app.extensions["storage"], "xlsx", **asked) as file:
        return rows_in(load_workbook(file))


def rows_in(workbook: Any) -> list[list[Any]]:
    """The cells of a workbook's first sheet."""
    return [list(row) for row in workbook.worksheets[0].iter_rows(values_only=True)]


def csv_of(app: Flask, job: ScrapingJob, language: str = "en", **asked: Any) -> list[list[str]]:
    """The job's CSV, read by a program."""
    with force_locale(language), export(job, app.extensions["storage"], "csv", **asked) as file:
        text = file.read().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter="," if language == "en" else ";"))


def every_column(job: ScrapingJob) -> ColumnChoice:
    """All columns, diagnostics and empty ones too."""
    return choice_from("all", columns_of(fields_of_job(job)), job.source)


def as_records(rows: list[list[Any]], header_row: int = 1) -> list[dict[str, Any]]:
    """The rows below the header, each by column name."""
    heads = rows[header_row - 1]
    return [dict(zip(heads, row, strict=True)) for row in rows[header_row:]]


def path_of(folder: Path, ending: str) -> Path:
    """A file to write to."""
    return folder / f"salida.{ending}"
