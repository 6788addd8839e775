"""Hidden rows are counted, and taken or left; total rows are left alone, and can be taken back."""

import io
from typing import Any

import pytest
import xlsxwriter
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook

from portal.database import db
from portal.jobs.core.job_tables import NumberCell
from portal.jobs.models import ScrapingJob
from tests.web.check_page import figures, read, selected, upload

ENGLISH = {"Accept-Language": "en"}


def workbook() -> bytes:
    """Six numbers, two of them in hidden rows, and a total below."""
    memory = io.BytesIO()
    with xlsxwriter.Workbook(memory) as book:
        sheet = book.add_worksheet("Clientes")
        sheet.write_row(0, 0, ["Nombre", "Teléfono"])
        for row in range(1, 7):
            sheet.write_row(row, 0, [f"n{row}", 612345670 + row])
        sheet.write_row(7, 0, ["Total", 6])
        for row in (2, 4):
            sheet.set_row(row, options={"hidden": True})
    return memory.getvalue()


@pytest.fixture
def document_id(app: Flask, as_alice: FlaskClient) -> int:
    document_id = upload(as_alice, workbook())
    read(app, document_id)
    return document_id


def test_both_are_counted_and_named(as_alice: FlaskClient, document_id: int) -> None:
    page = as_alice.get(f"/documents/{document_id}", headers=ENGLISH).text
    assert "2 rows are hidden in the sheet" in page and "1 row with a total or footer" in page and "Row 8." in page
    assert (selected(page, "hidden_rows"), selected(page, "total_rows")) == ("take", "leave")
    assert (figures(page)["to_look_up"], figures(page)["invalid"]) == (6, 0)


@pytest.mark.parametrize(
    ("choice", "rows"),
    [
        ({}, {2, 3, 4, 5, 6, 7}),
        ({"hidden_rows": "leave"}, {2, 4, 6, 7}),
        ({"total_rows": "take"}, {2, 3, 4, 5, 6, 7, 8}),
        ({"hidden_rows": "leave", "total_rows": "take"}, {2, 4, 6, 7, 8}),
        ({"hidden_rows": "other", "total_rows": "other"}, {2, 3, 4, 5, 6, 7}),
    ],
)
def test_what_is_left_has_no_lookup_and_comes_back_untouched(
    as_alice: FlaskClient, document_id: int, choice: dict[str, str], rows: set[int]
) -> None:
    said = figures(as_alice.get(f"/documents/{document_id}", query_string=choice, headers=ENGLISH).text)
    assert said["to_look_up"] + said["invalid"] == len(rows)
    as_alice.post(f"/documents/{document_id}/jobs", data={"sheet": "0", "column": "1", "header_row": "1", **choice})
    job = db.session.scalars(db.select(ScrapingJob)).one()
    assert set(db.session.scalars(db.select(NumberCell.row_no))) == rows
    assert job.left_out.split() == [
        code for code, is_left in (("hidden", 3 not in rows), ("totals", 8 not in rows)) if is_left
    ]
    copy = as_alice.get(f"/jobs/{job.id}/results.xlsx", headers=ENGLISH, buffered=True).data
    sheet: Any = load_workbook(io.BytesIO(copy))["Clientes"]
    assert {row for row in range(2, 9) if sheet.cell(row, 3).value} == rows
    assert [sheet.cell(8, column).value for column in (1, 2)] == ["Total", 6]
    assert sheet.row_dimensions[3].hidden


def test_the_choice_stays_in_the_address(as_alice: FlaskClient, document_id: int) -> None:
    answer = as_alice.post(
        f"/documents/{document_id}/jobs",
        data={
            "sheet": "0",
            "column": "1",
            "header_row": "1",
            "hidden_rows": "leave",
            "total_rows": "take",
            "recount": "1",
        },
    )
    assert "hidden_rows=leave" in answer.location and "total_rows=take" in answer.location
    page = as_alice.get(answer.location, headers=ENGLISH).text
    assert (selected(page, "hidden_rows"), selected(page, "total_rows")) == ("leave", "take")
