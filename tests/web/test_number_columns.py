"""A file with several columns of numbers, and with several numbers in a cell: chosen on the check page, one job."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.clock import utcnow
from portal.database import db
from portal.jobs import queries
from portal.jobs.notify.facts import job_facts
from tests.jobs.export.exporting import ran
from tests.support.databases import ON_BOTH
from tests.web.check_page import figures, form_of, jobs, read, ticked, upload

CLIENTS = """Nombre;Fijo;Móvil;Código
Ana;911111111;611111111;K-1
Luis;;622222222 / 633333333;K-2
Eva;611111111;x;K-3
Leo;;;K-4
"""


@pytest.fixture
def document_id(app: Flask, as_alice: FlaskClient) -> int:
    document_id = upload(as_alice, CLIENTS.encode(), "clientes.csv")
    read(app, document_id)
    return document_id


def test_all_columns_whose_heading_names_a_telephone_are_proposed(as_alice: FlaskClient, document_id: int) -> None:
    page = as_alice.get(f"/documents/{document_id}").text
    assert ticked(page) == ["1", "2"]
    assert figures(page) == {"to_look_up": 4, "duplicates": 1, "invalid": 1, "blank": 1}
    assert "4 rows in" in page and "Look up 4 numbers" in page
    for column in range(4):  # a click on a heading ticks its column, without a script
        assert re.search(rf'<th scope="col"[^>]*>\s*<label for="column-{column}">', page)
    bad = re.findall(r'data-label="Row">(\d+)</td><td data-label="Column">([^<]*)</td>.*?"long">(.*?)<', page)
    assert bad == [("4", "C · Móvil", "x")]


def test_the_form_starts_one_job_for_all_of_them(as_alice: FlaskClient, document_id: int) -> None:
    action = f"/documents/{document_id}/jobs"
    answer = as_alice.post(action, data=form_of(as_alice.get(f"/documents/{document_id}").text, action))
    (job,) = jobs()
    assert (answer.status_code, answer.location) == (303, f"/jobs/{job.id}")
    assert (job.column, job.columns) == (1, (1, 2))
    assert (job.total_numbers, job.invalid_count) == (7, 2)


@pytest.mark.parametrize(
    ("sent", "columns"),
    [
        (["2"], (2,)),
        (["2", "1"], (1, 2)),
        (["Móvil", "fijo"], (1, 2)),
        (["2", "2"], (2,)),
    ],
)
def test_a_program_may_name_one_or_more(
    as_alice: FlaskClient, document_id: int, sent: list[str], columns: tuple[int, ...]
) -> None:
    assert as_alice.post(f"/documents/{document_id}/jobs", data={"column": sent}).status_code == 303
    assert [job.columns for job in jobs()] == [columns]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"shown_sheet": "0"}, "Tick at least one column"),
        ({"column": ["1", "99"]}, "does not have that column"),
    ],
)
def test_a_choice_that_cannot_be_starts_nothing(
    as_alice: FlaskClient, document_id: int, sent: dict[str, str], says: str
) -> None:
    answer = as_alice.post(f"/documents/{document_id}/jobs", data=sent)
    assert answer.status_code == 422
    assert re.search(rf'role="alert".*?{says}', answer.text, re.S)
    assert jobs() == []


def test_the_address_keeps_the_columns(as_alice: FlaskClient, document_id: int) -> None:
    asked = f"/documents/{document_id}?sheet=0&shown_sheet=0&header_row=1&column=2&column=3"
    part = as_alice.get(asked, headers={"HX-Request": "true"})
    kept = part.headers["HX-Replace-Url"]
    assert ticked(part.text) == ticked(as_alice.get(kept).text) == ["2", "3"]
    assert "column=2&column=3" in kept


def test_the_limit_is_one_of_rows(app: Flask, as_alice: FlaskClient, document_id: int) -> None:
    app.config["MAX_ROWS"] = 4  # seven cells in four rows
    assert as_alice.post(f"/documents/{document_id}/jobs", data={"column": ["1", "2"]}).status_code == 303
    app.config["MAX_ROWS"] = 3
    assert as_alice.post(f"/documents/{document_id}/jobs", data={"column": ["1", "2"]}).status_code == 422


@pytest.fixture
def ended(app: Flask, as_alice: FlaskClient, document_id: int) -> str:
    """The address of a job that has ended."""
    address = as_alice.post(f"/documents/{document_id}/jobs", data={"column": ["1", "2"]}).location
    ran(jobs()[0], utcnow())
    return address


def rows_on(page: str) -> list[tuple[str, str, str]]:
    """Row, column and number of each line of the table."""
    page = page.partition('id="job-rows"')[2]
    line = r'data-label="Row">(\d+)</td>.*?data-label="Column">(.*?)</td>\s*<td[^>]*>(.*?)</td>'
    found = re.findall(line, page, re.S)
    return [(row, column, " ".join(re.sub("<[^>]*>", " ", cell).split())) for row, column, cell in found]


def test_the_rows_of_the_page_say_which_column_and_which_number(as_alice: FlaskClient, ended: str) -> None:
    page = as_alice.get(f"{ended}?outcome=all").text
    assert rows_on(page) == [
        ("2", "Fijo", "911111111"),
        ("2", "Móvil", "611111111"),
        ("3", "Móvil", "622222222 / 633333333 1) +34622222222"),
        ("3", "Móvil", "622222222 / 633333333 2) +34633333333"),
        ("4", "Fijo", "611111111"),
        ("4", "Móvil", "x"),
        ("5", "Fijo", "blank"),
    ]
    assert "B · Fijo, C · Móvil" in page
    assert [row for row, _, _ in rows_on(as_alice.get(f"{ended}?outcome=blank").text)] == ["5"]
    assert [row for row, _, _ in rows_on(as_alice.get(f"{ended}?outcome=invalid").text)] == ["4"]
    found = rows_on(as_alice.post(f"{ended}/rows", data={"q": "633 333"}, follow_redirects=True).text)
    assert [row for row, _, _ in found] == ["3", "3"], "the cell in which it stands, with both of its numbers"


@ON_BOTH
def test_no_number_is_lost_between_two_pages_of_rows(app: Flask, ended: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "NUMBERS_PER_PAGE", 3)
    pages = [queries.numbers_page(jobs()[0], page=page) for page in (1, 2, 3)]
    seen = [(one.row_no, one.column, one.place) for page in pages for one in page.rows]
    assert seen == [(2, 1, 1), (2, 2, 1), (3, 2, 1), (3, 2, 2), (4, 1, 1), (4, 2, 1), (5, 1, 1)]
    assert [(page.pages, page.first, page.total) for page in pages] == [(3, 1, 7), (3, 4, 7), (3, 7, 7)]
    assert queries.numbers_page(jobs()[0], page=99).page == 3


def test_a_notice_names_each_row_once(ended: str) -> None:
    with db.session.no_autoflush:
        facts = job_facts(jobs()[0])
    assert (facts["invalid"], facts["invalid_rows"], facts["total"]) == (1, [4], 7)
