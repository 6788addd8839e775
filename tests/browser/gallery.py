"""A portal in this process in which every page can be looked at in every state, each made by the real verbs.

Nothing moves in it by itself: there is no worker. It must not know what is looked for on the pages.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from portal import sources
from portal.accounts import User
from portal.accounts.password_links import Purpose, make_token
from portal.clock import utcnow
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.upload import receive
from portal.jobs import commands
from portal.jobs.admin import bulk, operation_runner, operations
from portal.jobs.admin.filters import Filters
from portal.jobs.core import timeline
from portal.jobs.core.bulk_tables import Verb
from portal.jobs.core.status import Status
from portal.jobs.core.step_tables import NextSource, StepRule
from portal.jobs.files import naming, trash
from portal.jobs.health.processes import WorkerKind, WorkerProcess
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from portal.jobs.worker import tasks
from portal.sources.base import Outcome, SourceFacts
from tests.browser import desk_scenes, lists
from tests.support import cast, databases, scenes
from tests.support.sources import CountingSource

FACTS = SourceFacts(
    ("seen",), 1, "1", 0.1, title={"": "Guía de empresas"}, is_priced=True, price=Decimal("0.05"), most=Decimal("0.05"),
    currency="EUR",
)  # fmt: skip
ALICE, BOB, ADA = "alice@example.com", "bob@example.com", "ada@example.com"
MINUTE = timedelta(minutes=1)
PEOPLE = ["Íñigo Muñoz", "Mª del Carmen García-Fernández", "Ana", "José Luis Rodríguez de la Peña", "Peio", "Núria"]
LONG_NAME = "Clientes de la campaña de primavera para revisar, versión definitiva (3) DE VERDAD la última.xlsx"
FIELDS = {
    "e164": "+34612000001", "national": "612 00 00 01", "line_type": "mobile", "country": "ES",
    "original_operator": "Vodafone", "time_zone": "Europe/Madrid",
}  # fmt: skip


@dataclass
class Gallery:
    """Where it is, and each page by a name: who looks at it (nobody, alice, bob who is new here, ada) and its path."""

    app: Flask
    address: str
    pages: dict[str, tuple[str, str]]


@contextmanager
def gallery(folder: Path) -> Iterator[Gallery]:
    """A portal that serves until the end of the block."""
    with ExitStack() as stack:
        app = cast.make_app(folder, **stack.enter_context(databases.usual()))
        app.config["WTF_CSRF_ENABLED"] = True
        stack.enter_context(app.app_context())
        stack.enter_context(desk_scenes.priced_source(app, folder))
        sources.register("directory", CountingSource, FACTS)
        stack.callback(sources.unregister, "directory")
        made = Gallery(app, "", _fill(app, folder))
        db.session.remove()  # a transaction left open would keep the pages from writing
        with served(app) as made.address:
            yield made
        db.session.remove()
        db.engine.dispose()


class _Quiet(WSGIRequestHandler):
    """Without a line for every request: what a failing test has to say would drown."""

    def log_request(self, *args: object, **kwargs: object) -> None:
        pass


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The application at an address of its own."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _fill(app: Flask, folder: Path) -> dict[str, tuple[str, str]]:
    alice = _person(ALICE)
    _person(BOB)
    ada_id = _person(ADA, admin=True).id
    alice_id, token = alice.id, make_token(alice, Purpose.RESET, utcnow())
    _workers(app)
    steps.sweep(utcnow())
    jobs = _jobs(app, alice)
    documents = _documents(app, alice.id, folder)
    naming.name_job(
        db.session.get_one(ScrapingJob, jobs["completed"]),
        naming.Naming.of("", "Para Luis, antes del martes", "norte, urgente", "clientes.xlsx"), ALICE, utcnow(),
    )  # fmt: skip
    owner = db.session.get_one(User, alice_id)
    for made in (scenes.completed(cast.make_job(app, owner, 5)), cast.make_job(app, owner, 2)):
        trash.put_job(made.id, ALICE, utcnow())
    ended, begun = _operations([jobs["pending"], jobs["completed"]])
    pages = {
        "login": ("", "/login"),
        "forgot": ("", "/forgot"),
        "reset": ("", f"/reset/{token}"),
        "reset-over": ("", "/reset/nothing"),
        "set-up-over": ("", "/setup/nothing"),
        "404-stranger": ("", "/nothing"),
        "home-first-visit": (BOB, "/"),
        "home": (ALICE, "/"),
        "trash": (ALICE, "/trash"),
        "trash-empty": (BOB, "/trash"),
        "several": (ALICE, "/documents?ids=" + ",".join(map(str, documents.values()))),
        "home-nothing-found": (ALICE, "/?q=nobody&status=completed"),
        "404": (ALICE, "/nothing"),
        "account": (ALICE, "/account"),
        "help": (ALICE, "/help"),
        "help-statuses": (ALICE, "/help/statuses"),
        "help-contact": (ADA, "/help/contact"),
        "admin": (ADA, "/admin"),
        "admin-jobs": (ADA, "/admin/jobs"),
        "admin-nothing-found": (ADA, "/admin/jobs?q=nobody"),
        "admin-triage": (ADA, "/admin/triage"),
        "admin-triage-stopped": (ADA, "/admin/triage?stopped=1"),
        "admin-cause": (ADA, "/admin/jobs?cause=numbers_unanswered&open=1&sort=-progress"),
        "admin-operations": (ADA, "/admin/operations"),
        "admin-operation": (ADA, f"/admin/operations/{ended}"),
        "admin-operation-begun": (ADA, f"/admin/operations/{begun}"),
        "admin-audit": (ADA, "/admin/audit"),
        "admin-shelf": (ADA, "/admin/shelf"),
        "admin-a-failed-job": (ADA, f"/jobs/{jobs['failed']}"),
        "admin-figures": (ADA, "/admin/metrics?range=30d"),
        "admin-figures-wrong-days": (ADA, "/admin/metrics?from=2026-05-05&to=2026-05-01"),
        "figures": (ALICE, "/figures"),
        "figures-none": (BOB, "/figures?range=24h"),
        "admin-health": (ADA, "/admin/health"),
        "admin-people": (ADA, "/admin/users"),
        "admin-people-none": (ADA, "/admin/users?q=nobody"),
        "admin-a-person": (ADA, f"/admin/users/{alice_id}"),
        "admin-oneself": (ADA, f"/admin/users/{ada_id}"),
        "admin-a-job": (ADA, f"/jobs/{jobs['processing']}"),
        "job-delete": (ALICE, f"/jobs/{jobs['failed']}/delete"),
        "job-columns": (ALICE, f"/jobs/{jobs['completed']}/columns"),
        "job-rows-all": (ALICE, f"/jobs/{jobs['failed']}?outcome=all"),
        "job-rows-none": (ALICE, f"/jobs/{jobs['completed']}?outcome=rejected"),
    }
    owner = db.session.get_one(User, alice_id)
    jobs["capped"] = desk_scenes.capped(app, owner).id
    pages |= {name: (ADA, path) for name, path in desk_scenes.fill(app, owner, ADA).items()}
    pages["check-priced"] = (ALICE, f"/documents/{documents['ready']}?source=operador&cost_cap=0,50")
    further = {"then": "directory", "then_mode": "beside", "source": "offline", "open_part": "source"}
    pages["check-two-sources"] = ALICE, f"/documents/{documents['ready']}?{urlencode(further)}"
    pages |= {f"check-{name}": (ALICE, f"/documents/{found}") for name, found in documents.items()}
    return pages | {f"job-{name}": (ALICE, f"/jobs/{found}") for name, found in jobs.items()}


def _operations(job_ids: list[int]) -> tuple[int, int]:
    """Two operations of ada's: one over these jobs, at its end, and one that no worker has begun."""
    order = bulk.BulkOrder(Verb.LIMITS, ADA, "La fuente va lenta estos días", (5, 45))
    ended = operations.begin(order, "ended", utcnow(), job_ids=job_ids).id
    while operation_runner.work(ended):
        pass
    time_out = bulk.BulkOrder(Verb.TIME_OUT, ADA, "Se para la máquina")
    return ended, operations.begin(time_out, "begun", utcnow(), wanted=Filters(status=Status.COMPLETED)).id


def _workers(app: Flask) -> None:
    """A worker that is there, one at work, one that went; and no banner on the other pages, however long it takes."""
    now = utcnow()
    app.extensions["standstill"].since = now + 600 * MINUTE
    for pid, kind, ago, doing in ((7, "scrape", 0, "job 2"), (8, "scrape", 5, None), (9, "scheduler", 0, None)):
        seen = {"started_at": now - 60 * MINUTE, "seen_at": now - ago * MINUTE, "doing": doing}
        db.session.add(
            WorkerProcess(name=f"h:{pid}", kind=WorkerKind(kind), host="portal.example.com", pid=pid, **seen)
        )
    db.session.commit()


def _person(email: str, *, admin: bool = False) -> User:
    user = cast.make_user(email, admin=admin)
    user.locale = None  # each reads in the browser's language
    db.session.commit()
    return user


def _rows(count: int, extra: list[object] | None = None) -> list[list[object]]:
    numbers = [*map(cast.mobile, range(count)), *(extra or [])]
    return [
        [PEOPLE[n % len(PEOPLE)], number, f"C/ Mayor, {n}", n * 3.5, "Llamar por la tarde, si puede ser"]
        for n, number in enumerate(numbers)
    ]


HEAD: list[object] = ["Nombre", "Teléfono móvil", "Dirección", "Importe", "Observaciones"]


def _upload(app: Flask, owner_id: int, path: Path, *, read: bool = True) -> int:
    with path.open("rb") as file:
        document_id = receive(file, path.name, owner_id, app.extensions["storage"], 10**7, utcnow()).id
    if read:
        tasks.read_document(document_id)
    return document_id


def _documents(app: Flask, alice: int, folder: Path) -> dict[str, int]:
    """Documents that were not started: read, being read, refused, without a number, uploaded before."""
    extra: list[object] = [cast.mobile(1), "+34 " + cast.mobile(2), "sin teléfono", "555", "6,12E+08", None, None]
    good = lists.xlsx(folder / LONG_NAME, [HEAD, *_rows(240, extra)])
    png = folder / "logotipo.xlsx"
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\x00" * 400)
    none = lists.xlsx(folder / "sin números.xlsx", [["Nombre", "Ciudad"], ["Ana", "Jaén"], ["Leo", "Soria"]])
    tricky = lists.tricky(folder / "contactos.xlsx")
    return {
        "ready": _upload(app, alice, good), "again": _upload(app, alice, good), "refused": _upload(app, alice, png),
        "no-numbers": _upload(app, alice, none), "title-and-sheets": _upload(app, alice, tricky),
        "reading": _upload(app, alice, tricky, read=False),
    }  # fmt: skip


def _jobs(app: Flask, alice: User) -> dict[str, int]:
    """A job in every state that its page can show."""
    now = utcnow()
    others = ["sin teléfono", "555", "", "91 234 56 78", cast.mobile(0), cast.mobile(1)]

    def job(name: str, minutes: int, rows: int = 22) -> ScrapingJob:
        numbers = [*map(cast.mobile, range(rows)), *others]
        document = cast.make_document(app, alice, numbers, name)
        choice = SheetChoice(0, 1, (0,), "ES")
        return commands.start(document, choice, "offline", alice, now - minutes * MINUTE, push=False)

    def answered(made: ScrapingJob, count: int, minutes: int) -> ScrapingJob:
        scenes.claim(made, now - minutes * MINUTE)
        scenes.answer(made, [Outcome.FOUND] * count, now - (minutes - 1) * MINUTE, fields=FIELDS)
        return made

    made = {"pending": job("lista de espera.csv", 1)}
    two = {"push": False, "then": [NextSource("directory", StepRule.BESIDE, 5 * 10**9)]}
    document = cast.make_document(app, alice, [*map(cast.mobile, range(22)), *others], "dos fuentes.xlsx")
    made["two-sources"] = commands.start(document, SheetChoice(0, 1, (0,), "ES"), "offline", alice, now, **two)
    answered(made["two-sources"], 12, 3)
    made["processing"] = answered(job(LONG_NAME, 4), 12, 3)
    scenes.answer(made["processing"], [Outcome.FOUND] * 3, utcnow(), fields=FIELDS)
    made["completed"] = answered(job("clientes.xlsx", 300, 180), 175, 299)
    scenes.answer(made["completed"], [Outcome.NOT_FOUND] * 3, now - 290 * MINUTE)
    scenes.answer(made["completed"], [Outcome.REJECTED] * 3, now - 290 * MINUTE, "rejected")
    ScrapingJob.complete(made["completed"].id, made["completed"].attempt, now - 290 * MINUTE)
    reasons = ["temporary"] * 6 + ["blocked"] * 2
    made["failed"] = scenes.failed(job("proveedores.ods", 90), now - 80 * MINUTE, found=10, reasons=reasons, final=True)
    timeline.note_fault(made["failed"].id, 1, "Traceback (most recent call last):\n" + "  a line of the program\n" * 9)
    made["failed-retry-planned"] = scenes.failed(job("socios.xls", 9), now, found=12, reasons=["temporary"] * 4)
    made["timeout"] = scenes.timed_out(job("antiguos.xlsb", 200), now - 100 * MINUTE)
    made["retrying"] = scenes.busy(job("feria.tsv", 12), now)
    made["cancelled"] = scenes.cancelled(answered(job("pruebas.xlsx", 50), 8, 49), now - 45 * MINUTE)
    made["paused"] = job("para mañana.xlsx", 20)
    commands.pause(made["paused"].id, ALICE, now - 19 * MINUTE)
    db.session.commit()
    return {name: found.id for name, found in made.items()}
