"""The cells of the result file: words, times, and text that a program might interpret."""

import csv
import datetime
import io
from datetime import UTC

import pytest
from flask import Flask
from flask_babel import force_locale
from openpyxl import load_workbook

from portal.accounts import User
from portal.jobs.export import export
from tests.jobs.export.exporting import HEADER, PEOPLE, as_records, csv_of, every_column, job_on, ran, sheet_of

pytestmark = pytest.mark.usefixtures("ranges")


def test_words_and_times_follow_the_readers_settings(app: Flask, alice: User) -> None:
    app.config["BABEL_DEFAULT_TIMEZONE"] = app.config["DEFAULT_TIME_ZONE"] = "America/Lima"
    at = datetime.datetime(2026, 5, 5, 2, 30, tzinfo=UTC)
    job = ran(job_on(app, alice, [["Tel"], ["612345678"]]), at)

    (record,) = as_records(sheet_of(app, job, columns=every_column(job)))

    assert record["Checked at"] == "2026-05-04 21:30:00"


def test_text_like_a_formula_link_or_markup_stays_text(app: Flask, alice: User) -> None:
    nasty = [
        "=1+1",
        "+34612345678",
        "@SUM(A1)",
        "http://example.com",
        "<r><t>x</t></r>",
        "</is></c>",
        " a ",
        "a\nb",
        "007",
    ]
    job = job_on(app, alice, [["Tel", "Nota"], *(["612345678", text] for text in nasty)])

    with force_locale("en"), export(job, app.extensions["storage"]) as file:
        sheet = load_workbook(file).worksheets[0]

    cells = [row[1] for row in sheet.iter_rows(min_row=2)]
    assert [cell.value for cell in cells] == nasty
    assert {cell.data_type for cell in cells} == {"s"}
    assert not any(cell.hyperlink for cell in cells)


def test_control_characters_go_and_long_text_is_cut(app: Flask, alice: User) -> None:
    job = job_on(app, alice, [["Tel", "Nota"], ["612345678", "a\x00\x07b\r\nc\ufffe"], ["612345679", "x" * 40_000]])

    records = as_records(sheet_of(app, job))

    assert records[0]["Nota"] == "ab\nc"
    assert len(records[1]["Nota"]) == 32_767


def test_a_date_that_excel_cannot_hold_stays_as_text(app: Flask, alice: User) -> None:
    job = job_on(app, alice, [["Tel", "Nacido"], ["612345678", datetime.datetime(1850, 2, 3)]])  # noqa: DTZ001

    assert as_records(sheet_of(app, job))[0]["Nacido"] == "1850-02-03"


def test_csv_speaks_the_language_that_excel_expects(app: Flask, alice: User) -> None:
    job = ran(job_on(app, alice, [HEADER, *PEOPLE], column=1))

    with force_locale("es"), export(job, app.extensions["storage"], "csv") as file:
        content = file.read()
    spanish, english = csv_of(app, job, "es"), csv_of(app, job, "en")

    assert content.startswith(b'\xef\xbb\xbf"Nombre";"Tel\xc3\xa9fono";')
    assert content.endswith(b"\r\n")
    assert [spanish[1][3], english[1][3]] == ["12,5", "12.5"]
    assert english[1][:5] == ["Ana", "612 34 56 78", "2026-01-31", "12.5", "TRUE"]
    assert english[4][1] == "691234567"


@pytest.mark.parametrize(("language", "other"), [("es", ","), ("en", ";"), ("es", "\t")])
def test_no_cell_is_a_formula_for_excel_in_the_other_language(
    app: Flask, alice: User, language: str, other: str
) -> None:
    nasty = [f"x{other}=1+1", f"x{other} =1+1{other}y", f'x{other}"@SUM(A1)"', "x\n=1+1"]
    job = job_on(app, alice, [["Tel", *"ABCD"], ["612345678", *nasty]])

    with force_locale(language), export(job, app.extensions["storage"], "csv") as file:
        text = file.read().decode("utf-8-sig")

    assert all(line.startswith('"') for line in text.split("\r\n") if line)
    split = csv.reader(io.StringIO(text, newline=""), delimiter=other)
    assert [cell for line in split for cell in line if cell.lstrip(' "').startswith(("=", "@"))] == []


def test_csv_escapes_formulas_and_leaves_e164_alone(app: Flask, alice: User) -> None:
    texts = ["=1+1", "+34612345678", "+34 612 345 678", "-5", "@a", "\tx", "＝1+1", "+1234567890123456", "1=1", "-"]
    job = job_on(app, alice, [["Tel", "Nota"], *(["612345678", text] for text in texts), ["612345678", -5]])

    notes = [row[1] for row in csv_of(app, job)[1:]]

    assert notes == [
        "'=1+1", "+34612345678", "'+34 612 345 678", "-5", "'@a", "'\tx", "'＝1+1", "'+1234567890123456", "1=1", "'-",
        "-5",
    ]  # fmt: skip
