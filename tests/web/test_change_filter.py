"""What has changed since an earlier list chooses rows on the page of a file, beside the bars of the answers."""

import csv
import re
from io import StringIO

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.documents.comparison.two_lists import RowKind
from portal.jobs import queries
from portal.jobs.models import ScrapingJob
from portal.jobs.result import kept
from tests.jobs.export.exporting import ran
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource
from tests.web.test_earlier_list import NEW, OLD, compared, said, start, started, uploaded, workbook

BLANK = [["C008", "Sol", ""]]  # a customer without a phone, in both lists


@pytest.fixture
def job(app: Flask, as_alice: FlaskClient, counting: CountingSource) -> ScrapingJob:
    """A new list, merged with an earlier one: rows 2, 3, 6 and 7 are the same, 4 and 5 have another phone, 8 and 9 are
    new, and 10 has none."""
    before = started(app, as_alice, workbook(OLD + BLANK), "enero.xlsx")
    document_id = uploaded(app, as_alice, workbook(NEW + BLANK), "febrero.xlsx")
    return ran(start(as_alice, document_id, compared(app, as_alice, document_id, before)))


def rows(page: str) -> list[int]:
    return [int(row) for row in re.findall(r'<tr id="row-(\d+)', page)]


def bars(page: str) -> dict[str, int]:
    part = page[page.index('id="job-result"') : page.index('id="job-rows"')]
    found = re.findall(r"row_change=(\w+)[^>]*>\s*<span>[^<]*</span> <b class=\"num\">(\d+)</b>", part)
    return {kind: int(count) for kind, count in found}


KINDS = {"same": [2, 3, 6, 7], "changed": [4, 5], "new": [8, 9]}


@ON_BOTH
def test_each_kind_of_change_is_a_bar_that_chooses_its_rows(as_alice: FlaskClient, job: ScrapingJob) -> None:
    page = as_alice.get(f"/jobs/{job.id}").text
    assert bars(page) == {kind: len(found) for kind, found in KINDS.items()}
    assert said(page) == (4, 2, 2, 2), "the sentence above them counts the same"
    for kind, found in KINDS.items():
        assert rows(as_alice.get(f"/jobs/{job.id}?row_change={kind}").text) == found
    chosen = as_alice.get(f"/jobs/{job.id}?row_change=changed").text
    assert "Other phone: it was 600123104" in chosen and "Compared with the earlier list: <strong>Other phone" in chosen


def test_it_combines_with_the_other_choices_and_the_search(as_alice: FlaskClient, job: ScrapingJob) -> None:
    chosen = f"/jobs/{job.id}?row_change=new"
    assert rows(as_alice.get(f"{chosen}&seen=%2B34600123900").text) == [8]
    assert rows(as_alice.get(f"{chosen}&outcome=blank").text) == []
    assert rows(as_alice.get(f"{chosen}&outcome=found").text) == [8, 9]
    assert rows(as_alice.get(f"{chosen}&sort=-number").text) == [8, 9]
    searched = as_alice.post(f"/jobs/{job.id}/rows", data={"q": "luis", "row_change": "new"}, follow_redirects=True)
    assert rows(searched.text) == [9]
    assert 'name="row_change" value="new"' in searched.text
    other = as_alice.get(f"/jobs/{job.id}?row_change=gone").text
    assert len(rows(other)) == 9, "no row of this file is gone: the address chooses nothing"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_download_has_the_same_rows(as_alice: FlaskClient, job: ScrapingJob, kind: str) -> None:
    page = as_alice.get(f"/jobs/{job.id}?row_change=changed").text
    assert re.search(r'id="rows-download" href="[^"]*row_change=changed', page)
    for change, found in KINDS.items():
        answer = as_alice.get(f"/jobs/{job.id}/results.csv?row_change={change}&columns=row,status")
        table = csv.DictReader(StringIO(answer.data.decode("utf-8-sig")))
        assert [int(line["Row in your file"]) for line in table] == found
    with as_alice.get(f"/jobs/{job.id}/results.{kind}?row_change=changed") as named:
        assert "Other phone" in named.headers["Content-Disposition"]


@ON_BOTH
def test_it_is_the_same_before_the_result_is_prepared(
    as_alice: FlaskClient, job: ScrapingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "SMALL", 0)
    for kind, found in KINDS.items():
        assert rows(as_alice.get(f"/jobs/{job.id}?row_change={kind}").text) == found
    found_page = queries.numbers_page(job, change=RowKind.SAME)
    assert (found_page.total, found_page.more) == (4, False)


def test_a_file_without_an_earlier_list_has_no_such_choice(
    app: Flask, as_alice: FlaskClient, counting: CountingSource
) -> None:
    job = started(app, as_alice, workbook(OLD), "enero.xlsx")
    page = as_alice.get(f"/jobs/{job.id}?row_change=new").text
    assert len(rows(page)) == 8 and "row_change" not in page[page.index("<main") :]
