"""What a person sees in Spanish: every page, mail and start of the portal, with no English left on it."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.clock import utcnow
from portal.config import ROOT
from portal.database import db
from portal.jobs.admin import bulk, operation_runner, operations
from portal.jobs.admin.filters import Filters
from portal.jobs.core.bulk_tables import Verb
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.notices.email.build import build_email
from portal.notices.models import Notice
from tests.support import cast, scenes
from tests.support.catalogue import ENGLISH, english_left

MakeJob = Callable[..., ScrapingJob]


@pytest.fixture
def spanish(app: Flask, alice: User, ada: User) -> None:
    """Nobody has chosen a language."""
    alice.locale = ada.locale = None
    db.session.commit()


def shown(client: FlaskClient, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, address
    return answer.get_data(as_text=True)


def test_the_portal_is_spanish_when_the_browser_says_nothing(client: FlaskClient, app: Flask) -> None:
    assert app.config["DEFAULT_LOCALE"] == "es"
    page = shown(client, "/login")
    assert '<html lang="es"' in page and "Iniciar sesión" in page


@pytest.mark.parametrize(("asked", "language"), [("en", "en"), ("es-MX,es;q=0.9", "es"), ("fr,de;q=0.5", "es")])
def test_a_browser_that_asks_for_english_gets_it_and_any_other_gets_spanish(
    client: FlaskClient, asked: str, language: str
) -> None:
    answer = client.get("/login", headers={"Accept-Language": asked})
    assert f'<html lang="{language}"' in answer.get_data(as_text=True)


def test_english_left_on_a_page_is_found() -> None:
    page = "<p title='Sign in'>Iniciar sesión</p><p>Listo: 3 rows</p><code>flask --app app</code><p>Todo bien</p>"
    assert english_left(page) == ["Sign in", "Listo: 3 rows"]


def test_the_way_of_a_file_is_spanish(app: Flask, spanish: None, alice: User, as_alice: FlaskClient) -> None:
    stranger = app.test_client()
    assert not english_left(shown(stranger, "/login"))
    assert not english_left(shown(as_alice, "/"))  # the first visit
    document = cast.make_document(app, alice, ["612345678", "612345678", "12", "", "911234567"])
    for address in ("/", f"/documents/{document.id}", "/account", "/?q=zzz", "/?status=failed"):
        assert not english_left(shown(as_alice, address)), address
    assert not english_left(shown(as_alice, "/nowhere", 404))


@pytest.mark.parametrize("status", list(Status))
def test_a_jobs_pages_are_spanish_in_every_status(
    spanish: None, alice: User, as_alice: FlaskClient, as_ada: FlaskClient, make_job: MakeJob, status: Status
) -> None:
    job = scenes.in_status(make_job(alice), status)
    for client, address in (
        (as_alice, f"/jobs/{job.id}"),
        (as_alice, f"/jobs/{job.id}/delete"),
        (as_alice, "/"),
        (as_ada, f"/jobs/{job.id}"),
        (as_ada, "/admin/jobs"),
    ):
        text = shown(client, address).replace("system (CLI)", "")
        assert not english_left(text), address


@pytest.mark.parametrize(
    "scene",
    [
        lambda job: scenes.failed(job, utcnow()),
        lambda job: scenes.busy(job, utcnow()),
        scenes.completed,
    ],
)
def test_words_fit_together(
    spanish: None, alice: User, as_alice: FlaskClient, make_job: MakeJob, scene: Callable[[ScrapingJob], object]
) -> None:
    """“el hoy” was shown where a day of another year would have fitted, “completados, del total” for one attempt."""
    job = make_job(alice)
    scene(job)
    page = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", shown(as_alice, f"/jobs/{job.id}"), flags=re.S)
    words = " ".join(page.split())
    assert not re.search(r"\b(el|del|al) (hoy|ayer|mañana)\b", words)
    assert job.status != Status.COMPLETED or "Intento 1: completado " in words


def test_a_page_that_was_first_opened_in_english_is_spanish_for_the_next_reader(
    alice: User, as_alice: FlaskClient, make_job: MakeJob
) -> None:
    scenes.in_status(make_job(alice), Status.COMPLETED)
    db.session.rollback()
    assert english_left(shown(as_alice, "/"))
    alice.locale = None
    db.session.commit()
    assert not english_left(shown(as_alice, "/"))


def test_the_admins_desk_is_spanish(
    spanish: None, alice: User, ada: User, as_ada: FlaskClient, make_job: MakeJob
) -> None:
    job = scenes.failed(make_job(alice), final=True)
    shown(as_ada, "/admin/audit")
    begun = [as_ada.post("/admin/jobs/plan", data={"verb": verb, "ids": job.id}) for verb in ("retry", "limits")]
    operation = operations.begin(bulk.BulkOrder(Verb.RETRY, ada.email), "key", utcnow(), wanted=Filters()).id
    before = [shown(as_ada, f"/admin/operations/{operation}"), shown(as_ada, "/admin/triage")]
    operation_runner.work(operation)
    after = [
        shown(as_ada, path)
        for path in (f"/admin/operations/{operation}", "/admin/operations", "/admin/audit", "/admin/triage",
                     "/admin/jobs?cause=blocked&user=alice&found=over&sort=-progress", f"/jobs/{job.id}")
    ]  # fmt: skip
    for page in [*(one.text for one in begun), *before, *after]:
        assert not english_left(page.replace("offline", ""))


def test_the_mails_are_spanish(app: Flask, spanish: None, alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice), final=True)
    notice = db.session.query(Notice).filter_by(job_id=job.id).one()
    message = build_email(notice, alice, cast.NOW)
    assert "sin respuesta" in str(message.subject)
    assert not ENGLISH.search(re.sub(r"http\S+", "", f"{message.subject}\n{message.body}"))


def test_the_terminal_says_it_in_both_languages() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from portal.runner.words import *; print(in_both_languages(READY, address='x'))"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    ).stdout  # fmt: skip
    assert said.splitlines() == ["Masterfilter está listo: x", "Masterfilter is ready: x"]
