"""The result on a job's page: bars that choose rows, and the person's own table beside the answers."""

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.storage import result_part
from portal.jobs import commands, queries
from portal.jobs.models import ScrapingJob
from portal.jobs.result import kept
from portal.jobs.worker import tasks
from tests.jobs.export.exporting import ran
from tests.jobs.export.test_in_place import content_of, job_of
from tests.support.cast import NOW

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


def headings(page: str) -> list[str]:
    """Those of the table of rows."""
    table = page[page.index('id="job-rows"') :]
    return [re.sub("<[^>]*>", "", head).strip() for head in re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table, re.S)]


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
    table, heads = page[page.index('id="job-rows"') :], headings(page)
    assert heads[:5] == ["Row", "Nombre", "Ciudad", "Tel", "Status"]
    assert {"Line type"} <= set(heads)
    assert table.count('data-label="Line type">mobile<') == 4
    assert names(table) == NAMES


@pytest.mark.parametrize("asked", ["?line_type=%00", "?line_type=" + "x" * 5000, "?province=–", "?country[]=ES"])
def test_nonsense_in_the_address_is_no_error(as_alice: FlaskClient, job: ScrapingJob, asked: str) -> None:
    answer = as_alice.get(f"/jobs/{job.id}{asked}")
    assert answer.status_code == 200


def searched(client: FlaskClient, job: ScrapingJob, q: str, **chosen: str) -> str:
    return client.post(f"/jobs/{job.id}/rows", data={"q": q, "outcome": "all", **chosen}, follow_redirects=True).text


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("EVÁ", ["Eva"]),  # a name, whatever accents and case
        ("paco", ["Bar Paco"]),
        ("madrid", NAMES),  # another column of theirs
        ("movistar", ["Ana", "Luis", "Ana otra vez"]),  # an answer
        ("móvil", ["Ana", "Luis", "Eva", "Ana otra vez"]),  # as readers of either language see it
        ("ana vez", ["Ana otra vez"]),  # every word, wherever it stands
        ("612 34 56 78", ["Ana", "Ana otra vez"]),
        ("+34 912", ["Bar Paco"]),
        ("no tiene", ["Rosa"]),
        ("zzz", []),
    ],
)
def test_rows_are_searched_by_any_text(as_alice: FlaskClient, job: ScrapingJob, q: str, found: list[str]) -> None:
    assert names(searched(as_alice, job, q)) == found


def test_rows_are_put_in_order_by_any_column_and_back(as_alice: FlaskClient, job: ScrapingJob) -> None:
    page = as_alice.get(f"/jobs/{job.id}?outcome=all").text
    seen = {}
    for name in ("own-0", "number", "status", "line_type", "original_operator"):
        link = re.search(rf'id="sort-{name}" href="([^"]*)"', page)
        assert link, name
        there = as_alice.get(html.unescape(link[1])).text
        assert there.count('aria-sort="ascending"') == 1
        back = re.search(rf'id="sort-{name}" href="([^"]*)"', there)
        assert back and "sort=-" in back[1]
        seen[name] = names(there), names(as_alice.get(html.unescape(back[1])).text)
    assert seen["own-0"] == (["Ana", "Ana otra vez", "Bar Paco", "Eva", "Luis", "Pepe", "Rosa"],
                             ["Rosa", "Pepe", "Luis", "Eva", "Bar Paco", "Ana otra vez", "Ana"])  # fmt: skip
    assert seen["status"][0][-2:] == ["Pepe", "Rosa"]  # found, not found, invalid
    assert seen["line_type"][0] == [
        "Bar Paco",
        "Ana",
        "Luis",
        "Eva",
        "Ana otra vez",
        "Pepe",
        "Rosa",
    ]  # landline, mobile
    assert seen["original_operator"][1][:3] == ["Ana", "Luis", "Ana otra vez"], "those without one come last both ways"


def test_pages_have_numbers_and_the_address_says_all(
    as_alice: FlaskClient, job: ScrapingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "NUMBERS_PER_PAGE", 2)
    page = as_alice.get(f"/jobs/{job.id}?outcome=found&sort=-own.0&page=2").text
    assert "Rows 3–4 of 5" in page
    assert names(page) == ["Bar Paco", "Ana otra vez"]
    links = dict(re.findall(r'id="rows-(first|previous|next|last)"[^>]* href="([^"]*)"', page))
    assert set(links) == {"first", "previous", "next", "last"}
    assert names(as_alice.get(html.unescape(links["last"])).text) == ["Ana"]
    assert names(as_alice.get(f"/jobs/{job.id}?outcome=all&page=99").text) == ["Ana otra vez"]
    part = as_alice.get(html.unescape(links["next"]), headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith('<div id="rows-found"') and "<html" not in part


def test_what_was_corrected_or_retried_is_in_the_next_page(as_alice: FlaskClient, job: ScrapingJob) -> None:
    assert "mobile 4" in bars(as_alice.get(f"/jobs/{job.id}").text)
    written = {"cell-7-1": "612345670", "round": str(job.round), "look_up": "1"}
    as_alice.post(f"/jobs/{job.id}/corrections", data=written)
    ran(db.session.get_one(ScrapingJob, job.id))
    assert "mobile 5" in bars(as_alice.get(f"/jobs/{job.id}").text)
    assert names(searched(as_alice, job, "345670")) == ["Rosa"]


def test_a_large_result_is_prepared_by_a_worker(
    app: Flask, as_alice: FlaskClient, job: ScrapingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "SMALL", 3)
    page = as_alice.get(f"/jobs/{job.id}?outcome=all").text
    assert names(page) == NAMES and 'id="rows-preparing"' in page and not bars(page)
    job_id = job.id
    db.session.remove()
    tasks.prepare_result(job_id)
    db.session.remove()
    page = as_alice.get(f"/jobs/{job_id}?outcome=all").text
    assert bars(page) and 'id="rows-preparing"' not in page


def test_a_deleted_job_leaves_no_index_beside_a_file_that_is_still_needed(
    app: Flask, as_alice: FlaskClient, alice: User, job: ScrapingJob
) -> None:
    as_alice.get(f"/jobs/{job.id}")
    storage, key = app.extensions["storage"], job.document.storage_key
    assert storage.path(key, result_part(job.id)).exists()
    commands.start(job.document, SheetChoice(0, 1, (1,), "ES"), "ranges", alice, NOW, push=False)
    commands.delete(job.id, alice.email, NOW, storage)
    assert storage.exists(key) and not storage.path(key, result_part(job.id)).exists()


def test_own_cells_are_shown_in_their_column_s_format(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    rows = [["Nombre", "Tel", "C.P."], *([f"Ana {n}", f"6123456{n}", 1001] for n in range(10, 50))]
    made = ran(job_of(app, alice, content_of(rows), header_row=1))
    table = as_alice.get(f"/jobs/{made.id}").text.split('id="job-numbers"')[1]
    assert table.count(">01001<") == 40, "also below the rows whose formats were read"


def test_the_numbers_column_is_called_as_in_the_file(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    def near_numbers(second: str) -> list[str]:
        rows = [["Tel", second], *([f"Ana {n}", f"6123456{n}"] for n in range(10, 13))]
        made = ran(job_of(app, alice, content_of(rows), header_row=1))
        return headings(as_alice.get(f"/jobs/{made.id}").text)[1:4]

    assert near_numbers("Número del  cliente") == ["Tel", "Número del cliente", "Status"]
    assert near_numbers("Tel") == ["Tel (A)", "Tel (B)", "Status"]
    assert near_numbers("") == ["Tel", "Column B", "Status"]
