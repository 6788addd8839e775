"""A job's download is the person's own file: through the pages, the terminal and `export` alike."""

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import IO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from openpyxl import Workbook, load_workbook
from python_calamine import CalamineWorkbook

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents import intake
from portal.documents.choice import SheetChoice
from portal.documents.models import Document, Reading
from portal.documents.reader.file_mark import mark_of
from portal.documents.reader.limits import ReadLimits
from portal.jobs import commands
from portal.jobs.core.job_tables import NumberCell
from portal.jobs.core.status import CellStatus
from portal.jobs.download_mark import read_mark
from portal.jobs.export import (
    ColumnChoice,
    Pick,
    RowChoice,
    RowFilter,
    download_name,
    export,
    open_download,
    write_export,
)
from portal.jobs.export.copy import dialect_of, look_ahead, open_at
from portal.jobs.export.in_place.workbook import Place
from portal.jobs.models import ScrapingJob
from tests.jobs.export.exporting import every_column, ran
from tests.jobs.export.sheet_order import faults_of_workbook
from tests.jobs.export.test_own_ods import cell as ods_cell
from tests.jobs.export.test_own_ods import package

pytestmark = pytest.mark.usefixtures("ranges")
ROWS = [["Clientes"], [], ["Nombre", "Teléfono", "CP", "Estado"], ["Ana", "612345678", 8002, "alta"],
        ["Luis", "", 1, ""], ["Eva", "691234567", 28001, ""], ["Pep", "no tiene", 3, None]]  # fmt: skip


def content_of(rows: list[list[object]]) -> bytes:
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "Lista"
    for row in rows:
        sheet.append(row)
    for cell in sheet["C"]:
        cell.number_format = "00000"
    workbook.create_sheet("Otra")["A1"] = "queda"
    workbook.save(out := io.BytesIO())
    return out.getvalue()


def document_of(app: Flask, user: User, content: bytes, name: str, max_rows: int = 5000) -> Document:
    """A file that was uploaded and read as always."""
    storage = app.extensions["storage"]
    stored = storage.put(io.BytesIO(content))
    document = Document(
        user_id=user.id, file_name=name, storage_key=stored.key, sha256=stored.sha256, size_bytes=stored.size_bytes,
        state=Reading.READING, created_at=utcnow(),
    )  # fmt: skip
    db.session.add(document)
    db.session.commit()
    intake.read_document(document.id, storage, ReadLimits(max_rows=max_rows), utcnow())
    db.session.refresh(document)
    return document


def job_of(
    app: Flask, user: User, content: bytes, name: str = "clientes.xlsx", header_row: int = 3, max_rows: int = 5000,
    column: int = 1,
) -> ScrapingJob:  # fmt: skip
    """A job on such a file."""
    document = document_of(app, user, content, name, max_rows)
    return commands.start(document, SheetChoice(0, header_row, (column,), "ES"), "ranges", user, utcnow(), push=False)


def test_all_rows_come_in_the_persons_own_workbook(app: Flask, alice: User) -> None:
    job = ran(job_of(app, alice, content_of(ROWS)))
    with force_locale("en"), export(job, app.extensions["storage"], columns=every_column(job)) as file:
        workbook = load_workbook(file)
    sheet = workbook["Lista"]
    assert workbook.sheetnames == ["Lista", "Otra"]
    assert [[cell.value for cell in row[:4]] for row in sheet.iter_rows()] == [
        [*(value if value != "" else None for value in row), *[None] * (4 - len(row))] for row in ROWS
    ]
    assert sheet["C4"].number_format == "00000"
    assert [cell.value for cell in sheet[3][4:]] == [
        "Status", "Line type", "Original operator", "Reason", "International number", "Checked at", "Duplicate of row",
    ]  # fmt: skip
    assert [sheet.cell(row, 5).value for row in range(4, 8)] == ["Found", "Blank", "No answer", "Invalid"]
    assert sheet["J4"].is_date
    assert [sheet.cell(row, 5).fill.fgColor.rgb for row in (4, 6)] == ["FFE4F2E7", "FFFBE9D9"]


STRAYS: dict[str, tuple[dict[str, object], str | None, str]] = {  # cells, merged ones, and where the answers begin
    "one beside a row": ({"AX5": "x"}, None, "E"),
    "above, beside the headings and below": ({"Z1": 1, "Z3": "note", "AA5": 2.5, "Z40": "=1+1"}, None, "E"),
    "no room before it": ({"G5": "x"}, None, "H"),
    "a column that is used": ({f"Z{n}": n for n in range(1, 40)}, None, "AA"),
    "merged cells with it": ({"E5": "x"}, "E5:Z6", "AA"),
}


@pytest.mark.parametrize("kind", STRAYS)
def test_a_cell_far_from_the_list_stays_and_pushes_no_answer_away(kind: str, app: Flask, alice: User) -> None:
    cells, merged, begins = STRAYS[kind]
    book = load_workbook(io.BytesIO(content_of(ROWS)))
    for place, value in cells.items():
        book["Lista"][place] = value
    if merged:
        book["Lista"].merge_cells(merged)
    book.save(given := io.BytesIO())
    job = ran(job_of(app, alice, given.getvalue()))
    for rows in (RowFilter.ALL, RowFilter.FAILED):
        with force_locale("en"), export(job, app.extensions["storage"], rows=rows) as file:
            content = file.read()
        assert faults_of_workbook(content) == []
        if rows is RowFilter.ALL:
            sheet = load_workbook(io.BytesIO(content))["Lista"]
            assert {place: sheet[place].value for place in cells} == cells
            assert [sheet[f"{begins}3"].value, sheet[f"{begins}4"].value] == ["Status", "Found"]
            assert [cell.value for cell in sheet[4]][:4] == ROWS[3]


def test_without_headings_a_sheet_names_the_columns(app: Flask, alice: User) -> None:
    job = job_of(app, alice, content_of([["Ana", "612345678"], ["Luis", "612345679"]]), header_row=0)
    with force_locale("en"), export(job, app.extensions["storage"]) as file:
        content = file.read()
    assert faults_of_workbook(content) == []
    workbook = load_workbook(io.BytesIO(content))
    assert workbook.sheetnames == ["Lista", "Otra", "Columns"]
    rows = list(workbook["Columns"].iter_rows(values_only=True))
    assert rows[:2] == [("Column", "Contents"), ("C", "Status")]
    assert workbook["Lista"]["C1"].value == "To look up"


def test_a_heading_that_the_person_has_too_says_that_it_is_of_the_lookup(app: Flask, alice: User) -> None:
    job = job_of(app, alice, content_of(ROWS))
    for choice, name in (
        (ColumnChoice(), "Estado (consulta)"),
        (ColumnChoice((Pick("status", True, "Estado"),)), "Estado 2"),
    ):
        with force_locale("es"), export(job, app.extensions["storage"], columns=choice) as file:
            assert load_workbook(file)["Lista"]["E3"].value == name


def test_a_selection_shows_numbers_and_dates_as_the_persons_columns_do(app: Flask, alice: User) -> None:
    day, forms = datetime(2026, 1, 31), ["@", "@", "00000", '#,##0.00 "€"', "0%", "dd/mm/yyyy", "General"]  # noqa: DTZ001
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(["Nombre", "Teléfono", "CP", "Saldo", "IVA", "Alta", "Nota"])
    for n in range(3):
        sheet.append([f"n{n}", "no tiene", 8002, 12.5, 0.21, day, 3])
        for cell, form in zip(sheet[n + 2], forms, strict=True):
            cell.number_format = form
    workbook.save(out := io.BytesIO())
    job = ran(job_of(app, alice, out.getvalue(), header_row=1))

    with force_locale("en"), export(job, app.extensions["storage"], rows="failed") as file:
        found = load_workbook(file)
    assert found.sheetnames == ["Sheet"]
    assert [cell.number_format for cell in found.active[2]][2:7] == forms[2:]
    assert [cell.value for cell in found.active[2]][2:7] == [8002, 12.5, 0.21, day, 3]


@pytest.mark.parametrize("what", ["gone", "damaged"])
def test_without_the_original_a_new_workbook_is_given_and_its_name_says_so(
    app: Flask, alice: User, as_alice: FlaskClient, what: str
) -> None:
    job = ran(job_of(app, alice, content_of(ROWS)))
    path: Path = app.extensions["storage"].path(job.document.storage_key)
    path.unlink() if what == "gone" else path.write_bytes(b"PK\x03\x04 and no more")
    answer = as_alice.get(f"/jobs/{job.id}/results.xlsx", headers={"Accept-Language": "en"}, buffered=True)
    assert "new%20workbook" in answer.headers["Content-Disposition"] or "new workbook" in str(answer.headers)
    assert load_workbook(io.BytesIO(answer.data)).sheetnames == ["Lista"]


def test_macros_come_back_under_their_own_name(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content_of(ROWS))) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            xml = old.read(name)
            if name == "[Content_Types].xml":
                xml = xml.replace(
                    b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
                    b"application/vnd.ms-excel.sheet.macroEnabled.main+xml",
                )
            new.writestr(name, xml)
        new.writestr("xl/vbaProject.bin", b"macro")
    job = ran(job_of(app, alice, content.getvalue(), "clientes.xlsm"))
    answer = as_alice.get(f"/jobs/{job.id}/results.xlsx", buffered=True)
    assert answer.mimetype == "application/vnd.ms-excel.sheet.macroEnabled.12"
    assert answer.headers["Content-Disposition"].rstrip('"').endswith(".xlsm")
    assert zipfile.ZipFile(io.BytesIO(answer.data)).read("xl/vbaProject.bin") == b"macro"


def test_the_download_is_in_the_readers_language_though_it_is_written_later(
    app: Flask, alice: User, as_alice: FlaskClient
) -> None:
    job = ran(job_of(app, alice, content_of(ROWS)))
    for language, word in (("es", "Con datos"), ("en", "Found")):
        alice.locale = language
        db.session.commit()
        answer = as_alice.get(f"/jobs/{job.id}/results.xlsx", buffered=True)
        assert load_workbook(io.BytesIO(answer.data))["Lista"]["E4"].value == word


def test_a_download_that_is_broken_off_leaves_nothing_open(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    rows = [["Nombre", "Tel"], *([f"n{n}", f"6123{n:05d}"] for n in range(3000))]
    job = ran(job_of(app, alice, content_of(rows), header_row=1))
    answer = as_alice.get(f"/jobs/{job.id}/results.xlsx")
    pieces = iter(answer.response)
    assert next(pieces)
    answer.close()
    assert next(pieces, None) is None
    db.session.commit()
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_the_file_is_written_while_it_is_taken(app: Flask, alice: User) -> None:
    rows = [["Nombre", "Tel"], *([f"n{n}", f"6123{n:05d}"] for n in range(4000))]
    job = job_of(app, alice, content_of(rows), header_row=1)
    with force_locale("en"):
        download = open_download(job, app.extensions["storage"])
        next(download.pieces)
        db.session.execute(db.update(NumberCell).where(NumberCell.row_no == 4001).values(text="x", reason="too_short"))
        db.session.commit()  # no transaction of the download is in the way
        rest = b"".join(download.pieces)
        download.close()
    assert download.size is None
    assert rest


def heading_of(file: IO[bytes]) -> list[object]:
    """The first row of the sheet, without reading the other rows."""
    return [cell.value for cell in next(load_workbook(file, read_only=True)["Lista"].iter_rows(max_row=1))]


def test_a_large_sheet_is_looked_through_once(app: Flask, alice: User) -> None:
    app.config["MAX_ROWS"] = 30_000
    rows: list[list[object]] = [["Nombre", "Tel"], *(["a", None] for _ in range(20_000)), ["b", "612345678"]]
    job = job_of(app, alice, content_of(rows), header_row=1, max_rows=30_000)
    storage = app.extensions["storage"]
    look_ahead(job.document, storage)
    kept = storage.path(job.document.storage_key).with_name(f"{job.document.storage_key}.survey-0.json")
    answer = json.loads(kept.read_text())
    assert (answer["answer"]["used"], answer["answer"]["plain"]) == (2, True)

    answer["answer"]["used"] = 9  # as if the look had found more: nobody looks again
    kept.write_text(json.dumps(answer))
    with force_locale("en"), export(job, storage) as file:
        assert heading_of(file)[9] == "Status"
    kept.write_text("rubbish")
    with force_locale("en"), export(job, storage) as file:
        assert heading_of(file)[2] == "Status"
    storage.delete(job.document.storage_key)
    assert not kept.exists()


def _large_csv(tmp_path: Path) -> bytes:
    return b"Nombre;Tel\n" + b"a;612345678\n" * 20_001


def _large_ods(tmp_path: Path) -> bytes:
    cells = ods_cell("Ana") + ods_cell("612345678")
    rows = f'<table:table-row table:number-rows-repeated="20001">{cells}</table:table-row>'
    return package(tmp_path / "a.ods", rows).read_bytes()


@pytest.mark.parametrize(("ending", "made"), [("csv", _large_csv), ("ods", _large_ods)])
def test_a_large_file_of_another_kind_is_looked_through_once(
    app: Flask, alice: User, tmp_path: Path, ending: str, made: Callable[[Path], bytes]
) -> None:
    storage, document = app.extensions["storage"], document_of(app, alice, made(tmp_path), f"a.{ending}", 30_000)
    look_ahead(document, storage)
    facts, path = document.sheets[-1], storage.path(document.storage_key)
    kept = path.with_name(f"{path.name}.survey-{facts['index']}.json")
    answer = json.loads(kept.read_text())
    assert answer["answer"]["width"] == 2
    answer["answer"]["width"] = 5  # as if the look had found more: nobody looks again
    kept.write_text(json.dumps(answer))
    place = Place(facts["index"], facts["name"], facts["columns"], facts["header_row"], 0)
    with closing(open_at(path, document.file_name, place, dialect=dialect_of(document))) as own:
        assert own.first_added == 5


def test_a_new_csv_is_sent_while_it_is_written(app: Flask, alice: User) -> None:
    job = job_of(
        app, alice, content_of([["Nombre", "Tel"], *(["a" * 50, "612345678"] for _ in range(3000))]), header_row=1
    )
    with force_locale("en"):
        download = open_download(job, app.extensions["storage"], "csv")
        pieces = list(download.pieces)
    assert download.size is None
    assert len(pieces) > 3
    assert b"".join(pieces).count(b"\r\n") == 3001


def test_the_terminal_writes_the_same_file(app: Flask, alice: User, tmp_path: Path) -> None:
    job = ran(job_of(app, alice, content_of(ROWS)))
    with force_locale("en"):
        write_export(job, app.extensions["storage"], tmp_path / "salida.xlsx")
    assert load_workbook(tmp_path / "salida.xlsx").sheetnames == ["Lista", "Otra"]


def _signed(content: bytes) -> bytes:
    origin = (
        b'<Relationship Id="rId99" Target="_xmlsignatures/origin.sigs" '
        b'Type="http://schemas.openxmlformats.org/package/2006/relationships/digital-signature/origin"/></Relationships>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            xml = old.read(name)
            new.writestr(name, xml.replace(b"</Relationships>", origin) if name == "_rels/.rels" else xml)
    return out.getvalue()


def _document_type(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            xml = old.read(name)
            new.writestr(name, b"<!DOCTYPE workbook>" + xml if name == "xl/workbook.xml" else xml)
    return out.getvalue()


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda content: content, None),
        (_signed, "This workbook is digitally signed."),
        (_document_type, "We cannot add columns to this workbook."),
    ],
)
def test_what_the_workbook_will_lack_is_said_before_the_start(
    app: Flask, alice: User, as_alice: FlaskClient, made: Callable[[bytes], bytes], sentence: str | None
) -> None:
    job = ran(job_of(app, alice, made(content_of(ROWS))))
    for page in (f"/documents/{job.document_id}", f"/jobs/{job.id}"):
        text = as_alice.get(page, headers={"Accept-Language": "en"}).get_data(as_text=True)
        assert ("data-loss" in text) == (sentence is not None)
        assert sentence is None or sentence in text


def test_any_choice_of_rows_can_be_downloaded(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    numbers = ["612345678", "612345679", "622345678", "912345678", "681234567", "no tiene"]
    job = ran(job_of(app, alice, content_of([["Nombre", "Tel"], *(["n", number] for number in numbers)]), header_row=1))

    def rows(query: str) -> list[object]:
        answer = as_alice.get(f"/jobs/{job.id}/results.xlsx?{query}", buffered=True)
        sheet = load_workbook(io.BytesIO(answer.data)).active
        return [row[1] for row in sheet.iter_rows(min_row=2, values_only=True)]  # type: ignore[union-attr]

    assert rows("outcome=found") == numbers[:4]
    assert rows("outcome=not_found") == numbers[4:5]
    assert rows("line_type=mobile") == numbers[:3]
    assert rows("line_type=mobile&original_operator=Movistar") == numbers[:2]
    assert rows("outcome=found&original_operator=\u2013") == numbers[2:4]


def test_a_choice_is_in_the_files_name(app: Flask, alice: User) -> None:
    job = ran(job_of(app, alice, content_of(ROWS)))
    choice = RowChoice(CellStatus.FOUND, (("line_type", "mobile"), ("province", "")))
    with force_locale("en"):
        assert "(Found, mobile, without data" in download_name(job, "xlsx", choice=choice)


def test_a_sheet_of_totals_comes_when_it_is_asked_for(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    numbers = ["612345678", "612345679", "622345678", "912345678", "681234567", "no tiene"]
    job = ran(job_of(app, alice, content_of([["Nombre", "Tel"], *(["n", number] for number in numbers)]), header_row=1))
    answer = as_alice.get(f"/jobs/{job.id}/results.xlsx?summary", buffered=True)
    assert faults_of_workbook(answer.data) == []
    workbook = load_workbook(io.BytesIO(answer.data))
    assert workbook.sheetnames == ["Lista", "Otra", "Summary"]
    rows = list(workbook["Summary"].iter_rows(values_only=True))
    assert rows[:4] == [("Status", "Numbers"), ("Found", 4), ("Not found", 1), ("Invalid", 1)]
    assert [row for row in rows if row[0] in ("mobile", "landline", "Movistar", "without data")] == [
        ("mobile", 3), ("landline", 1), ("Movistar", 2), ("without data", 2)
    ]  # fmt: skip
    assert rows[-1][0] == "Date"


CSV = 'sep=;\r\nNombre;Tel;Saldo\r\n"Ana";612345678;-12,50\r\nLuis;691234567\n"Pep ""x""";no tiene;+1,5%'


@pytest.mark.parametrize("ending", ["csv", "tsv", "txt"])
def test_a_text_file_comes_back_byte_for_byte_in_its_own_format(
    app: Flask, alice: User, as_alice: FlaskClient, ending: str
) -> None:
    job = ran(job_of(app, alice, CSV.encode("cp1252"), f"clientes.{ending}", header_row=1))
    english = {"Accept-Language": "en"}
    page = as_alice.get(f"/jobs/{job.id}", headers=english).get_data(as_text=True)
    assert f'id="job-download" href="/jobs/{job.id}/results"' in page
    answer = as_alice.get(f"/jobs/{job.id}/results", headers=english, buffered=True)
    assert answer.headers["Content-Disposition"].rstrip('"').endswith(f".{ending}")
    lines = answer.data.split(b"\r\n")
    assert lines[:2] == [
        b"sep=;",
        b"Nombre;Tel;Saldo;Status;Line type;Original operator;Reason",
    ]
    assert lines[2].startswith(b'"Ana";612345678;-12,50;Found;mobile;')
    luis, pep = lines[3].split(b"\n")
    assert luis.startswith(b"Luis;691234567;;No answer;")
    assert pep.startswith(b'"Pep ""x""";no tiene;+1,5%;Invalid;')
    assert as_alice.get(f"/jobs/{job.id}/results.csv", headers=english, buffered=True).data == answer.data
    sheet = load_workbook(
        io.BytesIO(as_alice.get(f"/jobs/{job.id}/results.xlsx", headers=english, buffered=True).data)
    ).active
    assert sheet is not None
    assert sheet["D2"].value == "Found"


def test_a_column_of_numbers_gets_the_delimiter_that_the_readers_excel_expects(app: Flask, alice: User) -> None:
    job = ran(job_of(app, alice, b"Tel\n612345678\n691234567\n", "a.csv", header_row=1, column=0))
    for locale, delimiter in (("es", b";"), ("en", b",")):
        with force_locale(locale), export(job, app.extensions["storage"], "csv") as file:
            assert file.read().startswith(b"Tel" + delimiter)


def test_an_ods_comes_back_as_an_ods(app: Flask, alice: User, as_alice: FlaskClient, tmp_path: Path) -> None:
    content = (Path(__file__).parents[2] / "fixtures" / "clientes.ods").read_bytes()
    job = ran(job_of(app, alice, content, "clientes.ods"))
    answer = as_alice.get(f"/jobs/{job.id}/results", headers={"Accept-Language": "en"}, buffered=True)
    assert answer.mimetype == "application/vnd.oasis.opendocument.spreadsheet"
    rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_index(0).to_python()
    assert rows[2][3:5] == ["Status", "Line type"]
    assert rows[3][3] == "Found"
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(io.BytesIO(answer.data)) as new:
        assert old.namelist() == new.namelist()
        changed = {name for name in old.namelist() if old.read(name) != new.read(name)}
        assert changed == {"content.xml", "meta.xml"}  # the answers, and the job's mark
    (came := tmp_path / "came.ods").write_bytes(answer.data)
    mark = read_mark(mark_of(came))
    assert mark is not None and mark.job_id == job.id
    excel = as_alice.get(f"/jobs/{job.id}/results.xlsx", buffered=True)
    assert load_workbook(io.BytesIO(excel.data)).active is not None


def test_an_ods_has_an_address_totals_and_named_columns(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    content = (Path(__file__).parents[2] / "fixtures" / "clientes.ods").read_bytes()
    job = ran(job_of(app, alice, content, "clientes.ods", header_row=0))
    english = {"Accept-Language": "en"}
    answer = as_alice.get(f"/jobs/{job.id}/results.ods?summary", headers=english, buffered=True)
    assert answer.mimetype == "application/vnd.oasis.opendocument.spreadsheet"
    names = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).sheet_names
    assert names[-2:] == ["Columns", "Summary"]
    assert f'/jobs/{job.id}/results.ods?summary="' in as_alice.get(f"/jobs/{job.id}", headers=english).text
    other = ran(job_of(app, alice, content_of(ROWS)))
    assert as_alice.get(f"/jobs/{other.id}/results.ods").status_code == 404
