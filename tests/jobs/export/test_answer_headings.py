"""A field of a source that is called like a column of ours has the source's name in brackets, on pages and in files."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from openpyxl import load_workbook

from portal import sources
from portal.accounts import User
from portal.jobs.export import ColumnChoice, export
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
    assert page.count(">Status (Padrón)<") == 2  # its bars, and its column of the table
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
