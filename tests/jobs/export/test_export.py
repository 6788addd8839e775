"""The result file: the person's rows, in their order, followed by the answers."""

from collections import Counter
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale
from openpyxl import load_workbook

from portal import sources
from portal.accounts import User
from portal.database import db
from portal.jobs.core.derived import cells_to_fix
from portal.jobs.core.status import CellStatus
from portal.jobs.export import UnknownGroup, export, groups_of
from portal.jobs.words.statuses import outcome_words
from portal.sources.base import Answer, Outcome, SourceFacts
from tests import services
from tests.jobs.export.exporting import (
    HEADER,
    PEOPLE,
    TITLES,
    as_records,
    csv_of,
    every_column,
    job_on,
    ran,
    rows_in,
    sheet_of,
)
from tests.support import cast
from tests.support.sources import CountingSource

pytestmark = pytest.mark.usefixtures("ranges")


def test_rows_order_and_columns_are_those_of_the_file(app: Flask, alice: User) -> None:
    job = ran(job_on(app, alice, [*TITLES, HEADER, *PEOPLE], header_row=3, column=1))

    rows = sheet_of(app, job)

    width = len(HEADER)
    assert rows[0][:width] == ["Listado de clientes 2026", None, None, None, None]
    assert rows[1] == [None] * len(rows[1])
    assert rows[2][:width] == HEADER
    for written, given in zip(rows[3:], PEOPLE, strict=True):
        expected = [*given, *[None] * (width - len(given))]
        if expected[1] == 691234567.0:
            expected[1] = "691234567"  # the number column is text, so that Excel leaves it alone
        assert written[:width] == expected
        assert [type(cell) for cell in written[:width]] == [
            int if isinstance(cell, float) and cell.is_integer() else type(cell) for cell in expected
        ]


def test_the_answers_follow_the_widest_row(app: Flask, alice: User) -> None:
    job = ran(job_on(app, alice, [HEADER[:2], *PEOPLE], column=1))

    rows = sheet_of(app, job, columns=every_column(job))

    assert rows[0] == [
        "Nombre", "Teléfono", None, None, None,
        "Status", "Line type", "Original operator", "Reason", "International number", "Checked at", "Duplicate of row",
    ]  # fmt: skip
    ana, luis, blank, marta, note, eva, pep, iris = (row[5:] for row in rows[1:])
    assert ana == ["Found", "mobile", "Movistar", None, "+34612345678", "2026-05-05 11:00:00", None]
    assert luis == ["Found", "mobile", "Movistar", None, "+34612345678", "2026-05-05 11:00:00", 2]
    assert blank[0] == "Blank" and "blank" in blank[3]
    assert marta[0] == outcome_of(Outcome.FAILED) and marta[3] == "The source did not answer for this number."
    assert note[0] == "Invalid" and "not a telephone number" in note[3]
    assert eva[:2] == ["Not found", None]
    assert pep[:2] == ["Found", "landline"]
    assert iris[:3] == ["Found", "mobile", None]


def outcome_of(outcome: Outcome | CellStatus) -> str:
    with force_locale("en"):
        return outcome_words(outcome)


def test_the_files_sums_are_the_jobs_counters(app: Flask, alice: User) -> None:
    job = ran(job_on(app, alice, [HEADER, *PEOPLE, *PEOPLE], column=1))

    for rows in (sheet_of(app, job), csv_of(app, job)):
        counted = Counter(record["Status"] for record in as_records(rows))
        db.session.refresh(job)
        assert counted == {
            outcome_of(Outcome.FOUND): job.found_count,
            outcome_of(Outcome.NOT_FOUND): job.not_found_count,
            outcome_of(Outcome.INVALID): job.invalid_count - job.blank_count,
            outcome_of(CellStatus.BLANK): job.blank_count,
            outcome_of(Outcome.FAILED): job.failed_count,
        }
        assert counted.total() == job.total_numbers == 16


def test_a_job_that_has_not_begun_can_be_downloaded(app: Flask, alice: User) -> None:
    job = job_on(app, alice, [HEADER, *PEOPLE], column=1)

    records = as_records(sheet_of(app, job, columns=every_column(job)))

    waiting = outcome_of(Outcome.WAITING)
    assert [record["Status"] for record in records] == [
        waiting, waiting, "Blank", waiting, "Invalid", waiting, waiting, waiting
    ]  # fmt: skip
    assert records[0]["Checked at"] is None


def test_rows_to_fix_say_what_to_do_and_keep_the_titles(app: Flask, alice: User) -> None:
    job = ran(job_on(app, alice, [*TITLES, HEADER, *PEOPLE], header_row=3, column=1))

    rows = sheet_of(app, job, rows="failed")

    assert rows[0][0] == "Listado de clientes 2026"
    records = as_records(rows, header_row=3)
    assert [record["Row in your file"] for record in records] == [7, 8]
    assert [record["Nombre"] for record in records] == ["Marta", "=1+1"]
    assert all(record["What to do"] for record in records)
    assert len(records) == job.failed_count + cells_to_fix(job)


def test_the_rows_to_fix_can_be_uploaded_again(app: Flask, alice: User) -> None:
    first = ran(job_on(app, alice, [HEADER, *PEOPLE], column=1))
    again = sheet_of(app, first, rows="failed")
    again[1][1] = "691234568"

    second = job_on(app, alice, again, column=1)

    assert (second.total_numbers, second.invalid_count) == (2, 1)


def test_each_group_has_as_many_rows_as_it_says(app: Flask, alice: User) -> None:
    job = ran(job_on(app, alice, [HEADER, *PEOPLE, *PEOPLE], column=1))

    found = {group.key: group.count for group in groups_of(job)}

    assert found == {"mobiles": 2, "unique": 5, "operator:Movistar": 1, "operator:": 1}
    for key, count in found.items():
        records = as_records(sheet_of(app, job, group=key, columns=every_column(job)))
        assert len(records) == count
        assert not any(record["Duplicate of row"] for record in records)
    names = [record["Nombre"] for record in as_records(sheet_of(app, job, group="operator:Movistar"))]
    assert names == ["Ana"]


def test_a_group_that_does_not_exist_is_refused(app: Flask, alice: User) -> None:
    job = job_on(app, alice, [HEADER, *PEOPLE], column=1)

    for nonsense in ("", "everybody", "MOBILES"):
        with pytest.raises(UnknownGroup):
            sheet_of(app, job, group=nonsense)
    with pytest.raises(ValueError, match="some"):
        sheet_of(app, job, rows="some")


def test_a_sheet_without_header_keeps_its_rows(app: Flask, alice: User) -> None:
    job = ran(job_on(app, alice, [["612345678"], ["622345678"]], header_row=0))

    with force_locale("en"), export(job, app.extensions["storage"]) as file:
        workbook = load_workbook(file)

    assert workbook.sheetnames == ["Clientes", "Columns"]
    rows = rows_in(workbook)
    assert [row[:2] for row in rows] == [["612345678", "Found"], ["622345678", "Found"]]
    assert [list(row) for row in workbook["Columns"].iter_rows(max_row=2, values_only=True)] == [
        ["Column", "Contents"],
        ["B", "Status"],
    ]


def test_only_the_chosen_sheet_is_written(app: Flask, alice: User) -> None:
    for name, written in (
        ("Móviles 2026", "Móviles 2026"),
        ("a/b:[c]*" + "x" * 40, "a_b__c__" + "x" * 23),
        ("", "Results"),
    ):
        job = job_on(app, alice, [["Tel"], ["612345678"]], sheet_name=name)
        with force_locale("en"), export(job, app.extensions["storage"]) as file:
            assert load_workbook(file).sheetnames == [written]


def test_a_job_without_its_source_keeps_its_answers(app: Flask, alice: User) -> None:
    job = ran(job_on(app, alice, [["Tel"], ["612345678"]]))
    sources.unregister("ranges")

    assert as_records(sheet_of(app, job))[0]["Line type"] == "mobile"


@pytest.mark.postgresql
def test_postgresql_gives_the_same_file_and_groups(
    app: Flask, alice: User, tmp_path: Path, postgres_server: str
) -> None:
    job = ran(job_on(app, alice, [HEADER, *PEOPLE, *PEOPLE], column=1))
    expected = sheet_of(app, job), {group.key: group.count for group in groups_of(job)}
    db.session.rollback()

    with services.new_database(postgres_server) as url:
        other = cast.make_app(tmp_path / "other", DATABASE_URL=url)
        with other.app_context():
            job = ran(job_on(other, cast.make_user("alice@example.com"), [HEADER, *PEOPLE, *PEOPLE], column=1))
            found = sheet_of(other, job), {group.key: group.count for group in groups_of(job)}
            db.session.remove()
            db.engine.dispose()

    assert found == expected


def test_yes_and_no_are_written_in_the_language_of_the_reader(app: Flask, alice: User) -> None:
    facts = SourceFacts(("ported",), 1, "1", 0.001, yes_no=frozenset({"ported"}))
    source = CountingSource(lambda e164: Answer(Outcome.FOUND, {"ported": "yes" if e164.endswith("1") else "no"}))
    sources.register("ported", lambda: source, facts)
    try:
        job = ran(job_on(app, alice, [["Tel"], ["612345671"], ["612345672"]], source="ported"))
        for read in (sheet_of, csv_of):
            assert [row[-1] for row in read(app, job, "es")[1:]] == ["sí", "no"]
    finally:
        sources.unregister("ported")
