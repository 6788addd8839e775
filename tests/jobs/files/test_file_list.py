"""A person's own list: what needs them first, then the newest; found by any text, and read page by page."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document, Reading
from portal.jobs.files import file_list, naming
from portal.jobs.files.file_list import FilePage, ListFilters, Place, Show, Sort, list_files
from portal.jobs.models import ScrapingJob
from tests.support import scenes
from tests.support.cast import NOW, make_document

MakeJob = Callable[..., ScrapingJob]
LATER = NOW + timedelta(hours=1)


def jobs_of(page: FilePage) -> list[int]:
    return [job.id for job in page.jobs]


def asked(user: User, status: str = "", q: str = "", **more: int) -> FilePage:
    return list_files(user, ListFilters(status=status, q=q), LATER, **more)


def named(page: FilePage) -> list[str]:
    return [(one.job or one.document).file_name for one in page.entries]  # type: ignore[union-attr]


def turned(user: User, wanted: ListFilters) -> tuple[list[list[Place]], list[list[Place]]]:
    """All pages from the first to the last, and from the last back to the first."""
    there, back = [list_files(user, wanted, LATER)], []
    while there[-1].after:
        there.append(list_files(user, wanted, LATER, after=there[-1].after))
    page = there[-1]
    while page.before:
        page = list_files(user, wanted, LATER, before=page.before)
        back.append(page)
    return [[e.place for e in one.entries] for one in there], [[e.place for e in one.entries] for one in back]


def test_what_needs_the_person_is_on_top(app: Flask, alice: User, make_job: MakeJob) -> None:
    failed, done, waiting = (make_job(alice, 1, now=NOW + timedelta(minutes=n)) for n in range(3))
    failed, done = scenes.failed(failed, found=0, final=True), scenes.completed(done)
    old = scenes.failed(make_job(alice, 1, now=NOW - timedelta(days=30)), found=0, final=True)
    new = make_document(app, alice, ["612345678"], "nuevo.xlsx")
    refused = [make_document(app, alice, [n], f"{n}.pdf", now=NOW - timedelta(days=n)) for n in range(2)]
    for one in refused:
        one.state = Reading.REFUSED
    db.session.commit()
    kinds = [(one.place.kind, one.place.its_id) for one in asked(alice).entries]
    top, rest = kinds[:3], kinds[3:]
    assert set(top) == {(0, failed.id), (1, new.id), (1, refused[0].id)}
    assert rest == [(0, waiting.id), (0, done.id), (0, old.id)], "the newest first"
    assert jobs_of(asked(alice, Show.ATTENTION)) == [failed.id, old.id]
    assert {one.document.id for one in asked(alice, Show.NOT_STARTED).entries if one.document} == {
        new.id, refused[0].id,
    }  # fmt: skip
    assert jobs_of(asked(alice, "completed")) == [done.id]
    assert len(asked(alice, "no such").entries) == 6


@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize("descending", [True, False])
def test_the_pages_have_each_file_once_and_lead_back(
    app: Flask, alice: User, bob: User, make_job: MakeJob, sort: Sort, descending: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(file_list, "PER_PAGE", 3)
    made = [make_job(alice, 1).id for _ in range(6)]
    scenes.failed(db.session.get_one(ScrapingJob, made[1]), found=0, final=True)
    documents = [make_document(app, alice, [n], f"{n}.xlsx").id for n in range(4)]
    make_job(bob, 1)
    there, back = turned(alice, ListFilters(sort=sort, descending=descending))
    assert sorted((place.kind, place.its_id) for page in there for place in page) == sorted(
        [*((0, one) for one in made), *((1, one) for one in documents)]
    )
    assert [len(page) for page in there] == [3, 3, 3, 1]
    assert back == there[-2::-1]
    numbered = [list_files(alice, ListFilters(sort=sort, descending=descending), LATER, page=n) for n in (1, 2, 4, 9)]
    assert [[one.place for one in page.entries] for page in numbered] == [there[0], there[1], there[3], there[3]]


def test_names_are_sorted_without_capitals_and_accents(app: Flask, alice: User) -> None:
    for name in ("zeta.xlsx", "Ábaco.xlsx", "beta.xlsx", "ALFA.xlsx"):
        make_document(app, alice, [name], name)
    found = list_files(alice, ListFilters(sort=Sort.NAME, descending=False), LATER)
    assert named(found) == ["Ábaco.xlsx", "ALFA.xlsx", "beta.xlsx", "zeta.xlsx"]


def test_any_text_finds_a_file(app: Flask, alice: User, make_job: MakeJob) -> None:
    job, document = make_job(alice, 1), make_document(app, alice, ["1"], "Otro.xlsx")
    made = naming.Naming.of("100%_Peñíscola", " Para  el\nmartes ", "Málaga, #VIP, málaga", job.file_name)
    assert (made.name, made.note, made.labels) == ("100%_Peñíscola.xlsx", "Para el martes", ("Málaga", "VIP"))
    naming.name_job(job, made, "alice@example.com", NOW)
    naming.name_document(document, naming.Naming.of("", "Del martes", "vip", document.file_name))
    for text in ("peniscola", "0%_P", "MALAGA", "el martes", "hoja1", " peñíscola ", f"#{job.id}"):
        assert jobs_of(asked(alice, q=text)) == [job.id], text
    assert len(asked(alice, q="vip").entries) == 2
    for text in ("%_x", "\0nada", "9" * 40):
        assert not asked(alice, q=text).entries, text
    assert naming.labels_used(alice.id) == ["Málaga", "VIP"]
    assert db.session.get_one(Document, document.id).file_name == "Otro.xlsx"


def test_a_search_stops_at_its_window_and_goes_on(
    app: Flask, alice: User, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_list, "WINDOW", 3)
    oldest = make_job(alice, 1)
    naming.name_job(oldest, naming.Naming.of("la buscada", "", "", oldest.file_name), "alice@example.com", NOW)
    for _n in range(4):
        make_job(alice, 1)
    wanted = ListFilters(q="buscada")
    first = list_files(alice, wanted, LATER)
    assert (first.entries, first.more_to_search) == ([], True)
    second = list_files(alice, wanted, LATER, after=first.after)
    assert (jobs_of(second), second.more_to_search) == ([oldest.id], False)


def test_a_job_from_the_shell_is_started_and_found(app: Flask, alice: User) -> None:
    """The seed's scripts add rows, which know nothing of the columns for the list."""
    document = make_document(app, alice, ["612345678"])
    made = ScrapingJob(document_id=document.id, user_id=alice.id, file_name="Del shell.xlsx", total_numbers=1)
    db.session.add(made)
    db.session.commit()
    assert [(one.place.kind, one.place.its_id) for one in asked(alice).entries] == [(0, made.id)]
    assert jobs_of(asked(alice, q="DEL SHELL")) == [made.id]
