"""A download that was corrected and is uploaded again is recognised, and goes on in the same job."""

import csv
import re
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook, load_workbook

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents.models import Document
from portal.documents.row_match import Row, match_rows
from portal.jobs import commands
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.status import Status
from portal.jobs.export.corrected_column import keep_written
from portal.jobs.models import ScrapingJob
from tests.jobs.export.exporting import ran
from tests.support.libreoffice import converted
from tests.support.sources import CountingSource
from tests.web.check_page import form_of, jobs, read, upload

ROWS = [["Nombre", "Teléfono", "Nota"], *([f"Ana {n}", f"60012312{n}", "x"] for n in range(4)),
        ["Luis", "pedir", "y"], ["Eva", "6OO", "y"], ["Ana 3", 600123129, "x"]]  # fmt: skip


def workbook(rows: list[list[object]]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    memory = BytesIO()
    book.save(memory)
    return memory.getvalue()


def started(app: Flask, client: FlaskClient, content: bytes, name: str) -> ScrapingJob:
    """A job of this upload that has ended."""
    document_id = upload(client, content, name)
    read(app, document_id)
    action = f"/documents/{document_id}/jobs"
    client.post(action, data={**form_of(client.get(f"/documents/{document_id}").text, action), "source": "counting"})
    return ran(jobs()[-1])


@pytest.fixture
def job(app: Flask, as_alice: FlaskClient, counting: CountingSource) -> ScrapingJob:
    return started(app, as_alice, workbook(ROWS), "clientes.xlsx")


def downloaded(client: FlaskClient, address: str) -> bytes:
    with client.get(address, headers={"Accept-Language": "es"}) as answer:
        assert answer.status_code == 200
        return answer.data


def corrected(file: bytes, cells: dict[str, object], *, gone: int = 0, new: list[object] | None = None) -> bytes:
    """The workbook as a person saves it: with these cells changed, a row deleted and a row added."""
    book = load_workbook(BytesIO(file))
    sheet = book.worksheets[0]
    for place, value in cells.items():
        sheet[place] = value
    if gone:
        sheet.delete_rows(gone)
    if new:
        sheet.append(new)
    memory = BytesIO()
    book.save(memory)
    return memory.getvalue()


def check(app: Flask, client: FlaskClient, content: bytes, name: str = "clientes (completo).xlsx") -> tuple[int, str]:
    """Upload a file again; returns its id, and what the page says of where it comes from."""
    document_id = upload(client, content, name)
    read(app, document_id)
    page = client.get(f"/documents/{document_id}").text
    found = re.search(r'<section class="card stack" id="returned".*?</section>', page, re.S)
    return document_id, re.sub(r"<[^>]+>|\s+", " ", found[0]) if found else ""


def go_on(client: FlaskClient, document_id: int) -> str:
    action = f"/documents/{document_id}/continue"
    form = re.search(rf'<form[^>]*action="{action}".*?</form>', client.get(f"/documents/{document_id}").text, re.S)
    assert form
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
    return client.post(action, data=hidden).location


def numbers(job: ScrapingJob) -> dict[int, str | None]:
    db.session.rollback()
    rows = db.select(CellAnswer).where(CellAnswer.job_id == job.id, CellAnswer.corrected.is_not(None))
    return {one.row_no: one.e164 for one in db.session.scalars(rows)}


@pytest.mark.parametrize(
    ("asked", "cells"),
    [
        ("results.xlsx", {"B6": "611 222 333", "B7": "no sé"}),  # all rows
        ("results.xlsx?rows=failed", {"B2": "611 222 333", "B3": "no sé"}),  # those to correct, with their numbers
    ],
)
def test_a_corrected_workbook_goes_on_in_its_job(
    app: Flask, as_alice: FlaskClient, counting: CountingSource, job: ScrapingJob, asked: str, cells: dict[str, object]
) -> None:
    file = corrected(downloaded(as_alice, f"/jobs/{job.id}/{asked}"), cells, new=["Pía", "699888777"])
    document_id, said = check(app, as_alice, file)
    rows = 8 if asked == "results.xlsx" else 3
    assert f"{rows - 1} of {rows} rows belong to clientes.xlsx, and 1 cell was corrected" in said
    assert "1 cell was changed and is still not a number" in said and "1 row is new" in said
    assert "look up 1 number" in said
    assert go_on(as_alice, document_id) == f"/jobs/{job.id}"
    job = ran(jobs()[0])
    assert (job.status, job.total_numbers, job.found_count) == (Status.COMPLETED, 7, 6)
    assert numbers(job) == {6: "+34611222333"} and set(counting.calls.values()) == {1}
    assert len(jobs()) == 1 and db.session.get_one(Document, document_id).deleted_at is not None
    _, said = check(app, as_alice, file)  # the same file once more
    assert "0 cells were corrected" in said and "1 cell has this correction already" in said
    assert "Go on in that file" not in said


def test_rows_that_were_moved_or_deleted_are_found_again(app: Flask, as_alice: FlaskClient, job: ScrapingJob) -> None:
    file = corrected(
        downloaded(as_alice, f"/jobs/{job.id}/results.xlsx"), {"B6": "611222333", "B2": "699999999"}, gone=4
    )
    _, said = check(app, as_alice, file)
    assert "6 of 6 rows belong to clientes.xlsx, and 1 cell was corrected" in said
    assert "1 changed cell has an answer already" in said and "1 row of that file is not in this one" in said
    assert numbers(job) == {}


def test_a_text_is_known_by_its_headings_and_rows(app: Flask, as_alice: FlaskClient, counting: CountingSource) -> None:
    text = "\n".join(";".join(map(str, row)) for row in ROWS).encode()
    job = started(app, as_alice, text, "clientes.csv")
    came = downloaded(as_alice, f"/jobs/{job.id}/results.csv").decode("utf-8-sig")
    document_id, said = check(app, as_alice, came.replace("pedir", "611222333").encode(), "clientes (completo).csv")
    assert "7 of 7 rows belong to clientes.csv, and 1 cell was corrected" in said
    go_on(as_alice, document_id)
    assert numbers(ran(jobs()[0])) == {6: "+34611222333"}
    assert check(app, as_alice, text, "clientes.csv")[1] == ""  # the list itself is no download
    other = StringIO()
    csv.writer(other, delimiter=";").writerows(
        [["Nombre", "Teléfono", "Nota", "Estado"], ["Bea", "677777777", "z", ""]]
    )
    assert check(app, as_alice, other.getvalue().encode(), "otra.csv")[1] == ""


def test_what_is_written_in_the_column_of_corrections_wins(app: Flask, as_alice: FlaskClient, job: ScrapingJob) -> None:
    file = corrected(downloaded(as_alice, f"/jobs/{job.id}/results.xlsx"), {"B6": "611222333"})
    go_on(as_alice, check(app, as_alice, file)[0])
    ran(jobs()[0])
    came = downloaded(as_alice, f"/jobs/{job.id}/results.xlsx")
    head = [cell.value for cell in load_workbook(BytesIO(came)).worksheets[0][1]]
    letter = chr(ord("A") + head.index("Corrected number"))
    file = corrected(came, {f"{letter}7": "622 333 444"})
    document_id, said = check(app, as_alice, file)
    assert "7 of 7 rows belong to clientes.xlsx, and 1 cell was corrected" in said
    assert "1 cell has this correction already" in said
    keep_written(db.session.get_one(Document, document_id), app.extensions["storage"], "ES", utcnow())
    page = as_alice.get(f"/documents/{document_id}").text  # as a new file
    assert "2 corrected cells" in page and "+34622333444" in page and "6OO" in page
    go_on(as_alice, document_id)
    assert numbers(ran(jobs()[0])) == {6: "+34611222333", 7: "+34622333444"}


def test_a_download_that_excel_saved_as_xls_is_known_by_its_rows(
    app: Flask, as_alice: FlaskClient, job: ScrapingJob, tmp_path: Path
) -> None:
    path = tmp_path / "clientes (completo).xlsx"
    path.write_bytes(corrected(downloaded(as_alice, f"/jobs/{job.id}/results.xlsx"), {"B6": "611222333"}))
    old = converted(path, "xls")
    document_id, said = check(app, as_alice, old.read_bytes(), old.name)
    assert "7 of 7 rows belong to clientes.xlsx, and 1 cell was corrected" in said
    go_on(as_alice, document_id)
    assert numbers(ran(jobs()[0])) == {6: "+34611222333"}


def test_nobody_reaches_another_persons_job(
    app: Flask, as_alice: FlaskClient, as_bob: FlaskClient, bob: User, job: ScrapingJob
) -> None:
    file = corrected(downloaded(as_alice, f"/jobs/{job.id}/results.xlsx"), {"B6": "611222333"})
    document_id, said = check(app, as_bob, file)
    assert "another person’s file" in said and "clientes.xlsx" not in said
    assert as_bob.post(f"/documents/{document_id}/continue").location == f"/documents/{document_id}"
    assert as_alice.post(f"/documents/{document_id}/continue").status_code == 404
    assert numbers(job) == {}


def test_a_job_that_runs_or_is_deleted_is_said_to_be_so(app: Flask, as_alice: FlaskClient, job: ScrapingJob) -> None:
    file = corrected(downloaded(as_alice, f"/jobs/{job.id}/results.xlsx"), {"B6": "611222333"})
    moved = corrected(file, {"B1": "Otra cosa"})
    assert "have another heading or are gone" in check(app, as_alice, moved)[1]
    as_alice.post(f"/jobs/{job.id}/corrections", data={"cell-6-1": "611222334", "look_up": "1"})
    assert "has not finished yet" in check(app, as_alice, file)[1]
    commands.delete(job.id, "alice@example.com", utcnow(), app.extensions["storage"])
    assert "has been deleted here" in check(app, as_alice, file)[1]


def rows_of(*texts: str) -> list[Row]:
    """Rows such as `Ana:600`, from row 2 on."""
    return [Row(n, (text.partition(":")[2],), (text.partition(":")[0],)) for n, text in enumerate(texts, start=2)]


@pytest.mark.parametrize(
    ("known", "given", "found"),
    [
        (["a:1", "b:2", "c:3"], ["c:3", "a:1", "b:9"], {2: 4, 3: 2, 4: 3}),  # moved, and one corrected
        ([":1", ":x", ":3"], [":1", ":2", ":3"], {2: 2, 3: 3, 4: 4}),  # nothing but numbers: by its place
        ([":1", ":x", ":y", ":3"], [":1", ":2", ":3"], {2: 2, 4: 5}),  # one of two was deleted: nobody knows which
        (["a:x", "a:y"], ["a:1"], {}),  # the same
        (["a:x", "a:y"], ["a:1", "a:2"], {2: 2, 3: 3}),
        (["a:1", "b:2"], ["a:1", "n:7", "b:2"], {2: 2, 4: 3}),  # one was added
        ([":x"], [":1", ":2"], {}),
    ],
)
def test_a_row_is_known_for_certain_or_not_at_all(known: list[str], given: list[str], found: dict[int, int]) -> None:
    assert match_rows(rows_of(*known), rows_of(*given)) == found
