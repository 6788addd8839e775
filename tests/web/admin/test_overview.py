"""The administrators' first page, and the counts on their tabs."""

import re
from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs.health.processes import WorkerKind, WorkerProcess
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from portal.notices.models import Delivery, Notice
from portal.sources import pause
from tests.support import scenes

MakeJob = Callable[..., ScrapingJob]


def attention(page: str) -> list[str]:
    return re.findall(r'<li class="row" data-tone="\w+">.*?<a href="([^"]+)"', page, flags=re.S)


def test_the_overview_says_what_needs_somebody_and_nothing_else(
    app: Flask, as_ada: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    now = utcnow()
    for kind in WorkerKind:
        worker = {"started_at": now, "seen_at": now, "host": "h", "pid": 1, "doing": None}
        db.session.add(WorkerProcess(name=f"h:{kind}", kind=kind, **worker))
    db.session.commit()
    steps.sweep(now)
    app.extensions["standstill"].since = now
    assert set(attention(as_ada.get("/admin").text)) <= {"/admin/health"}, "Redis is away in tests"
    scenes.failed(make_job(alice), now - timedelta(minutes=5), found=1, reasons=["temporary"] * 4, final=True)
    make_job(alice, now=now - timedelta(minutes=20))
    db.session.add(Notice(dedupe="a", kind="invite", user_id=alice.id, state=Delivery.DEAD, created_at=now, due_at=now))
    db.session.commit()
    found = re.search(r'<a class="tile" data-tone="warn"[^>]*><b>20 minutes</b>', as_ada.get("/admin").text)
    assert found, "the longest wait"
    pause.pause("offline", "ada@example.com", "Mudanza", now)
    db.session.commit()
    app.extensions["desk_counts"].counted_at = None
    page = as_ada.get("/admin").text
    assert set(attention(page)) - {"/admin/health"} == {"/admin/triage", "/admin/notices?state=dead", "/admin/sources"}
    assert "1 file failed or timed out" in page and "Mudanza" in page
    assert re.search(r"<b>1</b><span>file finished today", page)


def test_the_tabs_count_what_needs_somebody(
    as_ada: FlaskClient, as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    scenes.failed(make_job(alice), utcnow(), found=1, reasons=["temporary"] * 4, final=True)
    page = as_ada.get("/admin/users").text
    assert '<span class="num" data-count="1">1</span>' in page and "data-count" not in as_alice.get("/").text
    tabs = page[page.index('<nav class="places"') :].split("</nav>", 1)[0]
    assert tabs.count("<li") == 6, "five pages, and a menu of the others"
    assert 'href="/admin/users" aria-current="page"' in tabs
    invited = as_ada.post("/admin/users", data={"email": "new@example.com", "role": "user"}, follow_redirects=True)
    for at, page in (
        ("users", invited),
        ("sources", as_ada.get("/admin/shelf")),
        ("sources", as_ada.get("/admin/editor")),
    ):
        assert f'href="/admin/{at}" aria-current="' in page.text, "a page below a tab, and the answer to its form"
    here = as_ada.get("/admin/health").text
    assert re.search(r'<summary aria-current="true"><span class="where">Health', here), "the menu says where one is"
