"""The answers for several numbers of a row come back beside their columns, in every kind of file."""

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from flask import Flask
from flask_babel import force_locale
from openpyxl import Workbook, load_workbook
from python_calamine import CalamineWorkbook

from portal import sources
from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.jobs import commands
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.status import Status
from portal.jobs.export import ColumnChoice, Pick, columns_of, export, fields_of_job
from portal.jobs.models import ScrapingJob
from portal.sources.base import Answer, Outcome
from tests.jobs.export.exporting import as_records, csv_of, ran, rows_in, sheet_of
from tests.jobs.export.sheet_order import faults_of_workbook
from tests.jobs.export.test_in_place import document_of
from tests.jobs.export.test_own_ods import cell as ods_cell
from tests.jobs.export.test_own_ods import package
from tests.support.cast import NOW
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource

pytestmark = pytest.mark.usefixtures("ranges")
ROWS = [
    ["Nombre", "Fijo", "Móvil", "Nota"],
    ["Ana", "911111111", "611111111", "a"],
    ["Luis", None, "622222222 / 613333333", "b"],
    ["Eva", "611111111", "691234567", "c"],
    ["Leo", None, None, "d"],
    ["Sam", "no tiene", "600 000 001 y 691 000 002", "e"],
    ["Pep", "912222222 / 913333333", None, "f"],
]
HEADINGS = ["Fijo: status", "Fijo: line type", "Móvil: status", "Móvil: line type"]
ANSWERS = [
    ["Found", "landline", "Found", "mobile"],
    [None, None, "Found", "mobile"],
    ["Found", "mobile", "No answer", None],
    ["Blank", None, None, None],
    ["Invalid", None, "1) Found / 2) No answer", "1) landline / 2) –"],
    ["Found", "landline", None, None],
]


def job_of(
    app: Flask, alice: User, content: bytes, name: str, columns: tuple[int, ...] = (1, 2), source: str = "ranges"
) -> ScrapingJob:
    document = document_of(app, alice, content, name)
    first, *others = columns
    sheet = 1 if name.endswith(".ods") else 0
    choice = SheetChoice(sheet, 1, (first, *others), "ES")
    return commands.start(document, choice, source, alice, utcnow(), push=False)


def workbook_of(rows: list[list[Any]]) -> bytes:
    workbook = Workbook()
    for row in rows:
        workbook.active.append(row)
    workbook.save(out := io.BytesIO())
    return out.getvalue()


def text_of(rows: list[list[Any]]) -> bytes:
    return "".join(";".join(cell or "" for cell in row) + "\n" for row in rows).encode()


def ods_of(rows: list[list[Any]]) -> bytes:
    written = ["".join(ods_cell(cell) if cell else "<table:table-cell/>" for cell in row) for row in rows]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clientes.ods"
        return package(path, "".join(f"<table:table-row>{row}</table:table-row>" for row in written)).read_bytes()


def chosen(job: ScrapingJob, text: str = "status,line_type") -> ColumnChoice:
    """These columns, under the names that they have in the language of the file."""
    shown = text.split(",")
    others = [one.id for one in columns_of(fields_of_job(job)) if one.id not in shown]
    return ColumnChoice(tuple(Pick(name, name in shown) for name in [*shown, *others]), keeps_empty=True)


def in_xlsx(content: bytes) -> list[list[Any]]:
    assert faults_of_workbook(content) == []
    return rows_in(load_workbook(io.BytesIO(content)))


def in_ods(content: bytes) -> list[list[Any]]:
    found = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(1).to_python()
    return [[None if cell == "" else cell for cell in row] for row in found]


def in_csv(content: bytes) -> list[list[Any]]:
    return [[cell or None for cell in line.split(";")] for line in content.decode().splitlines()]


@pytest.mark.parametrize(
    ("make", "name", "kind", "read"),
    [
        (workbook_of, "clientes.xlsx", "xlsx", in_xlsx),
        (ods_of, "clientes.ods", "ods", in_ods),
        (text_of, "clientes.csv", "csv", in_csv),
        (text_of, "clientes.csv", "xlsx", lambda content: rows_in(load_workbook(io.BytesIO(content)))),
    ],
)
def test_the_answers_come_beside_their_columns(
    app: Flask,
    alice: User,
    make: Callable[[list[list[Any]]], bytes],
    name: str,
    kind: str,
    read: Callable[[bytes], Any],
) -> None:
    job = ran(job_of(app, alice, make(ROWS), name))
    with force_locale("en"), export(job, app.extensions["storage"], kind, columns=chosen(job)) as file:
        found = read(file.read())
    assert found[0] == [*ROWS[0], *HEADINGS]
    assert [row[4:] + [None] * (8 - len(row)) for row in found[1:]] == ANSWERS
    assert [row[:4] for row in found] == ROWS


def test_the_statuses_of_both_columns_have_their_colour(app: Flask, alice: User) -> None:
    job = ran(job_of(app, alice, workbook_of(ROWS), "clientes.xlsx"))
    with force_locale("en"), export(job, app.extensions["storage"], columns=chosen(job)) as file:
        sheet = load_workbook(file).worksheets[0]
    found, to_fix, none = "FFE4F2E7", "FFFBE9D9", "00000000"
    colours = [[sheet.cell(row, column).fill.fgColor.rgb for column in (5, 7)] for row in range(2, 8)]
    assert colours == [[found, found], [none, found], [found, to_fix], [none, none], [to_fix, to_fix], [found, none]]


@ON_BOTH
def test_a_column_that_is_empty_beside_one_of_them_is_left_out_there(app: Flask, alice: User) -> None:
    job = ran(job_of(app, alice, workbook_of([ROWS[0], ["Ana", "911111111", "611111111", None]]), "clientes.xlsx"))
    picks = (Pick("status", True), Pick("original_operator", True), Pick("line_type", False))
    with force_locale("en"), export(job, app.extensions["storage"], columns=ColumnChoice(picks)) as file:
        assert in_xlsx(file.read())[0][4:] == ["Fijo: status", "Móvil: status", "Móvil: original operator"]


def test_one_column_keeps_its_headings_and_says_both_numbers_of_a_cell(app: Flask, alice: User) -> None:
    job = ran(job_of(app, alice, workbook_of(ROWS), "clientes.xlsx", (2,)))
    names = "status,line_type,e164,duplicate_of"
    with force_locale("en"), export(job, app.extensions["storage"], columns=chosen(job, names)) as file:
        records = as_records(in_xlsx(file.read()))
    assert list(records[0])[4:] == ["Status", "Line type", "International number", "Duplicate of row"]
    assert [record["International number"] for record in records] == [
        "+34611111111", "1) +34622222222 / 2) +34613333333", "+34691234567", None,
        "1) +34600000001 / 2) +34691000002", None,
    ]  # fmt: skip


def test_a_selection_has_the_rows_in_which_one_of_the_numbers_is_wanted(app: Flask, alice: User) -> None:
    job = ran(job_of(app, alice, workbook_of(ROWS), "clientes.xlsx"))
    rows = sheet_of(app, job, rows="failed", columns=chosen(job, "row,status,reason"))
    assert rows[0][4:] == ["Row in your file", "Fijo: status", "Fijo: reason", "Móvil: status", "Móvil: reason"]
    assert [row[4] for row in rows[1:]] == [4, 6]
    assert [row[5] for row in rows[1:]] == ["Found", "Invalid"]
    assert [row[0] for row in csv_of(app, job, group="mobiles")[1:]] == ["Ana", "Luis"]


def test_equal_and_missing_headings_are_told_apart_by_their_letters(app: Flask, alice: User) -> None:
    rows = [["Teléfono", "Teléfono", None], ["911111111", "611111111", "612222222"]]
    job = ran(job_of(app, alice, workbook_of(rows), "clientes.xlsx", (0, 1, 2)))
    with force_locale("es"), export(job, app.extensions["storage"], columns=chosen(job, "status")) as file:
        assert in_xlsx(file.read())[0][3:] == ["Teléfono (A): estado", "Teléfono (B): estado", "Columna C: estado"]


@ON_BOTH
def test_a_row_is_whole_wherever_a_chunk_ends(app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [[f"p{n}", f"91{n:07d}", f"61{n:07d} / 62{n:07d}", ""] for n in range(20)]
    job = ran(job_of(app, alice, workbook_of([ROWS[0], *people]), "clientes.xlsx"))
    whole = sheet_of(app, job, columns=chosen(job, "status,e164"))
    assert len(whole) == 21 and all(None not in row[4:] for row in whole)
    for chunk in (4, 5, 7):
        monkeypatch.setattr("portal.jobs.export.lines.CHUNK", chunk)
        assert sheet_of(app, job, columns=chosen(job, "status,e164")) == whole


@ON_BOTH
def test_each_cell_is_in_the_ledger_with_its_place(app: Flask, alice: User) -> None:
    job = ran(job_of(app, alice, workbook_of(ROWS), "clientes.xlsx"))
    in_order = (CellAnswer.row_no, CellAnswer.column, CellAnswer.place)
    found = db.session.execute(db.select(*in_order).where(CellAnswer.job_id == job.id).order_by(*in_order))
    assert [tuple(row) for row in found] == [
        (2, 1, 1), (2, 2, 1), (3, 2, 1), (3, 2, 2), (4, 1, 1), (4, 2, 1), (5, 1, 1), (6, 1, 1), (6, 2, 1), (6, 2, 2),
        (7, 1, 1), (7, 1, 2),
    ]  # fmt: skip
    assert job.total_numbers == 12


def test_two_columns_of_5000_rows_are_one_job_and_one_file_and_each_number_is_asked_once(
    app: Flask, alice: User
) -> None:
    def person(n: int) -> list[str]:
        landline, mobile = f"91{n % 3000:07d}", f"6{10_000_000 + n}"  # every third landline stands in several rows
        if n % 10 == 0:
            return [f"p{n}", f"{landline} / {mobile}", mobile, ""]
        return [f"p{n}", landline, f"+34 {mobile[:3]} {mobile[3:6]} {mobile[6:]}", ""]

    rows = [person(n) for n in range(5000)]
    source = CountingSource(lambda e164: Answer(Outcome.FOUND, {"seen": e164[-9:]}))
    sources.register("counting", lambda: source)
    try:
        job = job_of(app, alice, text_of([ROWS[0], *rows]), "clientes.csv", source="counting")
        ran(job, utcnow())
        with force_locale("en"), export(job, app.extensions["storage"], "csv", columns=chosen(job, "seen")) as file:
            found = in_csv(file.read())
    finally:
        sources.unregister("counting")
    db.session.refresh(job)
    assert (job.status, job.total_numbers, job.processed_numbers) == (Status.COMPLETED, 10_500, 10_500)
    assert db.session.scalar(db.select(db.func.count()).select_from(ScrapingJob)) == 1
    assert set(source.calls.values()) == {1} and len(source.calls) == 3000 + 5000
    assert found[0][4:] == ["Fijo: seen", "Móvil: seen"]
    assert [row[:3] for row in found[1:]] == [row[:3] for row in rows]
    for n, (row, written) in enumerate(zip(found[1:], rows, strict=True)):
        landline, mobile = f"91{n % 3000:07d}", f"6{10_000_000 + n}"
        assert row[4:] == [f"1) {landline} / 2) {mobile}" if "/" in written[1] else landline, mobile]


def test_a_retry_asks_only_for_the_number_that_failed_of_a_cell_with_two(app: Flask, alice: User) -> None:
    tries: Counter[str] = Counter()

    def answer(e164: str) -> Answer:
        tries[e164] += 1
        fails = e164 == "+34633333333" and not mended
        return Answer(Outcome.FAILED, reason="temporary") if fails else Answer(Outcome.FOUND, {"seen": e164[-9:]})

    mended: list[bool] = []
    sources.register("counting", lambda: CountingSource(answer))
    try:
        rows = [ROWS[0], ["Ana", "633333333", "622222222 / 633333333", ""], ["Eva", "622222222", "633333333", ""]]
        job = ran(job_of(app, alice, text_of(rows), "clientes.csv", source="counting"))
        assert (job.total_numbers, job.processed_numbers, job.failed_count) == (5, 2, 3)
        mended.append(True)
        assert commands.retry(job.id, job.round, alice.email, NOW) is not None
        ran(job)
        with force_locale("en"), export(job, app.extensions["storage"], "csv", columns=chosen(job, "seen")) as file:
            found = in_csv(file.read())
    finally:
        sources.unregister("counting")
    assert (job.status, job.processed_numbers, job.failed_count) == (Status.COMPLETED, 5, 0)
    assert tries["+34622222222"] == 1
    assert [row[4:] for row in found[1:]] == [
        ["633333333", "1) 622222222 / 2) 633333333"], ["622222222", "633333333"],
    ]  # fmt: skip
