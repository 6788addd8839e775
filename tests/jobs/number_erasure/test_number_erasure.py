"""One number is erased from everything that is kept: then the data folder and the database are searched for it."""

import io
import re
import time
import zipfile
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from openpyxl.comments import Comment
from sqlalchemy import select, text

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents.models import Document
from portal.documents.reader.sheet_file import rows
from portal.documents.storage import LocalStorage, sheet_part
from portal.jobs import erasure, one_number
from portal.jobs.admin import phone_search
from portal.jobs.attempt import runner as attempts
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.erasure_tables import Erasure, ErasureState, ReplacedFile
from portal.jobs.core.job_tables import Attempt, Event, Number, NumberCell
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.export import export
from portal.jobs.models import ScrapingJob
from portal.jobs.number_erasure import orders, runner
from portal.notices.models import Notice
from portal.sources.base import Answer, Outcome
from portal.sources.models import CachedAnswer
from tests.support import cast
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource
from tests.web.check_page import read, upload

GONE, OTHER = "612345678", "699111222"
FIXTURES = Path(__file__).parents[2] / "fixtures"


def key_of(ada: User, number: str = GONE) -> str:
    key = phone_search.begin(ada, number, "ES", utcnow())
    assert key is not None
    return key


def order(ada: User, number: str = GONE) -> int:
    begun = orders.begin(ada, key_of(ada, number), "request of 3 May", utcnow())
    assert begun is not None
    return begun.id


def work(app: Flask, order_id: int) -> Erasure:
    """Run an order as its worker does, until nothing more can be done at once."""
    while runner.work(order_id, app.extensions["storage"]):
        pass
    return db.session.get_one(Erasure, order_id, populate_existing=True)


def erase(app: Flask, ada: User, number: str = GONE) -> Erasure:
    done = work(app, order(ada, number))
    assert done.state == ErasureState.DONE
    return done


def run(job: ScrapingJob) -> Status | None:
    given = Conditions(worker="w", lease_seconds=60, backoff=Backoff(base_seconds=100), clock=utcnow)
    return attempts.run(job.id, job.attempt, given)


def left(app: Flask, digits: str = GONE) -> list[str]:
    """Where the digits still are: in a file of the data folder, in a zip in it, or in a row of the database."""
    db.session.rollback()
    wanted, found = [digits.encode(), digits.encode("utf-16-le")], []

    def has(content: bytes) -> bool:
        plain = re.sub(rb"[ .\-()]|\xc2\xa0", b"", content)
        return any(one in content or one in plain for one in wanted)

    for path in Path(app.config["PORTAL_DATA_DIR"]).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [str(path)] if has(content) else []
            if content.startswith(b"PK"):
                with zipfile.ZipFile(io.BytesIO(content)) as package:
                    found += [f"{path.name}!{name}" for name in package.namelist() if has(package.read(name))]
    for table in db.metadata.sorted_tables:
        for row in db.session.execute(text(f'SELECT * FROM "{table.name}"')):
            found += [f"{table.name}: {row}"] if has(repr(tuple(row)).encode()) else []
    db.session.rollback()
    return found


def clients() -> bytes:
    """A workbook with the number in a number, in texts, a formula, a comment, a link and another sheet."""
    book = openpyxl.Workbook()
    page = book.active
    for row in [["Nombre", "Tel"], ["Ana", int(GONE)], ["Luis", int(OTHER)], ["Eva (612 34 56 78)", "+34 612-345-678"]]:
        page.append(row)
    page["C2"], page["C3"] = "=B2", f'=HYPERLINK("tel:{GONE}","llamar")'
    page["A2"].comment = Comment(f"llamar al {GONE}", "yo")
    page["A3"].hyperlink = f"tel:+34{GONE}"
    book.create_sheet("Notas").append([f"Avisar a {GONE}", 3.5])
    book.save(memory := io.BytesIO())
    return memory.getvalue()


def ods() -> bytes:
    return (FIXTURES / "clientes.ods").read_bytes()


def csv(encoding: str) -> bytes:
    return f"Nombre;Teléfono;Nota\r\nAna;612 345 678;ok\r\nJosé;{OTHER};nº\r\n".encode(encoding)


FILES: dict[str, Callable[[], bytes]] = {
    "clientes.xlsx": clients, "clientes.ods": ods,
    "viejo.xlsb": lambda: (FIXTURES / "clientes.xlsb").read_bytes(), "latin.csv": partial(csv, "latin-1"),
    "ancho.csv": partial(csv, "utf-16"),
}  # fmt: skip


def start(client: FlaskClient, document_id: int) -> int:
    column = re.findall(r'name="column" value="(\d+)" checked', client.get(f"/documents/{document_id}").text)
    form = {"sheet": 0, "column": column, "country": "ES", "source": "counting"}
    return int(client.post(f"/documents/{document_id}/jobs", data=form).location.rsplit("/", 1)[1])


def test_every_kind_of_file_comes_back_without_it(
    app: Flask, as_alice: FlaskClient, ada: User, counting: CountingSource
) -> None:
    began = {}
    for name, make in FILES.items():
        document_id = upload(as_alice, make(), name)
        read(app, document_id)
        job_id = start(as_alice, document_id)
        assert run(db.session.get_one(ScrapingJob, job_id)) == Status.COMPLETED
        assert as_alice.get(f"/jobs/{job_id}").status_code == 200  # makes the index of the result
        began[name] = document_id, job_id, sheet_of(app, document_id)
    assert len(left(app)) > len(FILES)
    done = erase(app, ada)
    assert left(app) == [] and done.files == len(FILES)
    for name, (document_id, job_id, before) in began.items():
        after = sheet_of(app, document_id)
        changed = [row for row, old in zip(after, before, strict=True) if row != old]
        assert changed and all("erased" in str(cells) for cells in changed), name
        job = db.session.get_one(ScrapingJob, job_id, populate_existing=True)
        assert job.processed_numbers == job.total_numbers and job.rejected_count >= 1, name
        with force_locale("en"), export(job, app.extensions["storage"], None) as file:
            downloaded = file.read()
        shown = downloaded.decode("utf-16" if name == "ancho.csv" else "latin-1")
        if downloaded.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(downloaded)) as package:
                shown = " ".join(package.read(part).decode("latin-1") for part in package.namelist())
        assert "erased" in shown and GONE not in shown, name
        assert as_alice.get(f"/jobs/{job_id}").status_code == 200, name
        assert as_alice.get(f"/documents/{document_id}").status_code == 200, name


def sheet_of(app: Flask, document_id: int, index: int = 0) -> list[tuple[int, list[Any]]]:
    key = db.session.get_one(Document, document_id, populate_existing=True).storage_key
    return list(rows(app.extensions["storage"].path(key, sheet_part(index))))


def test_nothing_else_in_the_workbook_changes(app: Flask, as_alice: FlaskClient, ada: User) -> None:
    document_id = upload(as_alice, clients())
    read(app, document_id)
    erase(app, ada)
    key = db.session.get_one(Document, document_id).storage_key
    book = openpyxl.load_workbook(io.BytesIO(app.extensions["storage"].path(key).read_bytes()))
    page = book.active
    assert [[cell.value for cell in row] for row in page] == [
        ["Nombre", "Tel", None], ["Ana", "erased", "=B2"], ["Luis", int(OTHER), '=HYPERLINK("tel:0","llamar")'],
        ["Eva (erased)", "erased", None],
    ]  # fmt: skip
    assert page["A2"].comment.text == "llamar al erased" and book["Notas"]["B1"].value == 3.5
    assert [cell.value for cell in book["Notas"][1]] == ["Avisar a erased", 3.5]


@ON_BOTH
def test_it_goes_from_everything_that_is_kept(
    app: Flask, as_alice: FlaskClient, alice: User, ada: User, counting: CountingSource
) -> None:
    now, storage = utcnow(), app.extensions["storage"]
    several = cast.make_job(app, alice, [GONE, OTHER, f"+34 {GONE}", "no", "61234567"], source="counting")
    with force_locale("en"):
        one_number.look_up(GONE, "counting", "ES", alice, storage, now)
    assert run(several) == Status.COMPLETED
    several.note, several.labels = f"Llamar a {GONE}", [GONE]
    unstarted = cast.make_document(app, alice, [OTHER], name=f"{GONE}.xlsx").id
    kept = {"version": "1", "outcome": Outcome.FOUND, "answered_at": now}
    for number in (GONE, OTHER):
        db.session.add(CachedAnswer(source="counting", e164=f"+34{number}", fields={"seen": f"+34{number}"}, **kept))
    db.session.add(Notice(dedupe="a", kind="job_completed", user_id=alice.id, created_at=now, due_at=now,
                          facts={"file_name": f"{GONE}.xlsx", "n": 3}))  # fmt: skip
    db.session.execute(Attempt.__table__.update().values(traceback=f"ValueError: +34{GONE}"))
    db.session.commit()
    as_alice.post(f"/documents/{unstarted}/corrections", data={"row": 2, "column": 0, "text": OTHER, "typed": GONE})
    folder = Path(app.config["PORTAL_DATA_DIR"])
    (folder / "logger.log").write_text(f'{{"event": "a {GONE} b"}}\n')
    (folder / "mail").mkdir(exist_ok=True)
    (folder / "mail" / "a.eml").write_text(f"Subject: {GONE}.xlsx\n\nListo\n")
    totals = several.total_numbers, several.processed_numbers, several.cost
    assert len(left(app)) > 8
    plan = orders.plan(ada, key_of(ada), now)
    assert plan is not None and (plan.files, plan.cells, plan.kept, plan.stored) == (2, 3, 1, 3)
    done = erase(app, ada)
    assert left(app) == []
    assert (done.cells, done.kept, done.e164, done.by) == (3, 1, None, ada.email) and done.others >= 6
    db.session.refresh(several)
    assert (several.total_numbers, several.processed_numbers, several.cost) == totals
    assert several.rejected_count == 2
    assert [row.e164 for row in db.session.scalars(select(CachedAnswer))] == [f"+34{OTHER}"]
    others = db.session.scalars(select(NumberCell.text).where(NumberCell.job_id == several.id)).all()
    assert sorted(others) == sorted(["61234567", OTHER, "erased", "erased", "no"])
    assert db.session.scalars(select(ReplacedFile.gone_at)).all().count(None) == 0
    assert "erased" in str(db.session.scalars(select(Event.kind)).all())


def test_pressed_twice_it_is_one_order_and_the_record_does_not_say_which(
    app: Flask, as_ada: FlaskClient, alice: User
) -> None:
    cast.make_job(app, alice, [GONE])
    answer = as_ada.post("/admin/erasures/search", data={"q": GONE})
    assert answer.status_code == 303 and GONE not in answer.location
    assert 'data-files="1"' in as_ada.get(answer.location).text
    key = answer.location.partition("key=")[2]
    assert as_ada.post("/admin/erasures", data={"key": key, "why": ""}).status_code == 422
    assert as_ada.post("/admin/erasures", data={"key": key, "why": f"el {GONE}"}).status_code == 422
    first, place = (as_ada.post("/admin/erasures", data={"key": key, "why": "carta"}).location for _ in range(2))
    assert first == place == "/admin/erasures/1"
    assert 'data-status="numbers"' in as_ada.get(place).text
    work(app, 1)
    for address in (place, "/admin/erasures", "/admin/audit"):
        page = as_ada.get(address).text
        assert GONE not in page and "612 34" not in page
    assert "carta" in as_ada.get(place).text and 'data-status="done"' in as_ada.get(place).text
    assert as_ada.post("/admin/erasures", data={"key": key, "why": "carta"}).location == place
    assert as_ada.post("/admin/erasures/search", data={"q": "hola"}).status_code == 422
    assert as_ada.get("/admin/erasures/plan?key=unknown").status_code == 303


@pytest.mark.parametrize("outcome", [Outcome.FOUND, Outcome.FAILED])
def test_the_answer_of_a_worker_that_has_it_in_hand_is_thrown_away(
    app: Flask, make_job: Callable[..., ScrapingJob], alice: User, ada: User, counting: CountingSource,
    outcome: Outcome,
) -> None:  # fmt: skip
    job = make_job(alice, [GONE, OTHER], source="counting")
    begun: list[int] = []

    def answer(e164: str) -> Answer:
        if e164.endswith(GONE):
            db.session.rollback()
            begun.append(order(ada))
            assert work(app, begun[0]).state == ErasureState.CHECK  # it waits for this worker
        return Answer(outcome if e164.endswith(GONE) else Outcome.FOUND, {"seen": e164})

    counting.script = answer
    assert run(job) == Status.COMPLETED
    assert work(app, begun[0]).state == ErasureState.DONE
    assert left(app) == []
    db.session.refresh(job)
    assert (job.found_count, job.rejected_count, job.processed_numbers) == (1, 1, 2)


def test_a_stopped_file_whose_only_open_number_it_was_is_completed(
    app: Flask, make_job: Callable[..., ScrapingJob], alice: User, ada: User, counting: CountingSource
) -> None:
    job = make_job(alice, [GONE, OTHER], source="counting")
    job.max_retries = 0
    db.session.commit()
    counting.script = lambda e164: Answer(
        Outcome.FAILED if e164.endswith(GONE) else Outcome.FOUND, {"seen": "x"}, "temporary"
    )
    assert run(job) == Status.FAILED
    erase(app, ada)
    db.session.refresh(job)
    assert (job.status, job.failed_count, job.processed_numbers) == (Status.RETRYING, 0, 2)
    assert run(job) == Status.COMPLETED and counting.calls[f"+34{GONE}"] == 1


def test_killed_at_any_step_it_goes_on_and_a_file_being_read_is_waited_for(
    app: Flask, as_alice: FlaskClient, alice: User, ada: User, make_job: Callable[..., ScrapingJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make_job(alice, [GONE, OTHER])
    unread = upload(as_alice, clients())
    order_id = order(ada)

    class Killed(BaseException):
        pass

    steps = 0
    step, commit = runner._Slice.step, db.session.commit

    def kill_at(n: int) -> Callable[[], None]:
        count = 0

        def counted() -> None:
            nonlocal count
            count += 1
            if count == n:
                raise Killed
            commit()

        return counted

    for n in range(1, 40):
        monkeypatch.setattr(db.session, "commit", kill_at(n))
        try:
            runner.work(order_id, app.extensions["storage"], clock=lambda n=n: utcnow() + timedelta(hours=n))
        except Killed:
            steps += 1
        monkeypatch.setattr(db.session, "commit", commit)
        db.session.rollback()
    assert steps > 10 and step
    assert db.session.get_one(Erasure, order_id, populate_existing=True).state == ErasureState.CHECK
    read(app, unread)
    later = lambda: utcnow() + timedelta(hours=100)  # noqa: E731
    while runner.work(order_id, app.extensions["storage"], clock=later):
        pass
    assert db.session.get_one(Erasure, order_id, populate_existing=True).state == ErasureState.DONE
    erasure.erase_orphans(later() + timedelta(days=2), app.extensions["storage"])
    assert left(app) == []


def test_another_machine_forgets_its_copies(app: Flask, as_alice: FlaskClient, ada: User, tmp_path: Path) -> None:
    document_id = upload(as_alice, clients())
    read(app, document_id)
    old = db.session.get_one(Document, document_id).storage_key

    class Elsewhere(LocalStorage):
        def copies(self) -> dict[str, float]:
            return {path.name.partition(".")[0]: time.time() for path in self.root.glob("*/*/*")}

        def forget(self, key: str) -> None:
            self.delete(key)

    other = Elsewhere(tmp_path / "fetched")
    other.path(old).parent.mkdir(parents=True)
    other.path(old).write_bytes(clients())
    erase(app, ada)
    assert erasure.forget_copies(utcnow(), other) == 1 and not other.path(old).exists()


def test_only_administrators_see_these_pages(as_alice: FlaskClient) -> None:
    assert {as_alice.get(f"/admin/erasures{rest}").status_code for rest in ("", "/plan", "/1")} == {404}


def test_every_number_in_a_ledger_may_be_erased_one_after_the_other(
    app: Flask, make_job: Callable[..., ScrapingJob], alice: User, ada: User
) -> None:
    job = make_job(alice, [GONE, OTHER])
    for number in (GONE, OTHER):
        erase(app, ada, number)
    assert sorted(db.session.scalars(select(Number.e164))) == ["erased-1", "erased-2"]
    db.session.refresh(job)
    assert job.processed_numbers == job.rejected_count == 2
