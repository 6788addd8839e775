"""A newcomer's first steps: the sample, what the strip promises, and the list of whoever sets the portal up."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import select

from portal import sources
from portal.accounts import User
from portal.config import LOCALES
from portal.database import db
from portal.documents.models import Document
from portal.jobs.admin.first_steps import Step, first_steps
from portal.jobs.models import ScrapingJob
from portal.jobs.worker import tasks
from portal.notices.models import Delivery, Notice
from portal.sources.words import heading_of, value_words
from tests.support import cast
from tests.support.sources import CountingSource


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_sample_goes_the_way_of_any_file_and_costs_nothing(
    app: Flask, as_alice: FlaskClient, alice: User, counting: CountingSource
) -> None:
    app.config["DEFAULT_SOURCE"] = "counting"  # as if it were one that is paid for
    alice_id = alice.id
    assert 'action="/documents/sample"' in as_alice.get("/").text
    for _ in range(2):  # the second time, the person has chosen for such a file before
        went = as_alice.post("/documents/sample")
        assert went.status_code == 303
        document = db.session.scalars(select(Document).order_by(Document.id.desc())).first()
        assert document is not None and document.user_id == alice_id
        document_id = document.id
        reading = as_alice.get(went.location).text
        poll = re.search(r'hx-get="([^"]+/live[^"]+)"', reading)
        assert poll and "This is a sample." in reading
        tasks.read_document(document_id)
        for page in (as_alice.get(went.location).text, as_alice.get(poll[1].replace("&amp;", "&")).text):
            assert '<option value="offline" selected>' in page
        chosen = {"sheet": "0", "header_row": "1", "column": "1", "country": "ES", "source": "offline", "begun": "0"}
        started = as_alice.post(f"/documents/{document_id}/jobs", data=chosen)
        assert started.status_code == 303
        job = db.session.scalars(select(ScrapingJob).order_by(ScrapingJob.id.desc())).first()
        assert job is not None and job.source == "offline"
        chosen["source"] = "counting"
        db.session.commit()
        again = as_alice.post(f"/documents/{document_id}/jobs", data=chosen | {"begun": "1"})
        assert again.status_code == 303
    assert not counting.calls


@pytest.mark.parametrize("locale", LOCALES)
def test_the_strip_on_the_first_page_shows_what_the_free_source_answers(
    as_alice: FlaskClient, alice: User, app: Flask, locale: str
) -> None:
    alice.locale = locale
    db.session.commit()
    page = as_alice.get("/").text
    after = page[page.index('class="before-after ') :].rsplit("<table", 1)[1].split("</table>", 1)[0]
    fields = ("line_type", "original_operator", "province")
    with app.test_request_context(), force_locale(locale):
        heads = [text_of(cell) for cell in re.findall(r"<th[^>]*data-added>(.*?)</th>", after)]
        assert heads == [heading_of(field) for field in fields]
        rows = re.findall(r"<tr><td>\w+</td>(.*?)</tr>", after)
        assert len(rows) == 3
        for row in rows:
            number, *said = [text_of(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
            answer = sources.get("offline").lookup("+34" + number.replace(" ", ""))
            assert said == [value_words(field, answer.fields.get(field, "")) for field in fields], number


def test_each_first_step_is_found_out_from_what_is_there(
    app: Flask, as_ada: FlaskClient, ada: User, counting: CountingSource
) -> None:
    sources.unregister("counting")
    assert not any(first_steps().done.values())
    page = as_ada.get("/").text
    assert all(f'data-step="{step}">' in page for step in Step) and 'href="/help/admin-mail"' in page
    assert "Set up email" in page and "Email works" not in page, "it says what to do, not that it is done"
    app.config["MAIL_SERVER"] = "mail.example.com"
    assert 'action="/admin/test-email"' in as_ada.get("/admin").text
    as_ada.post("/admin/test-email")
    as_ada.post("/admin/test-email")
    notice = db.session.scalars(select(Notice)).one()  # pressed twice, sent once
    assert (notice.kind, notice.user_id) == ("mail_test", ada.id)
    assert first_steps().mail_waits and not first_steps().done[Step.MAIL]
    notice.state, notice.sent_at = Delivery.SENT, cast.NOW
    alice = cast.make_user("alice@example.com")
    sources.register("counting", lambda: counting)
    assert first_steps().left == 1
    cast.make_job(app, alice, 1)
    assert first_steps().left == 0 and "first-steps" not in as_ada.get("/").text
    app.config["MAIL_SERVER"] = ""
    assert 'data-step="mail">' in as_ada.get("/").text, "what is undone counts as undone"


def test_the_list_of_first_steps_is_for_administrators_and_can_be_hidden(
    as_ada: FlaskClient, as_alice: FlaskClient
) -> None:
    assert "first-steps" not in as_alice.get("/").text
    assert as_ada.post("/admin/first-steps").location == "/admin"
    assert all("first-steps-head" not in as_ada.get(path).text for path in ("/", "/admin"))
    as_ada.post("/admin/first-steps", data={"show": "1"})
    assert all("first-steps-head" in as_ada.get(path).text for path in ("/", "/admin"))
