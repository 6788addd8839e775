"""A blank cell is nothing that a person has to fix: it is counted, named and chosen apart from what is wrong."""

import re
from collections.abc import Callable
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from openpyxl import load_workbook

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.jobs import commands, corrections
from portal.jobs.attempt import runner as attempts
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.export import ColumnChoice, RowFilter, export
from portal.jobs.export.added import Tone
from portal.jobs.export.lines import added_rows, plan_for
from portal.jobs.models import ScrapingJob
from portal.jobs.notify.facts import job_facts
from portal.jobs.words.statuses import badge_words, summary_words
from portal.notices.facts import numbers_in
from tests.jobs.export.exporting import job_on
from tests.support.cast import NOW, make_document, mobile
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource

Jobs = Callable[..., ScrapingJob]
CELLS = [mobile(0), "", "x", None, mobile(1), ""]  # rows 2 to 7: three of them blank, one wrong


def ended(job: ScrapingJob) -> ScrapingJob:
    given = Conditions(worker="w", lease_seconds=60, backoff=Backoff(base_seconds=100), clock=utcnow)
    assert attempts.run(job.id, job.attempt, given) == Status.COMPLETED
    return db.session.get_one(ScrapingJob, job.id, populate_existing=True)


def said(job: ScrapingJob, language: str = "en") -> tuple[str, str]:
    with force_locale(language):
        return badge_words(job, utcnow())[1], summary_words(job, utcnow())


def tiles(page: str) -> dict[str, str]:
    """The tiles of a job's page: the outcome in the address of each, and its count."""
    part = page[page.index('<ul class="tiles"') :]
    return dict(re.findall(r'outcome=(\w+)[^"]*"[^>]*><b>([^<]*)</b>', part[: part.index("</ul>")]))


def rows(page: str) -> list[str]:
    return re.findall(r'<tr id="row-(\d+)', page)


@ON_BOTH
@pytest.mark.parametrize("at_once", [1, 10_000])
def test_they_are_counted_apart(
    app: Flask, alice: User, counting: CountingSource, make_job: Jobs, at_once: int
) -> None:
    first = make_job(alice, CELLS, source="counting")
    again = commands.start(
        first.document, first.choice, "counting", alice, NOW, push=False, at_once=at_once
    )  # fmt: skip
    assert again.blank_count == 3
    job = ended(again)
    assert (job.total_numbers, job.processed_numbers, job.invalid_count, job.blank_count) == (6, 6, 4, 3)
    assert said(job) == ("Completed, 1 to fix", "Done: 2 of 3 numbers have data. 1 number to fix. 3 blank cells.")


def test_a_file_with_nothing_but_blank_cells_beside_its_numbers_has_nothing_to_fix(
    alice: User, counting: CountingSource, make_job: Jobs
) -> None:
    job = ended(make_job(alice, [mobile(0), ""], source="counting"))
    assert said(job) == ("Completed", "Done: 1 of 1 number has data. 1 blank cell.")
    assert said(job, "es") == ("Completado", "Listo: 1 de 1 número con datos. 1 celda vacía.")
    blank = ended(make_job(alice, ["", ""], source="counting"))
    assert said(blank) == ("Completed", "Done: all cells are blank.")


@pytest.mark.parametrize("at_end", [True, False])
def test_the_page_names_and_chooses_them_apart(
    app: Flask, as_alice: FlaskClient, alice: User, counting: CountingSource, make_job: Jobs, at_end: bool
) -> None:
    job = make_job(alice, CELLS, source="counting")
    if at_end:
        ended(job)
    page = as_alice.get(f"/jobs/{job.id}").text
    assert (tiles(page)["invalid"], tiles(page)["blank"]) == ("1", "3")
    assert rows(as_alice.get(f"/jobs/{job.id}?outcome=blank").text) == ["3", "5", "7"]
    assert rows(as_alice.get(f"/jobs/{job.id}?outcome=invalid").text) == ["4"]
    assert page.count('data-status="blank"') == 3 and page.count('data-status="invalid"') == 1
    if at_end:
        in_order = rows(as_alice.get(f"/jobs/{job.id}?sort=-status").text)
        assert in_order[:3] == ["3", "5", "7"]


def test_the_files_name_them_apart(
    app: Flask, as_alice: FlaskClient, alice: User, counting: CountingSource, make_job: Jobs
) -> None:
    job = ended(make_job(alice, CELLS, source="counting"))
    storage = app.extensions["storage"]
    with force_locale("es"), export(job, storage, "csv", rows=RowFilter.FAILED) as file:
        assert len(file.read().decode("utf-8-sig").splitlines()) == 1 + 1
    with force_locale("es"), export(job, storage, "xlsx", columns=ColumnChoice(with_summary=True)) as file:
        book = load_workbook(BytesIO(file.read()))
    sheet = book.worksheets[0]
    place = [cell.value for cell in sheet[1]].index("Estado")
    assert [row[place] for row in sheet.iter_rows(min_row=2, values_only=True)][1:4] == ["Vacía", "No válido", "Vacía"]
    with app.test_request_context():
        tones = [row.tone for row in added_rows(plan_for(job, storage, RowFilter.ALL, None))]
    assert tones[2:5] == [Tone.PLAIN, Tone.TO_FIX, Tone.PLAIN]
    totals = {row[0]: row[1] for row in book.worksheets[-1].iter_rows(values_only=True)}
    assert (totals["Vacía"], totals["No válido"]) == (3, 1)
    answer = as_alice.get(f"/jobs/{job.id}/results.csv?outcome=blank", headers={"Accept-Language": "es"})
    assert len(answer.data.decode("utf-8-sig").splitlines()) == 1 + 3


def test_a_mail_asks_for_nothing_about_them(alice: User, counting: CountingSource, make_job: Jobs) -> None:
    facts = job_facts(ended(make_job(alice, CELLS, source="counting")))
    assert (facts["invalid"], facts["invalid_rows"], facts["blank"]) == (1, [4], 3)
    facts = job_facts(ended(make_job(alice, [mobile(0), ""], source="counting")))
    assert (facts["invalid"], facts["invalid_rows"], facts["blank"]) == (0, [], 1)


@ON_BOTH
def test_one_that_is_filled_in_is_not_blank_any_more(alice: User, counting: CountingSource, make_job: Jobs) -> None:
    job = ended(make_job(alice, CELLS, source="counting"))
    assert corrections.written_in(job) == []
    assert ScrapingJob.correct(job.id, job.round, {(3, 0): f"+34{mobile(5)}"}, "alice", NOW) is not None
    db.session.commit()
    db.session.refresh(job)
    assert (job.blank_count, job.invalid_count, job.total_numbers) == (2, 3, 6)
    job = ended(job)
    assert said(job)[1] == "Done: 3 of 4 numbers have data. 1 number to fix. 2 blank cells."


def test_the_check_page_does_not_call_them_invalid(app: Flask, as_alice: FlaskClient, alice: User) -> None:
    document = make_document(app, alice, CELLS)
    page = as_alice.get(f"/documents/{document.id}").text
    (tile,) = re.findall(r'data-figure="blank"><b>3</b><span>([^<]*)</span>', page)
    assert "invalid" not in tile


def test_progress_and_lists_count_numbers_and_no_blank_cells(
    as_alice: FlaskClient, alice: User, counting: CountingSource, make_job: Jobs
) -> None:
    job = make_job(alice, CELLS, source="counting")
    assert "1 of 3 numbers ready" in as_alice.get(f"/jobs/{job.id}").text
    ended(job)
    row = as_alice.get(f"/jobs/live?ids={job.id}").text
    assert "3 of 3" in row and "6 of 6" not in row


def test_with_several_columns_they_are_rows_without_a_phone(
    app: Flask, as_alice: FlaskClient, alice: User, counting: CountingSource
) -> None:
    rows_given = [["Nombre", "Fijo", "Móvil"], ["Ana", "912345678", ""], ["Sol", "", ""], ["Leo", "", ""]]
    first = job_on(app, alice, rows_given, column=1, source="counting")
    both = commands.start(first.document, SheetChoice(0, 1, (1, 2), "ES"), "counting", alice, NOW, push=False)
    assert said(ended(both))[1] == "Done: 1 of 1 number has data. 2 rows without a phone."
    page = as_alice.get(f"/documents/{first.document_id}?header=1&column=1&column=2").text
    assert "rows without a phone, nothing to look up" in page or "blank cell" in page


def test_an_email_says_how_many_numbers_there_were(alice: User, counting: CountingSource, make_job: Jobs) -> None:
    facts = job_facts(ended(make_job(alice, CELLS, source="counting")))
    assert (facts["total"], facts["ready"]) == (6, 6), "programs read these"
    assert numbers_in(facts) == (3, 3)
