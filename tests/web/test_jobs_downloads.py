"""The files that a job's page gives: alice owns the file."""

from collections.abc import Callable
from html import unescape
from io import BytesIO
from urllib.parse import quote

import openpyxl
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.accounts import User
from portal.database import db
from portal.jobs.core.job_tables import Event
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from tests.support import scenes

MakeJob = Callable[..., ScrapingJob]


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return unescape(answer.get_data(as_text=True))


def download(client: FlaskClient, address: str, method: str = "GET") -> TestResponse:
    """The answer with its file read and closed, as a server does it."""
    return client.open(address, method=method, buffered=True)


def test_the_download_is_the_file_with_its_answers(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.completed(make_job(alice, 3))
    answer = download(as_alice, f"/jobs/{job.id}/results.xlsx")
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    sheet = openpyxl.load_workbook(BytesIO(answer.data)).active
    assert sheet is not None
    assert sheet.max_row == 4
    assert "clientes" in answer.headers["Content-Disposition"]
    assert download(as_alice, f"/jobs/{job.id}/results.csv").mimetype == "text/csv"


def test_a_download_half_done_says_so_in_its_name(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, 5)
    scenes.claim(job)
    scenes.answer(job, [Outcome.FOUND] * 2)
    assert "partial 2 of 5" in download(as_alice, f"/jobs/{job.id}/results.xlsx").headers["Content-Disposition"]


@pytest.mark.parametrize("name", ["año ñandú 😀.xlsx", 'a"b;c.xlsx', "x\r\nSet-Cookie: a=b.xlsx", "../../etc/passwd"])
def test_no_name_breaks_out_of_the_header(as_alice: FlaskClient, alice: User, make_job: MakeJob, name: str) -> None:
    job = scenes.completed(make_job(alice, 1))
    job.file_name = name
    db.session.commit()
    answer = download(as_alice, f"/jobs/{job.id}/results.xlsx")
    assert answer.status_code == 200
    header = answer.headers["Content-Disposition"]
    assert header.startswith("attachment; filename")
    assert "\n" not in header and "/" not in header
    assert "Set-Cookie" not in answer.headers


def test_a_download_is_noted_on_the_timeline(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.completed(make_job(alice, 1))
    download(as_alice, f"/jobs/{job.id}/results.xlsx", "HEAD")
    download(as_alice, f"/jobs/{job.id}/results.xlsx")
    db.session.rollback()
    noted = db.session.scalars(db.select(Event).where(Event.job_id == job.id, Event.kind == "downloaded")).all()
    assert [event.actor for event in noted] == ["alice@example.com"]
    assert "Downloaded: clientes" in text_of(as_alice, f"/jobs/{job.id}")


@pytest.mark.parametrize("query", ["?rows=some", "?outcome=some", "?group=nobody", "?group=operator"])
def test_what_cannot_be_downloaded_is_not_there(
    as_alice: FlaskClient, alice: User, make_job: MakeJob, query: str
) -> None:
    job = scenes.completed(make_job(alice, 1))
    assert download(as_alice, f"/jobs/{job.id}/results.xlsx{query}").status_code == 404


def test_a_name_with_accents_arrives_whole(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    """Raw letters beyond ASCII in a header are read by the machine's own encoding, and those beyond Latin-1 cannot even
    be sent."""
    for name in ("teléfonos de España.xlsx", "客户.xlsx"):
        job = scenes.completed(make_job(alice, 2))
        job.file_name = name
        db.session.commit()
        header = download(as_alice, f"/jobs/{job.id}/results.xlsx").headers["Content-Disposition"]
        assert header.isascii()
        assert quote(name.removesuffix(".xlsx")) in header.split("filename*=UTF-8''")[1]
