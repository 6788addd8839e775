"""A field of a source that is called like a column of ours has the source's name in brackets, on pages and in files."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from openpyxl import load_workbook

from portal import sources
from portal.accounts import User
from portal.jobs.export import ColumnChoice, export, returned
from portal.jobs.export.columns import LONGEST_NAME, columns_of, titles_of
from portal.sources.base import Answer, Outcome, SourceFacts
from tests.jobs.export.exporting import csv_of, job_on, ran
from tests.support.sources import CountingSource

FIELDS = ("status", "reason", "area")
LABELS = {"status": {"es": "Estado", "en": "Status"}, "reason": {"es": " motivo "}, "area": {"": "Zona"}}
FACTS = SourceFacts(FIELDS, 1, "1", 0.0, title={"": "Padrón"}, labels=LABELS)


@pytest.fixture(autouse=True)
def states() -> Iterator[None]:
    answer = Answer(Outcome.FOUND, {"status": "activo", "reason": "alta", "area": "7"})
    for name, facts in (("states", FACTS), ("long", replace(FACTS, title={"": "Padrón municipal " * 6}))):
        sources.register(name, lambda: CountingSource(lambda _: answer), facts)
    yield
    sources.unregister("states")
    sources.unregister("long")


def names(source: str, language: str) -> dict[str, str]:
    with force_locale(language):
        return titles_of(columns_of(FIELDS), source)


def test_its_name_says_whose_it_is(app: Flask) -> None:
    spanish, english = names("states", "es"), names("states", "en")
    assert (spanish["status"], spanish["answer.status"]) == ("Estado", "Estado (Padrón)")
    assert (spanish["reason"], spanish["answer.reason"], spanish["area"]) == ("Motivo", "motivo (Padrón)", "Zona")
    assert (english["status"], english["answer.status"]) == ("Status", "Status (Padrón)")
    assert (english["reason"], english["answer.reason"]) == ("Reason", "motivo")  # which is no column of ours there


def test_a_long_name_of_a_source_is_cut_inside_its_brackets(app: Flask) -> None:
    name = names("long", "es")["answer.status"]
    assert name.startswith("Estado (Padrón municipal") and name.endswith("…)") and len(name) <= LONGEST_NAME


def test_of_several_sources_the_one_whose_field_it_is(app: Flask) -> None:
    with force_locale("es"):
        titles = titles_of(columns_of(("line_type", "status@2", "found_by@")), "offline,states")
    assert titles["status"] == "Estado" and titles["status@2"] == "Estado (Padrón)"


def test_the_page_and_the_file_say_the_same(app: Flask, as_alice: FlaskClient, alice: User) -> None:
    rows = [["Nombre", "Teléfono"], ["Ana", "612345678"], ["Pep", "912345678"]]
    job = ran(job_on(app, alice, rows, column=1, source="states"))
    page = as_alice.get(f"/jobs/{job.id}").text
    assert page.count(">Status (Padrón)<") == 1  # the heading of the table
    heads = csv_of(app, job)[0]
    assert heads == ["Nombre", "Teléfono", "Status", "Status (Padrón)", "motivo", "Zona"]
    assert "Status (Padrón)" in as_alice.get(f"/jobs/{job.id}/columns").text
    with force_locale("en"), export(job, app.extensions["storage"], columns=ColumnChoice(with_summary=True)) as file:
        totals = [list(row) for row in load_workbook(file).worksheets[-1].iter_rows(values_only=True)]
    assert ["Status (Padrón)", "Numbers"] in totals and totals.count(["Status", "Numbers"]) == 1


def test_a_program_that_names_columns_gets_the_names_that_it_knows(
    app: Flask, as_alice: FlaskClient, alice: User
) -> None:
    job = ran(job_on(app, alice, [["Teléfono"], ["612345678"]], column=0, source="states"))
    for columns, heads in (
        ("status,answer.status,area", "Status,Status 2,Zona"), ("answer.status=Alta", "Alta"), ("default", None)
    ):  # fmt: skip
        text = as_alice.get(f"/jobs/{job.id}/results.csv?columns={columns}").data.decode("utf-8-sig")
        first = text.splitlines()[0].replace('"', "").removeprefix("Teléfono,")
        assert first == (heads or "Status,Status (Padrón),motivo,Zona")
    everything = as_alice.get(f"/jobs/{job.id}/results.csv?columns=all").data.decode("utf-8-sig").splitlines()[0]
    assert "Status 2" in everything


def test_beside_a_heading_of_the_person_the_page_and_the_file_say_what_is_of_the_lookup(
    app: Flask, as_alice: FlaskClient, alice: User
) -> None:
    rows = [["Status", "Teléfono", "ZONA"], ["alta", "612345678", "Norte"], ["baja", "912345678", "Sur"]]
    job = ran(job_on(app, alice, rows, column=1, source="states"))
    page = as_alice.get(f"/jobs/{job.id}").text
    table = page[page.index('id="rows-found"') :]
    for name in ("Status", "Status (lookup)", "Status (Padrón)", "Zona (lookup)", "ZONA"):
        assert re.search(rf"<th[^>]*>(<a[^>]*>)?{re.escape(name)}(</a>)?</th>", table), name
    heads = ["Status", "Teléfono", "ZONA", "Status (lookup)", "Status (Padrón)", "motivo", "Zona (lookup)"]
    assert csv_of(app, job)[0] == heads
    for columns in ("status,area", "all"):
        text = as_alice.get(f"/jobs/{job.id}/results.csv?columns={columns}").data.decode("utf-8-sig")
        assert "Status 2" in text.splitlines()[0] and "Zona 2" in text.splitlines()[0]


def test_a_download_is_recognised_by_either_name(app: Flask) -> None:
    ours = returned._our_headings()
    assert {"status", "estado", "status lookup", "estado consulta"} <= ours


def test_a_field_called_status_is_chosen_and_put_in_order_by_as_any_other(
    app: Flask, as_alice: FlaskClient, alice: User
) -> None:
    """It was taken for the column of ours that has this name."""
    numbers = ["612345678", "912345678", "x", "612345679"]
    said = {f"+34{one}": word for one, word in zip(numbers, ("baja", "alta", "", "alta"), strict=True)}
    sources.register("own", lambda: CountingSource(lambda e164: Answer(Outcome.FOUND, {"status": said[e164]})), FACTS)
    try:
        job = ran(job_on(app, alice, [["Tel"], *([one] for one in numbers)], column=0, source="own"))
        job_id, rows = job.id, re.compile(r'<tr id="row-(\d+)')
        page = as_alice.get(f"/jobs/{job_id}").text
        bars = page[page.index('id="job-result"') : page.index('id="job-rows"')]
        assert "<h3>Status (Padrón)</h3>" in bars and "answer.status=alta" in bars
        chosen = as_alice.get(f"/jobs/{job_id}?answer.status=alta").text
        assert rows.findall(chosen) == ["3", "5"] and 'name="answer.status" value="alta"' in chosen
        assert rows.findall(as_alice.get(f"/jobs/{job_id}?sort=answer.status").text) == ["3", "5", "2", "4"]
        assert rows.findall(as_alice.get(f"/jobs/{job_id}?sort=status").text) == ["2", "3", "5", "4"]
        text = as_alice.get(f"/jobs/{job_id}/results.csv?answer.status=alta").data.decode("utf-8-sig")
        assert len(text.splitlines()) == 1 + 2
    finally:
        sources.unregister("own")
