"""The columns that a person has chosen, in the files of every format."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from portal.accounts import User, set_display
from portal.clock import utcnow
from portal.database import db
from portal.documents.models import Document
from portal.jobs.export import (
    ColumnChoice,
    Pick,
    columns_of,
    empty_columns,
    export,
    fields_of_job,
    forget_choice,
    keep_choice,
    kept_choice,
    kept_or_default,
    open_download,
    write_export,
)
from portal.jobs.models import ScrapingJob
from tests.jobs.export.exporting import job_on, ran, sheet_of
from tests.jobs.export.sheet_order import faults_of_workbook
from tests.jobs.export.test_in_place import content_of, job_of
from tests.support.databases import ON_BOTH

pytestmark = pytest.mark.usefixtures("ranges")
FIXTURES = Path(__file__).parents[2] / "fixtures"
ROWS: list[list[object]] = [["Nombre", "Teléfono", "Tipo"], ["Ana", "612345678", "x"], ["Pep", "912345678", "y"],
                            ["Eva", "681234567", "z"]]  # fmt: skip
CSV = "\n".join(";".join(map(str, row)) for row in ROWS).encode()
# Reason first, so that the status with its colour is not the first cell; one is renamed, one is left out.
CHOSEN = ColumnChoice(
    (Pick("reason", True), Pick("line_type", True, "Tipo"), Pick("status", True, "¿Qué hay?"), Pick("e164", True),
     Pick("original_operator", False), Pick("row", True), Pick("what_to_do", False)), keeps_empty=True,
)  # fmt: skip
HEADINGS = ["Motivo", "Tipo 2", "¿Qué hay?", "Número internacional"]


def rows_of(content: bytes, ending: str) -> list[list[Any]]:
    """All rows of a file, as another program reads them."""
    if ending in ("csv", "tsv", "txt"):
        text = content.decode("utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()


def as_xlsm(content: bytes) -> bytes:
    workbook = load_workbook(io.BytesIO(content))
    workbook.save(out := io.BytesIO())
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "kind", "asked"),
    [
        (content_of(ROWS), "a.xlsx", "xlsx", {}),
        (as_xlsm(content_of(ROWS)), "a.xlsm", "xlsx", {}),
        (CSV, "a.csv", "csv", {}),
        (CSV, "a.tsv", "csv", {}),
        (CSV, "a.txt", "csv", {}),
        (CSV, "a.csv", "xlsx", {}),
        (content_of(ROWS), "a.xlsx", "csv", {}),
        (content_of(ROWS), "a.xlsx", "xlsx", {"group": "unique"}),
        (content_of(ROWS), "a.xlsx", "csv", {"group": "mobiles"}),
    ],
)
def test_every_format_has_the_chosen_headings(
    app: Flask, alice: User, content: bytes, name: str, kind: str, asked: dict[str, str]
) -> None:
    job = ran(job_of(app, alice, content, name, header_row=1))
    with force_locale("es"):
        download = open_download(job, app.extensions["storage"], kind, columns=CHOSEN, **asked)
        rows = rows_of(b"".join(download.pieces), download.extension)
        download.close()
    assert rows[0] == ["Nombre", "Teléfono", "Tipo", *HEADINGS, *(["Fila en tu archivo"] if asked else [])]
    assert rows[1][3:7] == ["", "móvil", "Con datos", "+34612345678"]


@pytest.mark.parametrize(
    ("name", "kind"), [("clientes.ods", "ods"), ("clientes.xls", "xlsx"), ("clientes.xlsb", "xlsx")]
)
def test_an_ods_and_older_workbooks_have_them_too(app: Flask, alice: User, name: str, kind: str) -> None:
    job = ran(job_of(app, alice, (FIXTURES / name).read_bytes(), name))
    with force_locale("es"), export(job, app.extensions["storage"], kind, columns=CHOSEN) as file:
        rows = rows_of(file.read(), kind)
    assert rows[2][3:] == ["Motivo", "Tipo", "¿Qué hay?", "Número internacional"]


def test_the_terminal_writes_them_too(app: Flask, alice: User, tmp_path: Path) -> None:
    job = ran(job_of(app, alice, content_of(ROWS), header_row=1))
    with force_locale("es"):
        write_export(job, app.extensions["storage"], tmp_path / "a.csv", columns=CHOSEN)
    assert rows_of((tmp_path / "a.csv").read_bytes(), "csv")[0][3:] == HEADINGS


def test_the_colour_goes_with_the_status(app: Flask, alice: User) -> None:
    job = ran(job_of(app, alice, content_of(ROWS), header_row=1))
    without = ColumnChoice((*CHOSEN.picks[:2], Pick("status", False)))
    for choice, coloured in ((CHOSEN, {"F2": "FFE4F2E7"}), (without, {})):
        with force_locale("es"), export(job, app.extensions["storage"], columns=choice) as file:
            sheet = load_workbook(file)["Lista"]
        fills = {cell.coordinate: cell.fill.fgColor.rgb for cell in sheet[2] if cell.fill.fill_type}
        assert fills == coloured


@pytest.mark.parametrize("language", ["es", "en"])
def test_a_returned_file_with_new_names_can_be_uploaded_again(app: Flask, alice: User, language: str) -> None:
    first = ran(job_of(app, alice, content_of(ROWS), header_row=1))
    with force_locale(language), export(first, app.extensions["storage"], columns=CHOSEN) as file:
        content = file.read()
    again = job_of(app, alice, content, header_row=1)
    facts = db.session.get_one(Document, again.document_id).sheets[0]
    assert (facts["number_column"], facts["header_row"]) == (1, 1)
    with force_locale(language), export(ran(again), app.extensions["storage"], columns=CHOSEN) as file:
        returned = file.read()
    assert faults_of_workbook(returned) == []
    heads = rows_of(returned, "xlsx")[0]
    assert len({head.casefold() for head in heads}) == len(heads) == 3 + 2 * len(HEADINGS)
    assert heads[-2] == "¿Qué hay? 2"


@ON_BOTH
def test_a_column_without_a_value_is_left_out_when_the_job_has_ended(app: Flask, alice: User) -> None:
    job = job_on(app, alice, [["Tel"], ["912345678"], ["912345679"]])
    assert empty_columns(job, columns_of(fields_of_job(job))) == frozenset(), "it may be filled at the end"
    assert sheet_of(app, job)[0] == ["Tel", "Status", "Line type", "Original operator", "Reason"]
    ran(job)
    db.session.refresh(job)
    assert sheet_of(app, job)[0] == ["Tel", "Status", "Line type"]
    kept = ColumnChoice(keeps_empty=True)
    assert sheet_of(app, job, columns=kept)[0] == ["Tel", "Status", "Line type", "Original operator", "Reason"]
    only = ColumnChoice(tuple(Pick(one.id, one.id == "original_operator") for one in columns_of(fields_of_job(job))))
    assert sheet_of(app, job, columns=only)[0] == ["Tel", "Original operator"], "a choice of nothing else is respected"


@ON_BOTH
def test_a_choice_is_kept_for_each_person_and_source(app: Flask, alice: User, bob: User) -> None:
    keep_choice(alice.id, "ranges", CHOSEN, utcnow())
    keep_choice(alice.id, "offline", ColumnChoice(with_summary=True), utcnow())
    assert kept_choice(alice.id, "ranges") == CHOSEN
    assert kept_choice(alice.id, "offline") == ColumnChoice(with_summary=True)
    assert kept_choice(bob.id, "ranges") is None and kept_or_default(bob.id, "ranges") == ColumnChoice()
    keep_choice(alice.id, "ranges", ColumnChoice(keeps_empty=True), utcnow())
    db.session.rollback()
    assert kept_choice(alice.id, "ranges") == ColumnChoice(keeps_empty=True)
    forget_choice(alice.id, "ranges")
    db.session.rollback()
    assert kept_choice(alice.id, "ranges") is None and kept_choice(alice.id, "offline") is not None


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv"])
def test_the_sheet_of_totals_is_part_of_the_choice(app: Flask, alice: User, name: str) -> None:
    job = ran(job_of(app, alice, content_of(ROWS) if name == "a.xlsx" else CSV, name, header_row=1))
    for choice, names in ((ColumnChoice(), []), (ColumnChoice(with_summary=True), ["Resumen"])):
        with force_locale("es"), export(job, app.extensions["storage"], columns=choice) as file:
            workbook = load_workbook(file)
        assert [one for one in workbook.sheetnames if one == "Resumen"] == names
    with force_locale("es"), export(job, app.extensions["storage"], columns=choice, group="unique") as file:
        assert "Resumen" not in load_workbook(file).sheetnames


Download = Callable[[str], list[Any]]


@pytest.fixture
def headings(as_alice: FlaskClient, alice: User, app: Flask) -> tuple[ScrapingJob, Download]:
    """A job, and the headings that its file has when it is asked for with a query."""
    job = ran(job_of(app, alice, content_of(ROWS), header_row=1))

    def download(query: str) -> list[Any]:
        address = f"/jobs/{job.id}/results.csv{query}"
        answer = as_alice.get(address, headers={"Accept-Language": "en"}, buffered=True)
        assert answer.status_code == 200
        return next(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))[3:]

    return job, download


def test_an_address_without_a_choice_gives_what_the_person_has_saved(
    headings: tuple[ScrapingJob, Download], alice: User
) -> None:
    job, download = headings
    by_default = ["Status", "Line type", "Original operator"]
    assert download("") == by_default
    keep_choice(alice.id, job.source, CHOSEN, utcnow())
    assert download("") == ["Reason", "Tipo 2", "¿Qué hay?", "International number"]
    assert download("?columns=default") == by_default
    assert download("?columns=status,line_type=Kind,reason") == ["Status", "Kind", "Reason"]
    assert download("?columns=all") == [
        "Status", "Line type", "Original operator", "Reason", "International number", "Checked at", "Duplicate of row"
    ]  # fmt: skip


@pytest.mark.parametrize("query", ["columns=colour", "columns=", "columns=status,status", "columns=status%3D%3D1"])
def test_an_address_with_columns_that_there_are_not_gets_a_sentence(
    headings: tuple[ScrapingJob, Download], alice: User, as_alice: FlaskClient, query: str
) -> None:
    alice_id, address = alice.id, f"/jobs/{headings[0].id}/results.csv?{query}"
    db.session.rollback()
    for language, title in (("en", "These columns cannot be added"), ("es", "Estas columnas no se pueden añadir")):
        set_display(alice_id, locale=language)
        answer = as_alice.get(address)
        assert answer.status_code == 400
        assert title in answer.text and 'role="alert"' in answer.text
