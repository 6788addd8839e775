"""A new list over an old one: the earlier file is chosen on the check page, and only what has changed is looked up."""

import csv
import re
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook, load_workbook

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.models import Document
from portal.jobs import commands
from portal.jobs.commands import CannotStart, Merge
from portal.jobs.core.job_tables import Number
from portal.jobs.core.merge_tables import Asks, CarriedAnswer, ListChange, ListMerge
from portal.jobs.export import ColumnChoice
from portal.jobs.export.column_templates import keep_choice
from portal.jobs.export.columns import Pick
from portal.jobs.files import trash
from portal.jobs.merge import drafts, runner
from portal.jobs.models import ScrapingJob
from portal.jobs.number_erasure import job_rows
from portal.jobs.sweep.expiry import expire_jobs
from portal.sources.base import Answer, Outcome
from tests.jobs.attempt.test_steps import asked, to_the_end
from tests.jobs.export.exporting import ran
from tests.jobs.number_erasure.test_number_erasure import erase
from tests.support.databases import ON_BOTH
from tests.support.libreoffice import converted
from tests.support.sources import CountingSource, found
from tests.web.check_page import jobs, read, upload

HEAD = ["Nº cliente", "Nombre", "Teléfono"]
OLD = [[f"C{n:03}", f"Ana {n}", f"60012310{n}"] for n in range(8)]
# 0 and 1 are gone, 2 and 3 are the same, 4 and 5 have other numbers, 6 and 7 are the same; two are new.
NEW = [
    ["c002", "Ana 2", 600123102], [" C003 ", "Ana 3", "600 123 103"], ["C004", "Ana 4", "600123204"],
    ["C005", "Ana 5", "600123205"], ["C006", "Ana 6", "600123106"], ["C007", "Ana 7", "600123107"],
    ["C900", "Eva", "600123900"], ["C901", "Luis", "600123100"],
]  # fmt: skip


def workbook(rows: list[Any]) -> bytes:
    book = Workbook()
    for row in [HEAD, *rows]:
        book.active.append(row)
    memory = BytesIO()
    book.save(memory)
    return memory.getvalue()


def text(rows: list[Any]) -> bytes:
    return "\n".join(";".join(map(str, row)) for row in [HEAD, *rows]).encode()


def saved_as(content: bytes, ending: str, folder: Path) -> bytes:
    if ending == "xlsx":
        return content
    (folder / "book.xlsx").write_bytes(content)
    return converted(folder / "book.xlsx", ending).read_bytes()


def uploaded(app: Flask, client: FlaskClient, content: bytes, name: str) -> int:
    document_id = upload(client, content, name)
    read(app, document_id)
    return document_id


def started(app: Flask, client: FlaskClient, content: bytes, name: str, **more: str) -> ScrapingJob:
    document_id = uploaded(app, client, content, name)
    fields = {"column": "2", "source": "counting", **more}
    answer = client.post(f"/documents/{document_id}/jobs", data=fields)
    assert answer.status_code == 303, answer.text
    return ran(jobs()[-1])


def compared(app: Flask, client: FlaskClient, document_id: int, before: ScrapingJob, **more: str) -> str:
    """The check page once a worker has compared."""
    fields = {"column": "2", "source": "counting", **more}
    answer = client.post(f"/documents/{document_id}/earlier-list", data={**fields, "before": str(before.id)})
    assert answer.status_code == 303, answer.text
    db.session.rollback()
    merge = drafts.draft_of(document_id)
    assert merge is not None
    assert 'data-state="waiting"' in client.get(answer.location).text
    merge_id = merge.id
    db.session.rollback()
    assert runner.compare(merge_id, app.extensions["storage"], utcnow)
    return client.get(answer.location).text


def said(page: str) -> tuple[int, ...]:
    """Rows with the same phone, with another one, new ones, and those that are gone."""
    found = re.search(r'data-same="(\d+)" data-changed="(\d+)" data-new="(\d+)" data-gone="(\d+)"', page)
    assert found, page
    return tuple(map(int, found.groups()))


def start(client: FlaskClient, document_id: int, page: str, **more: str) -> ScrapingJob:
    (version,) = re.findall(r'name="merge" value="([^"]*)"', page)
    fields = {"column": "2", "source": "counting", "merge": version, **more}
    answer = client.post(f"/documents/{document_id}/jobs", data=fields)
    assert answer.status_code == 303, answer.text
    return jobs()[-1]


@pytest.fixture
def before(app: Flask, as_alice: FlaskClient, counting: CountingSource) -> ScrapingJob:
    return started(app, as_alice, workbook(OLD), "enero.xlsx")


@pytest.fixture
def document_id(app: Flask, as_alice: FlaskClient, before: ScrapingJob) -> int:
    return uploaded(app, as_alice, workbook(NEW), "febrero.xlsx")


def test_only_what_changed_is_looked_up_and_the_new_file_has_all_answers(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int, counting: CountingSource
) -> None:
    was = {row.e164: row.checked_at for row in db.session.scalars(db.select(Number))}
    page = compared(app, as_alice, document_id, before)
    assert said(page) == (4, 2, 2, 2)
    assert "Look up 3 numbers" in page  # 600123100 is on another row now, and was answered
    counting.calls.clear()
    job = ran(start(as_alice, document_id, page))
    assert sorted(counting.calls) == ["+34600123204", "+34600123205", "+34600123900"]
    answers = {row.e164: row for row in db.session.scalars(db.select(Number).where(Number.job_id == job.id))}
    assert {row.outcome for row in answers.values()} == {Outcome.FOUND}
    assert all(answers[e164].checked_at == at for e164, at in was.items() if e164 in answers)
    assert sum(row.cost for row in answers.values()) == 0
    with as_alice.get(f"/jobs/{job.id}/results", headers={"Accept-Language": "es"}) as answer:
        sheet = load_workbook(BytesIO(answer.data)).active
    heads = [cell.value for cell in sheet[1]]
    assert [*heads[:3]] == HEAD and "Compared with the earlier list" in heads and "Checked at" in heads
    column = heads.index("Compared with the earlier list") + 1
    assert [sheet.cell(row, column).value for row in range(2, 10)] == [
        "Same phone", "Same phone", "Other phone: it was 600123104", "Other phone: it was 600123105", "Same phone",
        "Same phone", "New row", "New row",
    ]  # fmt: skip


def test_the_rows_that_are_gone_come_with_their_answers(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int
) -> None:
    job = ran(start(as_alice, document_id, compared(app, as_alice, document_id, before)))
    assert "Download the 2 rows that are no longer there" in as_alice.get(f"/jobs/{job.id}").text
    with as_alice.get(f"/jobs/{job.id}/earlier-rows") as answer:
        assert "enero (no longer there)" in answer.headers["Content-Disposition"]
        rows = list(load_workbook(BytesIO(answer.data)).active.values)
    assert [row[:3] for row in rows] == [tuple(HEAD), *map(tuple, OLD[:2])]
    assert rows[1][rows[0].index("Status")] == "Found"


def test_the_rows_that_are_gone_have_the_columns_that_are_kept_for_all_their_sources(
    app: Flask, as_alice: FlaskClient, alice: User
) -> None:
    with asked(first="+-", second="+"):
        more = {"source": "first", "then": "second"}
        before = started(app, as_alice, workbook(OLD), "enero.xlsx", **more)
        to_the_end(before)
        document_id = uploaded(app, as_alice, workbook(NEW), "febrero.xlsx")
        job = start(as_alice, document_id, compared(app, as_alice, document_id, before, **more), **more)
        to_the_end(job)
        keep_choice(alice.id, "first,second", ColumnChoice((Pick("found_by", True, "Who"),)), utcnow())
        with as_alice.get(f"/jobs/{job.id}/earlier-rows") as answer:
            rows = list(load_workbook(BytesIO(answer.data)).active.values)
        assert "Who" in rows[0] and [row[rows[0].index("Who")] for row in rows[1:]] == ["first", "second"]


@pytest.mark.parametrize("name", ["xlsx", "csv", "ods", "xls"])
def test_lists_of_every_format_are_compared_both_ways(
    app: Flask, as_alice: FlaskClient, counting: CountingSource, tmp_path: Path, name: str
) -> None:
    made = [text(rows) if name == "csv" else saved_as(workbook(rows), name, tmp_path) for rows in (OLD, NEW)]
    old = started(app, as_alice, made[0], f"enero.{name}")
    document_id = uploaded(app, as_alice, workbook(NEW), "febrero.xlsx")
    assert said(compared(app, as_alice, document_id, old)) == (4, 2, 2, 2)
    other = started(app, as_alice, workbook(OLD), "otro.xlsx")
    document_id = uploaded(app, as_alice, made[1], f"febrero.{name}")
    page = compared(app, as_alice, document_id, other)
    assert said(page) == (4, 2, 2, 2)
    job = ran(start(as_alice, document_id, page))
    with as_alice.get(f"/jobs/{job.id}/results.csv") as answer:
        lines = answer.data.decode("utf-8-sig")
    rows = list(csv.DictReader(StringIO(lines), delimiter=";" if ";" in lines.splitlines()[0] else ","))
    assert [row["Compared with the earlier list"] for row in rows].count("Same phone") == 4
    assert {row["Status"] for row in rows} == {"Found"}


def test_the_earlier_file_that_is_most_like_it_comes_first(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int
) -> None:
    other = [[f"x{n}", "y", f"61112310{n}"] for n in range(8)]
    book = Workbook()
    for row in [["A", "B", "Tel"], *other]:
        book.active.append(row)
    memory = BytesIO()
    book.save(memory)
    newest = started(app, as_alice, memory.getvalue(), "otra lista.xlsx")
    page = as_alice.get(f"/documents/{document_id}/earlier-list?column=2").text
    places = re.findall(r'name="before" value="(\d+)"', page)
    assert places == [str(before.id), str(newest.id)]
    assert "same headings, 62% of the numbers in common" in page


def test_a_person_without_an_earlier_file_is_not_offered_one(app: Flask, as_alice: FlaskClient) -> None:
    document_id = uploaded(app, as_alice, workbook(NEW), "primero.xlsx")
    assert "I have an earlier list" not in as_alice.get(f"/documents/{document_id}").text
    assert "You have no earlier file here" in as_alice.get(f"/documents/{document_id}/earlier-list").text


def test_somebody_elses_file_is_not_there(
    app: Flask, as_alice: FlaskClient, as_bob: FlaskClient, before: ScrapingJob
) -> None:
    document_id = uploaded(app, as_bob, workbook(NEW), "de bob.xlsx")
    answer = as_bob.post(f"/documents/{document_id}/earlier-list", data={"column": "2", "before": before.id})
    assert answer.status_code == 404
    assert db.session.scalar(db.select(ListMerge)) is None
    assert str(before.file_name) not in as_bob.get(f"/documents/{document_id}/earlier-list").text


def test_what_failed_is_looked_up_and_what_was_not_found_only_if_asked(
    app: Flask, as_alice: FlaskClient, counting: CountingSource
) -> None:
    outcomes = {"+34600123106": Outcome.NOT_FOUND, "+34600123107": Outcome.INVALID, "+34600123103": Outcome.FAILED}
    counting.script = lambda e164: Answer(outcomes.get(e164, Outcome.FOUND))
    old = started(app, as_alice, workbook(OLD), "enero.xlsx")
    counting.script = found
    document_id = uploaded(app, as_alice, workbook(NEW), "febrero.xlsx")
    page = compared(app, as_alice, document_id, old)
    assert "4: those without an answer" in page
    assert "5: also those not found then" in page and "8: all again" in page
    again = as_alice.get(f"/documents/{document_id}?column=2&source=counting&merge_asks=not_found").text
    assert "Look up 5 numbers" in again
    counting.calls.clear()
    ran(start(as_alice, document_id, again, merge_asks="not_found"))
    assert sorted(counting.calls) == [f"+34600123{n}" for n in (103, 106, 204, 205, 900)]


def test_all_can_be_asked_again_and_the_rows_still_say_what_changed(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int, counting: CountingSource
) -> None:
    page = compared(app, as_alice, document_id, before)
    counting.calls.clear()
    job = ran(start(as_alice, document_id, page, merge_asks="all"))
    assert len(counting.calls) == 8
    with as_alice.get(f"/jobs/{job.id}/results.csv") as answer:
        assert answer.data.decode("utf-8-sig").count("Same phone") == 4


def test_an_erased_number_is_not_taken_over(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int, counting: CountingSource
) -> None:
    page = compared(app, as_alice, document_id, before)
    job_rows.erase_in_job(before.id, "+34600123102", "ada@example.com", utcnow())
    counting.calls.clear()
    ran(start(as_alice, document_id, page))
    assert "+34600123102" in counting.calls


def test_an_earlier_file_that_was_deleted_is_said_and_not_used(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int, counting: CountingSource
) -> None:
    page = compared(app, as_alice, document_id, before)
    commands.delete(before.id, "alice@example.com", utcnow(), app.extensions["storage"])
    page = as_alice.get(f"/documents/{document_id}?column=2&source=counting").text
    assert "The earlier file was deleted. Choose another one, or start without it." in page
    assert 'name="merge"' not in page and "Look up 8 numbers" in page
    answer = as_alice.post(f"/documents/{document_id}/earlier-list", data={"column": "2", "before": before.id})
    assert answer.status_code == 404


def page_said(page: str) -> int:
    """How many numbers the button on the check page says."""
    (count,) = re.findall(r"Look up (\d+) numbers", page)
    return int(count)


def started_directly(user: User, document_id: int, at_once: int = 10_000) -> ScrapingJob:
    """A job with the comparison that the page has just shown; with more than `at_once` cells its worker opens it."""
    document, merge = db.session.get_one(Document, document_id), drafts.draft_of(document_id)
    assert merge is not None
    choice, shown = SheetChoice(0, 1, (2,), "ES"), Merge(merge.id, merge.compared, Asks.UNANSWERED)
    return commands.start(document, choice, "counting", user, utcnow(), push=False, merge=shown, at_once=at_once)


@ON_BOTH
@pytest.mark.parametrize("at_once", [1, 10_000])
@pytest.mark.parametrize("by", ["delete", "purge", "expire"])
def test_nobody_pays_more_than_the_page_said_when_the_earlier_file_is_deleted_after_the_start(
    app: Flask, as_alice: FlaskClient, alice: User, before: ScrapingJob, document_id: int, counting: CountingSource,
    at_once: int, by: str,
) -> None:  # fmt: skip
    """The answers that the new list was promised are kept for it, and no others."""
    page, storage = compared(app, as_alice, document_id, before), app.extensions["storage"]
    old_id, new_id = before.id, started_directly(alice, document_id, at_once).id
    if by == "purge":
        assert trash.put_job(old_id, alice.email, utcnow())
        assert trash.purge_job(old_id, None, utcnow(), storage)
    elif by == "expire":
        alice.retention_days = 1
        db.session.commit()
        assert [job.id for job in expire_jobs(utcnow() + timedelta(days=2), storage)] == [old_id]
    else:
        commands.delete(old_id, alice.email, utcnow(), storage)
    assert db.session.scalar(db.select(Number).where(Number.job_id == old_id)) is None
    counting.calls.clear()
    job = ran(db.session.get_one(ScrapingJob, new_id, populate_existing=True))
    assert len(counting.calls) == page_said(page) == 3
    assert (job.found_count, job.cost) == (8, 0)
    kept = set(db.session.scalars(db.select(CarriedAnswer.e164)))
    mine = set(db.session.scalars(db.select(Number.e164).where(Number.job_id == new_id)))
    assert kept and kept < mine, "of the customers who are gone, nothing is left"
    commands.delete(new_id, alice.email, utcnow(), storage)
    assert db.session.scalar(db.select(CarriedAnswer)) is None


@ON_BOTH
def test_an_earlier_file_that_is_deleted_when_all_is_done_leaves_nothing(
    app: Flask, as_alice: FlaskClient, alice: User, before: ScrapingJob, document_id: int
) -> None:
    ran(start(as_alice, document_id, compared(app, as_alice, document_id, before)))
    commands.delete(before.id, alice.email, utcnow(), app.extensions["storage"])
    assert db.session.scalar(db.select(CarriedAnswer)) is None


@ON_BOTH
def test_an_earlier_file_that_is_deleted_before_the_start_is_said_instead(
    app: Flask, as_alice: FlaskClient, alice: User, before: ScrapingJob, document_id: int, counting: CountingSource
) -> None:
    page = compared(app, as_alice, document_id, before)
    (version,) = re.findall(r'name="merge" value="([^"]*)"', page)
    assert trash.put_job(before.id, alice.email, utcnow())
    fields = {"column": "2", "source": "counting", "merge": version}
    answer = as_alice.post(f"/documents/{document_id}/jobs", data=fields)
    assert answer.status_code == 422 and "The earlier file was deleted." in answer.text
    with pytest.raises(CannotStart, match="merge_changed"):  # it is deleted while the start is under way
        started_directly(alice, document_id)
    assert [job.id for job in jobs()] == [before.id]


def test_a_number_that_is_erased_after_the_start_is_not_looked_up(
    app: Flask, as_alice: FlaskClient, alice: User, ada: User, before: ScrapingJob, document_id: int,
    counting: CountingSource,
) -> None:  # fmt: skip
    job = start(as_alice, document_id, compared(app, as_alice, document_id, before))
    commands.delete(before.id, alice.email, utcnow(), app.extensions["storage"])
    counting.calls.clear()
    assert db.session.query(CarriedAnswer).count() == 5
    erase(app, ada, "600123102")
    kept = list(db.session.scalars(db.select(CarriedAnswer.e164)))
    assert len(kept) == 4 and "+34600123102" not in kept
    ran(db.session.get_one(ScrapingJob, job.id, populate_existing=True))
    assert "+34600123102" not in counting.calls and len(counting.calls) == 3


def test_the_newest_file_loses_an_erased_number_first(alice: User, make_job: Callable[..., ScrapingJob]) -> None:
    """Else the worker of a new list would find no earlier answer for a number that it still has, and look it up."""
    ids = [make_job(alice, ["600123102"]).id for _ in range(3)]
    assert job_rows.jobs_with("+34600123102") == ids[::-1]


def test_the_rows_that_are_gone_go_with_the_earlier_file(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int
) -> None:
    job = ran(start(as_alice, document_id, compared(app, as_alice, document_id, before)))
    commands.delete(before.id, "alice@example.com", utcnow(), app.extensions["storage"])
    page = as_alice.get(f"/jobs/{job.id}").text
    assert "The earlier file was deleted, and with it the rows that are no longer there." in page
    assert as_alice.get(f"/jobs/{job.id}/earlier-rows").status_code == 404


def test_a_comparison_of_other_numbers_is_made_again(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int
) -> None:
    page = compared(app, as_alice, document_id, before)
    (version,) = re.findall(r'name="merge" value="([^"]*)"', page)
    other = as_alice.get(f"/documents/{document_id}?column=2&country=FR&source=counting").text
    assert 'data-state="stale"' in other and 'id="start-bar"' not in other
    fields = {"column": "2", "country": "FR", "source": "counting", "merge": version}
    answer = as_alice.post(f"/documents/{document_id}/jobs", data=fields)
    assert answer.status_code == 422 and "have to be compared again" in answer.text
    assert len(jobs()) == 1


def test_answers_of_another_source_are_not_taken_over(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int
) -> None:
    page = compared(app, as_alice, document_id, before, source="offline")
    assert "Its answers are of another source." in page and "Look up 8 numbers" in page
    job = ran(start(as_alice, document_id, page, source="offline"))
    assert said(as_alice.get(f"/jobs/{job.id}").text) == (4, 2, 2, 2)


def test_a_form_without_the_comparison_starts_as_ever(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int, counting: CountingSource
) -> None:
    compared(app, as_alice, document_id, before)
    counting.calls.clear()
    as_alice.post(f"/documents/{document_id}/jobs", data={"column": "2", "source": "counting"})
    job = ran(jobs()[-1])
    assert job.merge_id is None and len(counting.calls) == 8


def test_it_can_be_dropped_and_goes_with_its_file(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int, alice: User
) -> None:
    page = compared(app, as_alice, document_id, before)
    as_alice.post(f"/documents/{document_id}/earlier-list/remove", data={"column": "2"})
    assert db.session.scalar(db.select(ListMerge)) is db.session.scalar(db.select(ListChange)) is None
    job = ran(start(as_alice, document_id, compared(app, as_alice, document_id, before)))
    assert page and db.session.scalar(db.select(ListChange)) is not None
    commands.delete(job.id, "alice@example.com", utcnow(), app.extensions["storage"])
    assert db.session.scalar(db.select(ListMerge)) is db.session.scalar(db.select(ListChange)) is None


def test_a_key_that_is_repeated_or_empty_is_said_and_loses_no_answer(
    app: Flask, as_alice: FlaskClient, before: ScrapingJob, counting: CountingSource
) -> None:
    rows = [["C002", "Ana 2", "600123102"], ["C002", "Otra", "600123555"], ["", "Sin", "600123103"]]
    document_id = uploaded(app, as_alice, workbook(rows), "febrero.xlsx")
    page = compared(app, as_alice, document_id, before, key="0")
    assert said(page) == (1, 0, 0, 6)  # the row without a key has the number of one that would be gone
    assert "1 row has a key that is repeated. 1 row has no key." in page
    counting.calls.clear()
    ran(start(as_alice, document_id, page))
    assert list(counting.calls) == ["+34600123555"]


def test_another_key_can_be_chosen(app: Flask, as_alice: FlaskClient, before: ScrapingJob, document_id: int) -> None:
    page = compared(app, as_alice, document_id, before, key="2")
    assert said(page) == (5, 0, 3, 3)
    assert '<option value="2" selected>' in page
