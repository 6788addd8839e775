"""Several files at once, what is written about them, and the trash, as the pages offer it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from openpyxl import load_workbook

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document
from portal.jobs import export
from portal.jobs.core.status import Status
from portal.jobs.files import trash
from portal.jobs.models import ScrapingJob
from portal.web.files import download
from portal.web.template_filters import day_and_time
from tests.support import cast, scenes
from tests.support.databases import write_beside
from tests.web.check_page import read


def csv(n: int) -> bytes:
    return f"Nombre;Teléfono\nAna;{cast.mobile(n)}\nLuis;{cast.mobile(n + 50)}\n".encode()


def beside(app: Flask, work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work, which fails when nobody else can write while it is done."""

    def working(*args: Any, **more: Any) -> Any:
        done = work(*args, **more)
        write_beside(app)
        return done

    return working


def send(client: FlaskClient, files: dict[str, bytes]) -> str:
    sent = [(BytesIO(content), name) for name, content in files.items()]
    answer = client.post("/documents", data={"file": sent})
    assert answer.status_code == 303
    return str(answer.location)


def test_several_uploads_have_a_card_each_and_start_together(app: Flask, as_alice: FlaskClient) -> None:
    there = send(as_alice, {"a.csv": csv(1), "b.csv": csv(2), "c.pdf": b"x", "d.csv": b"Nombre\nAna\n"})
    ids = [int(one) for one in re.findall(r"\d+", there)]
    assert there == "/documents?ids=" + ",".join(map(str, ids)) and len(ids) == 3
    page = as_alice.get(there).text
    assert "c.pdf: " in page and page.count("hx-trigger") >= 3, "they are being read"
    assert as_alice.get(f"/documents/{ids[0]}/card?v=reading").status_code == 204
    for one in ids:
        read(app, one)
    page = as_alice.get(there).text
    assert page.count("2 numbers to look up") == 2
    ticked = re.findall(r'value="(document-\d+)"[^>]* checked', page)
    assert ticked == [f"document-{one}" for one in ids[:2]], "not the one with a doubt"
    assert "a.csv" in as_alice.get(f"/documents/{ids[0]}/card?v=reading").text
    assert as_alice.post("/documents/start", data={"items": ticked}).location == "/"
    started = db.session.scalars(db.select(ScrapingJob).order_by(ScrapingJob.id)).all()
    assert [(job.document_id, job.total_numbers) for job in started] == [(ids[0], 2), (ids[1], 2)]
    assert "2 files were started." in as_alice.get("/").text
    as_alice.post("/documents/start", data={"items": [*ticked, f"document-{ids[2]}", "job-1", "nonsense"]})
    page = as_alice.get("/").text
    assert "a.csv: it has already been started." in page and "d.csv: open it" in page
    assert db.session.query(ScrapingJob).count() == 2


def test_only_ones_own_files_are_taken(app: Flask, as_alice: FlaskClient, as_bob: FlaskClient, alice: User) -> None:
    job, document = cast.make_job(app, alice, 1), cast.make_document(app, alice, ["612345678"])
    items = {"items": [f"job-{job.id}", f"document-{document.id}"]}
    ids = (job.id, document.id)
    for address in ("/jobs/delete", "/documents/start", "/jobs/download", "/trash/restore", "/trash/delete"):
        assert as_bob.post(address, data=items).status_code == 303, address
    assert as_bob.get(f"/documents?ids={document.id}").location == "/"
    as_alice.post("/jobs/delete", data=items)
    for kind, its_id in zip(("job", "document"), ids, strict=True):
        for verb in ("restore", "delete"):
            assert as_bob.post(f"/trash/{kind}/{its_id}/{verb}").status_code == 404
    as_bob.post("/trash/delete", data={"all": "1", **items})
    found = trash.contents(alice.id)
    assert ([one.id for one in found.jobs], [one.id for one in found.documents]) == ([ids[0]], [ids[1]])
    assert "clientes.xlsx" not in as_bob.get("/trash").text


def test_deleting_several_can_be_undone(app: Flask, as_alice: FlaskClient, alice: User) -> None:
    running, document = cast.make_job(app, alice, 1), cast.make_document(app, alice, ["612345678"], "otro.xlsx")
    items = [f"job-{running.id}", f"document-{document.id}"]
    assert as_alice.post("/jobs/delete", data={"items": items}).location == "/"
    page = as_alice.get("/").text
    assert "2 files are in the trash." in page
    assert re.findall(r'name="items" value="([^"]+)"', page) == items, "in the button that undoes it"
    page = as_alice.get("/trash").text
    assert "clientes.xlsx" in page and "otro.xlsx" in page
    assert as_alice.post("/trash/restore", data={"items": items}).location == "/"
    assert "2 files were restored." in as_alice.get("/").text
    assert db.session.get_one(ScrapingJob, running.id).status == Status.CANCELLED
    as_alice.post("/jobs/delete", data={"items": items})
    assert as_alice.post("/trash/delete", data={"all": "1"}).location == "/trash"
    assert "The trash is empty" in as_alice.get("/trash").text
    assert as_alice.post(f"/trash/job/{running.id}/restore").status_code == 404


def test_an_admin_deletes_into_the_owners_trash_or_for_good(
    app: Flask, as_ada: FlaskClient, as_alice: FlaskClient, alice: User
) -> None:
    kept, gone = cast.make_job(app, alice, 1), cast.make_job(app, alice, 1)
    ids = (kept.id, gone.id)
    as_ada.post(f"/jobs/{ids[0]}/delete")
    as_ada.post(f"/jobs/{ids[1]}/delete", data={"now": "1"})
    assert [one.id for one in trash.contents(alice.id).jobs] == [ids[0]]
    assert as_alice.post(f"/trash/job/{ids[0]}/restore").location == f"/jobs/{ids[0]}"


def test_several_results_come_in_one_zip(
    app: Flask, as_alice: FlaskClient, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, slow in ((export, "plan_for"), (export, "open_copy"), (download, "download_name")):
        monkeypatch.setattr(module, slow, beside(app, getattr(module, slow)))
    jobs = [scenes.completed(cast.make_job(app, alice, n)) for n in (1, 2)]
    theirs = cast.make_job(app, bob, 1)
    items = [f"job-{one.id}" for one in (*jobs, theirs)]
    answer = as_alice.post("/jobs/download", data={"items": items})
    assert answer.content_type == "application/zip" and answer.is_streamed
    with ZipFile(BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == ["clientes (new workbook).xlsx", "clientes (new workbook) 2.xlsx"]
        rows = [load_workbook(BytesIO(archive.read(name))).active.max_row for name in names]
    assert rows == [2, 3]
    one = as_alice.post("/jobs/download", data={"items": items[:1]})
    assert one.location == f"/jobs/{jobs[0].id}/results"
    assert as_alice.post("/jobs/download").location == "/"


def test_what_is_written_about_a_file_is_kept_found_and_shown(app: Flask, as_alice: FlaskClient, alice: User) -> None:
    document = cast.make_document(app, alice, ["612345678"])
    about = {"name": "Málaga/abril", "note": "Para Luis", "labels": "urgente, norte"}
    assert as_alice.post(f"/documents/{document.id}/name", data=about).location == f"/documents/{document.id}"
    as_alice.post("/documents/start", data={"items": f"document-{document.id}"})
    (job,) = db.session.scalars(db.select(ScrapingJob)).all()
    assert (job.file_name, job.note, job.labels) == ("Málaga-abril.xlsx", "Para Luis", ["urgente", "norte"])
    page = as_alice.get("/?q=NORTE").text
    assert "Málaga-abril.xlsx" in page and 'href="/?q=urgente"' in page and "Para Luis" in page
    answer = as_alice.post(f"/jobs/{job.id}/name", data={"name": "", "note": "<b>"}, headers={"HX-Request": "true"})
    assert "&lt;b&gt;" in answer.text and "<html" not in answer.text
    job = db.session.get_one(ScrapingJob, job.id, populate_existing=True)
    assert (job.file_name, job.labels) == ("Málaga-abril.xlsx", [])
    assert db.session.get_one(Document, document.id).file_name == "Málaga-abril.xlsx"


@pytest.mark.parametrize("labels", ["a, b, c, d, e, f, f", f"a, b, c, d, e, f, {'g' * 25}", f"f{'g' * 24}, b"])
def test_labels_that_are_not_kept_are_named(app: Flask, as_alice: FlaskClient, alice: User, labels: str) -> None:
    document = cast.make_document(app, alice, ["612345678"])
    page = as_alice.post(f"/documents/{document.id}/name", data={"labels": labels}, follow_redirects=True).text
    part = as_alice.post(f"/documents/{document.id}/name", data={"labels": labels}, headers={"HX-Request": "true"}).text
    db.session.expire_all()
    typed = dict.fromkeys(label.strip() for label in labels.split(","))
    left_out = ", ".join(label for label in typed if label not in document.labels)
    assert left_out and f"Saved, but without {left_out}: a file has" in page and f"without {left_out}: a file" in part
    assert set(document.labels) <= set(typed), "none is cut"


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("2026-05-05 07:05", "today 09:05"),
        ("2026-05-04 22:30", "today 00:30"),
        ("2026-05-04 21:59", "yesterday 23:59"),
        ("2026-05-06 10:00", "tomorrow 12:00"),
        ("2026-03-01 10:00", "1 mar 11:00"),
        ("2025-12-31 10:00", "31 dic 2025 11:00"),
    ],
)  # fmt: skip
def test_a_moment_is_said_as_people_say_it(app: Flask, then: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the time zone of the reader: midnight in Madrid is at ten in the evening."""
    monkeypatch.setattr("portal.web.template_filters.utcnow", lambda: cast.NOW)
    named = {"today": "hoy", "yesterday": "ayer", "tomorrow": "mañana"}
    with app.test_request_context("/"), force_locale("es"):
        said = day_and_time(datetime.fromisoformat(then).replace(tzinfo=UTC))
    first, _, rest = words.partition(" ")
    assert said.replace(" 9:", " 09:").replace(" 0:", " 00:") == f"{named.get(first, first)} {rest}"
