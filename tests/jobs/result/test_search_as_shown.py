"""A date or an amount beside a result is found by what its person sees, and by what is in the cell."""

import datetime
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook

from portal.jobs.result.builder import build
from portal.jobs.result.index_file import ResultIndex, Wanted
from tests.jobs.export.exporting import ran
from tests.web.check_page import jobs, read, upload

DAY = datetime.date(2026, 1, 31)


def workbook() -> bytes:
    book = Workbook()
    sheet = book.active
    sheet.append(["Teléfono", "Alta", "Saldo", "CP", "Sin formato", "Nota"])
    for n in range(3):
        sheet.append([f"60012312{n}", DAY + datetime.timedelta(days=n), 1234.5 + n, 8001 + n, 7.25 + n, f"x {n}"])
        for place, code in ((2, "dd/mm/yyyy"), (3, "#,##0.00\\ €"), (4, "00000")):
            sheet.cell(n + 2, place).number_format = code
    memory = BytesIO()
    book.save(memory)
    return memory.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "31/01/2026",
        "2026-01-31",
        "1.234,50 €",
        "1.234,50",
        "1,234.50",
        "1234.5",
        "08001",
        "8001",
        "7,25",
        "7.25",
    ],
)
def test_a_row_is_found_by_what_is_seen_and_by_what_is_there(app: Flask, as_alice: FlaskClient, text: str) -> None:
    document_id = upload(as_alice, workbook(), "altas.xlsx")
    read(app, document_id)
    as_alice.post(f"/documents/{document_id}/jobs", data={"column": "0"})
    job = ran(jobs()[-1])
    with ResultIndex(build(job, app.extensions["storage"])) as index:
        found = index.find(Wanted(text=text), 0, 10)
        assert [index.places([at])[0][0] for at in found.positions] == [2]
