"""Several sources for one file: chosen on the check page, seen on the job's page, each with its columns in the file."""

import csv
import re
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook, load_workbook

from portal.causes import CauseCode
from portal.clock import utcnow
from portal.database import db
from portal.jobs import commands, source_pause
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.attempt.save import LookedUp, save
from portal.jobs.core import ledger, steps
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.base import Answer, Outcome
from tests.jobs.attempt.test_steps import asked
from tests.jobs.attempt.test_steps_money import CENT, priced
from tests.support.cast import hold, mobile
from tests.web.check_page import jobs, read, upload

CONDITIONS = Conditions(worker="w", lease_seconds=60, backoff=Backoff())


@pytest.fixture
def document_id(app: Flask, as_alice: FlaskClient) -> int:
    document_id = upload(as_alice, "\n".join(["Phone", *map(mobile, range(4))]).encode(), "list.csv")
    read(app, document_id)
    return document_id


@pytest.fixture
def sources() -> Iterator[None]:
    with asked(first="+-+-", second="-++-", third="+"):
        yield


def start(client: FlaskClient, document_id: int, **fields: object) -> ScrapingJob:
    answer = client.post(f"/documents/{document_id}/jobs", data=fields)
    assert answer.status_code == 303, answer.text
    return db.session.get_one(ScrapingJob, int(answer.location.rsplit("/", 1)[1]))


def finish(job: ScrapingJob) -> None:
    while job.status not in (Status.COMPLETED, Status.FAILED):
        runner.run(job.id, job.attempt, CONDITIONS)
        db.session.refresh(job)
    db.session.rollback()


def test_a_press_adds_a_source_without_javascript_and_keeps_what_was_chosen(as_alice, document_id, sources) -> None:
    answer = as_alice.post(f"/documents/{document_id}/jobs", data={"source": "first", "add_source": "1"})
    assert answer.status_code == 303 and "then=" in answer.location and not jobs()
    page = as_alice.get(answer.location).text
    assert page.count('name="then"') == 1 and 'data-part="source" open' in page.replace("'", '"')
    sent = {"source": "first", "then": ["second", "third"], "then_mode": ["no_answer", "beside"], "recount": "1"}
    page = as_alice.get(as_alice.post(f"/documents/{document_id}/jobs", data=sent).location).text
    assert page.count('name="then"') == 2
    chosen = re.findall(r'<option value="(\w+)" selected', page)
    at = chosen.index("second")
    assert chosen[at : at + 4] == ["second", "no_answer", "third", "beside"]
    assert "those not found or without an answer in" in page and "all of them in" in page


def test_a_file_starts_with_the_sources_of_its_form(as_alice, document_id, sources) -> None:
    then = {
        "then": ["second", "", "third"],
        "then_mode": ["no_answer", "not_found", "beside"],
        "then_cap": ["", "", "2,5"],
    }
    job = start(as_alice, document_id, source="first", **then)
    assert job.chain == "first,second,third"
    assert [(one.source, one.rule, one.cost_cap) for one in steps.of_job(job)] == [
        ("first", "first", None), ("second", "no_answer", None), ("third", "beside", 250 * CENT)
    ]  # fmt: skip


def test_a_form_without_a_further_source_starts_as_ever(as_alice, document_id, sources) -> None:
    job = start(as_alice, document_id, source="first")
    assert (job.source, job.chain) == ("first", "") and not steps.of_job(job)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"then": "nowhere"}, "The source “nowhere” is not available"),
        ({"then": "second", "then_mode": "never"}, "Choose which numbers each further source is asked about"),
        ({"then": "second", "then_cap": "a lot"}, "Write the limit as an amount"),
        ({"then": "first"}, "A source is chosen twice"),
        ({"then": ["second", "third", "offline", "fourth"]}, "A file can be looked up at four sources at most"),
    ],
)
def test_what_cannot_be_used_gets_a_sentence_and_is_not_lost(as_alice, document_id, sources, fields, words) -> None:
    with asked(fourth="+"):
        answer = as_alice.post(f"/documents/{document_id}/jobs", data={"source": "first", **fields})
        assert answer.status_code == 422 and words in answer.text and not jobs()
        assert answer.text.count('name="then"') == (4 if isinstance(fields["then"], list) else 1)
        assert fields.get("then_cap", "") in answer.text


def test_what_each_source_may_cost_is_said_before_the_start(as_alice, document_id, tmp_path: Path) -> None:
    with priced(tmp_path, "cheap", "0.01"), priced(tmp_path, "dear", "0.05"):
        page = as_alice.get(f"/documents/{document_id}?source=cheap&then=dear&then_mode=not_found").text
        assert "4 numbers: €0.04" in page and "at most 4 numbers: €0.20" in page and "€0.24 at most" in page
        page = as_alice.get(f"/documents/{document_id}?source=offline&then=dear").text
        assert "free of charge" in page and "€0.20 at most" in page


def download(client: FlaskClient, address: str, **query: str) -> bytes:
    with client.get(address, query_string=query) as answer:
        return answer.data


def table_of(content: bytes, kind: str) -> list[list[str]]:
    if kind == "csv":
        return list(csv.reader(StringIO(content.decode("utf-8-sig")), delimiter=";" if b";" in content else ","))
    rows = load_workbook(BytesIO(content)).active.iter_rows(values_only=True)
    return [["" if cell is None else str(cell) for cell in row] for row in rows]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_file_has_a_column_for_each_source_and_says_who_answered(
    app, as_alice, document_id, sources, kind: str
) -> None:
    job = start(as_alice, document_id, source="first", then="second", then_mode="beside")
    finish(job)
    table = table_of(download(as_alice, f"/jobs/{job.id}/results.{kind}"), kind)
    place = {name: at for at, name in enumerate(table[0])}
    assert {"Status", "Source", "seen (first)", "seen (second)"} <= place.keys()
    rows = [[row[place[name]] for name in ("Source", "seen (first)", "seen (second)")] for row in table[1:]]
    assert rows == [["first", "first", ""], ["second", "", "second"], ["first + second", "first", "second"], [""] * 3]


def test_a_workbook_comes_back_in_place_and_half_done_with_what_is_known(app, as_alice, sources) -> None:
    book = Workbook()
    for row in [["Name", "Phone"], *([f"n{n}", mobile(n)] for n in range(4))]:
        book.active.append(row)
    memory = BytesIO()
    book.save(memory)
    document_id = upload(as_alice, memory.getvalue())
    read(app, document_id)
    job = start(as_alice, document_id, source="first", then="second", then_mode="beside")
    assert runner.run(job.id, 0, CONDITIONS) == Status.RETRYING
    db.session.rollback()
    content = download(as_alice, f"/jobs/{job.id}/results.xlsx")
    table = table_of(content, "xlsx")
    at = table[0].index("seen (first)")
    assert [row[at] for row in table[1:]] == ["first", "", "first", ""] and table[1][:2] == ["n0", mobile(0)]
    assert "docProps/core.xml" in ZipFile(BytesIO(content)).namelist()
    page = as_alice.get(f"/jobs/{job.id}").text
    assert "Source 2 of 2" in page and "4 of 4 asked" in page and 'aria-current="step"' in page


def test_the_page_of_the_job_and_its_rows_have_each_source(app, as_alice, document_id, sources) -> None:
    job = start(as_alice, document_id, source="first", then="second", then_mode="not_found")
    finish(job)
    page = as_alice.get(f"/jobs/{job.id}").text
    assert 'data-step="1"' in page and 'data-step="2"' in page
    assert "2 of 2 asked" in page and "only those not found before" in page
    assert "seen (first)" in page and "seen (second)" in page
    found = as_alice.get(f"/jobs/{job.id}", query_string={"found_by@": "second"}).text
    assert mobile(1) in found and mobile(0) not in found.partition('id="job-rows"')[2]
    columns = as_alice.get(f"/jobs/{job.id}/columns").text
    assert "seen (second)" in columns
    asked_for = download(as_alice, f"/jobs/{job.id}/results.csv", columns="status,seen@2=B,found_by")
    assert b"B" in asked_for.splitlines()[0]


def test_the_limit_of_a_source_is_raised_on_the_page(app, as_alice, document_id, tmp_path: Path) -> None:
    with priced(tmp_path, "cheap", "0.01"), priced(tmp_path, "dear", "0.05"):
        job = start(as_alice, document_id, source="cheap", then="dear", then_mode="beside", then_cap="0.10")
        for attempt in range(2):
            assert runner.run(job.id, attempt, CONDITIONS) == Status.RETRYING
        db.session.rollback()
        page = as_alice.get(f"/jobs/{job.id}").text
        assert "The most that “dear” may cost" in page and "€0.10 at this source for this file" in page
        as_alice.post(f"/jobs/{job.id}/cost-cap", data={"cost_cap": "1", "step": "2"})
        finish(job)
        assert [one.cost for one in steps.of_job(job)] == [4 * CENT, 20 * CENT]
        spent = as_alice.get(f"/jobs/{job.id}").text
        assert "€0.24" in spent and "€0.20" in spent


def test_a_file_goes_on_with_the_next_source_on_a_press(app, as_alice, document_id, tmp_path: Path) -> None:
    with priced(tmp_path, "cheap", "0.01"), priced(tmp_path, "dear", "0.05"):
        job = start(as_alice, document_id, source="cheap", then="dear")
        commands.set_cost_cap(job.id, CENT, "alice@example.com", utcnow())
        assert runner.run(job.id, 0, CONDITIONS) == Status.RETRYING
        db.session.refresh(job)
        page = as_alice.get(f"/jobs/{job.id}").text  # the limit of the whole file holds at each source
        assert job.wait_cause == CauseCode.CAP_REACHED and 'id="next-source"' not in page
        commands.set_cost_cap(job.id, CENT, "alice@example.com", utcnow(), step=1)
        commands.set_cost_cap(job.id, None, "alice@example.com", utcnow())
        assert runner.run(job.id, job.attempt, CONDITIONS) == Status.RETRYING
        db.session.rollback()
        page = as_alice.get(f"/jobs/{job.id}").text
        assert "“cheap” is holding up 3 numbers." in page and "It costs €0.15 at most." in page
        form = re.search(r'<form[^>]*action="(/jobs/\d+/next-source)".*?name="round" value="(\d+)"', page, re.DOTALL)
        assert form
        for said in ("goes on with “dear”", "Nothing was changed"):  # pressed twice
            assert said in as_alice.post(form[1], data={"round": form[2]}, follow_redirects=True).text
        page = as_alice.get(f"/jobs/{job.id}").text
        assert "“cheap” was skipped: “dear” is asked next." in page and 'id="next-source"' not in page
        finish(job)
        page = as_alice.get(f"/jobs/{job.id}").text
        assert "3 skipped" in page and "A source was skipped" in page
        assert f"Retry {job.failed_count} number" in page and job.failed_count == 2


def test_the_limit_of_the_next_source_holds(app, as_alice, document_id, tmp_path: Path) -> None:
    with priced(tmp_path, "cheap", "0.01"), priced(tmp_path, "dear", "0.05"):
        job = start(as_alice, document_id, source="cheap", then="dear", then_cap="0.10")
        source_pause.pause_source("cheap", "ada@example.com", None, utcnow())
        as_alice.post(f"/jobs/{job.id}/next-source", data={"round": "1"})
        assert runner.run(job.id, 0, CONDITIONS) == Status.RETRYING
        db.session.refresh(job)
        assert (job.wait_cause, job.source) == (CauseCode.CAP_REACHED, "dear")
        assert [one.cost for one in steps.of_job(job)] == [0, 10 * CENT]


def test_the_time_left_is_said_for_all_sources(app, as_alice, document_id, sources) -> None:
    """`derived.progress` has its bounds; here it is on the page and in the list, and goes with the last source."""
    job = start(as_alice, document_id, source="first", then="second", then_mode="beside")
    ScrapingJob.claim(job.id, 0, utcnow() - timedelta(minutes=1), worker="w", lease_seconds=3600)
    db.session.commit()
    number = next(iter(ledger.waiting(job.id, step=1).values()))
    save(hold(job, utcnow(), 3600), [LookedUp(number, Answer(Outcome.FOUND))], utcnow(), 3600)
    words = "if the next sources have to be asked about all the others"
    for page in (as_alice.get(f"/jobs/{job.id}").text, as_alice.get(f"/jobs/{job.id}/live").text):
        assert re.search(r"at most \d minutes left", page) and words in page
    assert re.search(r"<small>at most \d minutes left", as_alice.get("/").text)
    ScrapingJob.go_on(job.id, 1, 2, utcnow())
    db.session.commit()
    assert "at most" not in as_alice.get(f"/jobs/{job.id}").text
