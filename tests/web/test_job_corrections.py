"""After the job, the cells without an answer are corrected on its page, and only their numbers are looked up."""

import csv
import re
from io import StringIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.event import listen, remove

from portal.accounts import User
from portal.audit import AuditEntry
from portal.clock import utcnow
from portal.database import db
from portal.jobs import commands
from portal.jobs.core.job_tables import CellAnswer, Event, EventKind
from portal.jobs.core.status import Status
from portal.jobs.corrections import ROWS_SHOWN
from portal.jobs.metrics.models import JobEnd
from portal.jobs.models import ScrapingJob
from portal.sources.base import Answer, Outcome
from tests.jobs.export.exporting import ran
from tests.support.sources import CountingSource, found
from tests.web.check_page import FRAGMENT, form_of, jobs, read, upload

CLIENTS = """Nombre;Teléfono
Ana;612345678
Luis;6OO123124
Eva;699123125
Leo;pedir
Sam;699123125
Ian;612 345 678
Pía;
"""


@pytest.fixture
def job(app: Flask, as_alice: FlaskClient, counting: CountingSource) -> ScrapingJob:
    """A completed job: two numbers, one of which the source rejects, two cells that are none, and a blank one."""
    counting.script = lambda e164: Answer(Outcome.REJECTED, reason="rejected") if "699" in e164 else found(e164)
    document_id = upload(as_alice, CLIENTS.encode(), "clientes.csv")
    read(app, document_id)
    action = f"/documents/{document_id}/jobs"
    form = form_of(as_alice.get(f"/documents/{document_id}").text, action)
    as_alice.post(action, data={**form, "source": "counting"})
    (job,) = jobs()
    return again(ran(job))


def again(job: ScrapingJob) -> ScrapingJob:
    """The job as it is now."""
    db.session.rollback()
    return db.session.get_one(ScrapingJob, job.id, populate_existing=True)


def page_of(client: FlaskClient, job: ScrapingJob) -> str:
    return client.get(f"/jobs/{job.id}").text


def form_in(page: str, job: ScrapingJob) -> dict[str, str]:
    """What a browser sends of the form whatever is pressed."""
    form = re.search(rf'<form[^>]*action="/jobs/{job.id}/corrections".*?</form>', page, re.S)
    assert form
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]))


def press(client: FlaskClient, job: ScrapingJob, **pressed: str) -> int:
    """What a browser without JavaScript sends; returns the status."""
    sent = {**form_in(page_of(client, job), job), **pressed}
    return client.post(f"/jobs/{job.id}/corrections", data=sent).status_code


def cells(job: ScrapingJob) -> list[tuple[int, str | None, str, str | None]]:
    rows = db.select(CellAnswer).where(CellAnswer.job_id == job.id).order_by(CellAnswer.row_no, CellAnswer.place)
    return [(one.row_no, one.e164, one.outcome.value, one.corrected) for one in db.session.scalars(rows)]


def counts(job: ScrapingJob) -> tuple[int, int, int, int]:
    return job.total_numbers, job.processed_numbers, job.found_count, job.invalid_count


def test_only_what_is_corrected_is_looked_up_and_in_the_same_job(
    as_alice: FlaskClient, counting: CountingSource, job: ScrapingJob
) -> None:
    assert (job.status, counts(job)) == (Status.COMPLETED, (7, 7, 2, 3))
    assert press(as_alice, job, accept="letters", **{"cell-5-1": "611 222 333 / 612345678"}) == 303
    assert counts(again(job)) == (7, 7, 2, 3) and again(job).status == Status.COMPLETED  # nothing silently
    page = page_of(as_alice, job)
    assert "Look up 2 numbers" in page and "6OO123124" in page and "+34600123124" in page
    old = form_in(page, job)
    assert press(as_alice, job, look_up="1") == 303
    job = again(job)
    assert (job.status, job.waiting_numbers, job.retry_count) == (Status.RETRYING, 2, 0)
    for _ in "ab":  # the same press from a page that was open before
        as_alice.post(f"/jobs/{job.id}/corrections", data={**old, "look_up": "1"})
    ran(job)
    job = again(job)
    assert (job.status, counts(job)) == (Status.COMPLETED, (8, 8, 5, 1))
    assert set(counting.calls.values()) == {1} and len(counting.calls) == 4
    assert cells(job)[1:5] == [
        (3, "+34600123124", "found", "+34600123124"),
        (4, "+34699123125", "rejected", None),
        (5, "+34611222333", "found", "+34611222333 / +34612345678"),
        (5, "+34612345678", "found", "+34611222333 / +34612345678"),
    ]
    corrected = db.session.scalars(db.select(Event).where(Event.kind == EventKind.CORRECTED)).all()
    assert [one.facts for one in corrected] == [{"cells": 2, "numbers": 2}]
    with as_alice.get(f"/jobs/{job.id}/results.csv") as file:
        rows = list(csv.DictReader(StringIO(file.data.decode("utf-8-sig")), delimiter=";"))
    given = [(row["Teléfono"], row["Corrected number"].lstrip("'")) for row in rows if row["Corrected number"]]
    assert given == [("6OO123124", "+34600123124"), ("pedir", "+34611222333 / +34612345678")]


def test_a_number_that_is_in_the_file_already_has_its_answer_at_once(
    as_alice: FlaskClient, counting: CountingSource, job: ScrapingJob
) -> None:
    press(as_alice, job, **{"cell-4-1": "612345678", "look_up": "1"})
    job = again(job)
    assert (job.status, counts(job)) == (Status.COMPLETED, (7, 7, 3, 3))
    assert cells(job)[2:5:2] == [(4, "+34612345678", "found", "+34612345678"), (6, "+34699123125", "rejected", None)]
    end = db.session.get_one(JobEnd, job.id)  # the figures count it as it is now, and from its end on it is kept
    assert (end.found, end.rejected, end.ended_at) == (3, 1, job.ended_at)
    assert len(counting.calls) == 2
    press(as_alice, job, **{"cell-6-1": "611222333", "look_up": "1"})  # the last cell of that number
    ran(again(job))
    assert counts(again(job)) == (7, 7, 4, 3) and counting.calls["+34699123125"] == 1


def test_a_correction_is_taken_back_or_written_anew_until_it_is_looked_up(
    as_alice: FlaskClient, job: ScrapingJob
) -> None:
    press(as_alice, job, **{"cell-5-1": "699222333"})
    late = as_alice.post(f"/jobs/{job.id}/corrections", data={"cell-5-1": "611222333"}, headers=FRAGMENT)
    assert late.status_code == 422 and "corrected meanwhile" in late.text  # another tab
    press(as_alice, job, take_back="5-1")
    press(as_alice, job, **{"cell-5-1": "699222444", "look_up": "1"})
    ran(again(job))
    assert (5, "+34699222444", "rejected", "+34699222444") in cells(job)
    press(as_alice, job, **{"cell-5-1": "611222333"})  # that was wrong too
    press(as_alice, job, take_back="all")
    assert "Look up" not in page_of(as_alice, job).partition('id="fix"')[2].partition("</section>")[0]
    press(as_alice, job, **{"cell-5-1": "611222333", "look_up": "1"})
    ran(again(job))
    assert (5, "+34611222333", "found", "+34611222333") in cells(again(job))


def test_what_is_no_number_is_said_and_an_answered_cell_stays(as_alice: FlaskClient, job: ScrapingJob) -> None:
    sent = {"cell-5-1": "61122", "cell-2-1": "611222333", "look_up": "1"}
    answer = as_alice.post(f"/jobs/{job.id}/corrections", data=sent)
    assert answer.status_code == 422
    assert re.search(r'value="61122".*?role="alert"[^>]*>The number has too few digits', answer.text, re.S)
    assert again(job).status == Status.COMPLETED and cells(job)[0] == (2, "+34612345678", "found", None)


def test_an_admin_acts_for_the_person_and_it_is_said_who(
    as_ada: FlaskClient, job: ScrapingJob, as_bob: FlaskClient, ada: User
) -> None:
    press(as_ada, job, **{"cell-5-1": "611222333", "look_up": "1"})
    assert again(job).status == Status.RETRYING
    note = db.session.scalars(db.select(AuditEntry).where(AuditEntry.verb == "correct")).one()
    event = db.session.scalars(db.select(Event).where(Event.kind == EventKind.CORRECTED)).one()
    assert note.admin == event.actor == "ada@example.com"
    assert 'id="fix"' not in page_of(as_ada, job)  # a worker will have it
    answer = as_ada.post(f"/jobs/{job.id}/corrections", data={"cell-3-1": "611222333"})
    assert answer.status_code == 303 and commands.correct(job.id, job.round, "ada", utcnow()) is None


def test_a_failed_number_and_a_cancelled_job(
    app: Flask, as_alice: FlaskClient, counting: CountingSource, job: ScrapingJob
) -> None:
    """What was cancelled goes on with what was written, and a failed number that is written anew is asked again."""
    answers = counting.script
    counting.script = lambda e164: Answer(Outcome.FAILED, reason="temporary")
    press(as_alice, job, **{"cell-5-1": "611222333", "look_up": "1"})
    ran(again(job))
    assert again(job).status == Status.FAILED and 'id="fix"' not in page_of(as_alice, job)  # it is retried first
    commands.cancel(job.id, "alice@example.com", utcnow())
    counting.script = answers
    press(as_alice, job, **{"cell-4-1": "611222333", "look_up": "1"})
    assert (again(job).failed_count, again(job).waiting_numbers) == (0, 2)
    ran(again(job))
    assert (again(job).status, counts(again(job))) == (Status.COMPLETED, (7, 7, 4, 2))


def test_numbers_of_other_countries_are_offered_with_one_press_before_and_after_the_job(
    app: Flask, as_alice: FlaskClient, counting: CountingSource
) -> None:
    given = ["447911123456", "351912345678", "447911123457", "5215512345678", *(f"61234567{n}" for n in range(10))]
    document_id = upload(as_alice, "\n".join(["Teléfono", *given]).encode(), "clientes.csv")
    read(app, document_id)
    page = as_alice.get(f"/documents/{document_id}").text
    group = re.search(r'data-fix-group="other_country".*?</table>', page, re.S)
    assert group and "4 cells" in group[0] and 'name="accept" value="other_country"' in group[0]
    assert 'value="3-0-+351912345678"' in group[0] and "too many digits" not in page
    action = f"/documents/{document_id}/corrections"
    as_alice.post(action, data={**form_of(page, action), "use": "2-0-+447911123456"})  # a single cell
    page = as_alice.get(f"/documents/{document_id}").text
    assert "1 corrected cell" in page
    action = f"/documents/{document_id}/jobs"
    as_alice.post(action, data={**form_of(page, action), "source": "counting"})
    job = again(ran(jobs()[-1]))
    assert counts(job)[2:] == (11, 3)
    page = page_of(as_alice, job)
    assert 'name="accept" value="other_country"' in page and 'value="5-0-+525512345678"' in page
    assert press(as_alice, job, accept="other_country") == 303
    assert press(as_alice, job, look_up="1") == 303
    job = again(ran(again(job)))
    assert counts(job)[2:] == (14, 0) and set(counting.calls.values()) == {1}
    abroad = {number for number in counting.calls if not number.startswith("+34")}
    assert abroad == {"+447911123456", "+447911123457", "+351912345678", "+525512345678"}


def reads_of_a_view(client: FlaskClient, job: ScrapingJob) -> tuple[int, str]:
    """How often a view of the job's page reads cells, and its card of cells to fix."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.extend([statement] if "FROM cells" in statement else [])

    listen(db.engine, "before_cursor_execute", note)
    page = page_of(client, job)
    remove(db.engine, "before_cursor_execute", note)
    card = re.search(r'<div id="job-fixes">.*?</section>', page, re.S)
    assert card
    return len(seen), card[0]


def test_a_view_costs_as_much_with_many_bad_cells_as_with_few(app: Flask, as_alice: FlaskClient) -> None:
    app.config["MAX_ROWS"] = 5000
    taken = []
    for bad in (150, 1500):
        lines = ["Teléfono", "612345678", *(f"6OO1{n:05}" if n % 2 else f"pedir {n}" for n in range(bad))]
        document_id = upload(as_alice, "\n".join(lines).encode(), f"{bad}.csv")
        read(app, document_id)
        form = form_of(as_alice.get(f"/documents/{document_id}").text, f"/documents/{document_id}/jobs")
        as_alice.post(f"/documents/{document_id}/jobs", data=form)
        made = again(ran(jobs()[-1]))
        page_of(as_alice, made)  # makes the result
        few, card = reads_of_a_view(as_alice, made)
        assert f"digits for the letters: {bad // 2:,} cells" in card and f"Fix {bad:,} cells" in card
        assert card.count("data-fix>") == 2 * ROWS_SHOWN or bad == 150
        press(as_alice, made, **{"cell-4-0": "699123124"})
        after, card = reads_of_a_view(as_alice, again(made))
        assert f"digits for the letters: {bad // 2 - 1:,} cells" in card and f"Fix {bad - 1:,} cells" in card
        assert 'id="cell-row-4-0"' in card.split('id="corrected"')[1], "it has left its group"
        taken.append((few, after))
    assert taken[0] == taken[1] and taken[0][0] > 0
