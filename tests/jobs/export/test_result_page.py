"""The result on a job's page: bars that choose rows, and the person's own table beside the answers."""

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.jobs.models import ScrapingJob
from tests.jobs.export.exporting import ran
from tests.jobs.export.test_in_place import content_of, job_of

pytestmark = pytest.mark.usefixtures("ranges")

NUMBERS = ["612345678", "612345679", "622345678", "912345678", "681234567", "no tiene", "612345678"]
NAMES = ["Ana", "Luis", "Eva", "Bar Paco", "Pepe", "Rosa", "Ana otra vez"]


@pytest.fixture
def job(app: Flask, alice: User) -> ScrapingJob:
    """Seven rows: five found, of which one repeats another; one not found, one without a number."""
    people = ([name, number, "Madrid"] for name, number in zip(NAMES, NUMBERS, strict=True))
    rows = [["Nombre", "Tel", "Ciudad"], *people]
    return ran(job_of(app, alice, content_of(rows), header_row=1))


def bars(page: str) -> dict[str, str]:
    """Each bar's words with its count, and the address that it leads to."""
    found = re.findall(r'class="value-bar" href="([^"]*)".*?<span>(.*?)</span> <b class="num">(.*?)</b>', page, re.S)
    return {f"{words} {count}": html.unescape(href) for href, words, count in found}


def names(page: str) -> list[str]:
    """The own first column of the rows that are shown."""
    return re.findall(r'data-label="Nombre">(.*?)</td>', page)


def test_a_bar_chooses_its_rows_and_bars_combine(as_alice: FlaskClient, job: ScrapingJob) -> None:
    page = as_alice.get(f"/jobs/{job.id}").text
    assert {"mobile 4", "landline 1", "Movistar 3", "without data 2"} <= set(bars(page))
    mobiles = as_alice.get(bars(page)["mobile 4"]).text
    assert names(mobiles) == ["Ana", "Luis", "Eva", "Ana otra vez"]
    both = as_alice.get(bars(mobiles)["Movistar 3"]).text
    assert names(both) == ["Ana", "Luis", "Ana otra vez"]
    assert both.count('class="chip"') == 2
    fewer = as_alice.get(bars(both)["mobile 4"]).text  # pressed again: it no longer chooses
    assert names(fewer) == ["Ana", "Luis", "Ana otra vez"]
    assert fewer.count('class="chip"') == 1
    assert names(as_alice.get(bars(page)["without data 2"]).text) == ["Eva", "Bar Paco"]


def test_what_is_chosen_is_kept_and_can_be_downloaded(as_alice: FlaskClient, job: ScrapingJob) -> None:
    page = as_alice.get(f"/jobs/{job.id}?line_type=mobile").text
    link = re.search(r'id="rows-download" href="([^"]*)"', page)
    assert link and "line_type=mobile" in link[1]
    assert as_alice.get(html.unescape(link[1]), buffered=True).status_code == 200
    sent = as_alice.post(f"/jobs/{job.id}/rows", data={"q": "612345679", "outcome": "all", "line_type": "mobile"})
    assert "line_type=mobile" in sent.location
    assert names(as_alice.get(sent.location).text) == ["Luis"]


def test_the_table_is_the_persons_own_with_a_column_for_each_answer(as_alice: FlaskClient, job: ScrapingJob) -> None:
    page = as_alice.get(f"/jobs/{job.id}?outcome=all").text
    table = page[page.index('id="job-rows"') :]
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table)
    assert heads[:5] == ["Row", "Nombre", "Ciudad", "Number", "Status"]
    assert {"Line type"} <= set(heads)
    assert table.count('data-label="Line type">mobile<') == 4
    assert names(table) == NAMES


@pytest.mark.parametrize("asked", ["?line_type=%00", "?line_type=" + "x" * 5000, "?province=–", "?country[]=ES"])
def test_nonsense_in_the_address_is_no_error(as_alice: FlaskClient, job: ScrapingJob, asked: str) -> None:
    answer = as_alice.get(f"/jobs/{job.id}{asked}")
    assert answer.status_code == 200
