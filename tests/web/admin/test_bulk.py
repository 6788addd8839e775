"""The pages around bulk operations: the plan, the reason, the operation and its end, triage, who did what."""

import re
from collections.abc import Callable
from html import unescape

from flask.testing import FlaskClient
from sqlalchemy import select

from portal import audit
from portal.accounts import User
from portal.audit import AuditEntry
from portal.clock import utcnow
from portal.database import db
from portal.jobs import commands, queries
from portal.jobs.admin import bulk, operation_runner
from portal.jobs.core import timeline
from portal.jobs.core.bulk_tables import Operation
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from tests.jobs.many import copies
from tests.support import scenes
from tests.support.databases import ON_BOTH
from tests.web.admin.test_jobs import listed, status_of, told

MakeJob = Callable[..., ScrapingJob]
VERBS = ("retry", "time-out", "cancel", "limits")


def figures(page: str) -> dict[str, str]:
    return dict(re.findall(r'data-(to-move|to-skip|done|skipped|left)="(\d+)"', page))


def test_the_plan_counts_and_changes_nothing(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    stopped, done, held = (
        scenes.failed(make_job(alice), final=True),
        scenes.completed(make_job(alice)),
        scenes.in_status(make_job(alice), Status.PROCESSING),
    )
    for verb, moved in (("retry", 1), ("time_out", 1), ("cancel", 2), ("limits", 2)):
        page = as_ada.post("/admin/jobs/plan", data={"verb": verb, "all": "1", "user": "alice"}).text
        assert figures(page) == {"to-move": str(moved), "to-skip": str(3 - moved)}, verb
    page = as_ada.post("/admin/jobs/plan", data={"verb": "retry", "ids": [stopped.id, done.id, 999_999]}).text
    assert figures(page) == {"to-move": "1", "to-skip": "1"} and "1 of the selected files no longer exists" in page
    assert page.count(f'<a class="long" href="/jobs/{stopped.id}">') == 1, "the plan names the files"
    assert [status_of(job) for job in (stopped, done, held)] == ["failed", "completed", "processing"]
    assert "No files selected" in told(as_ada, "/admin/jobs/plan", verb="retry")


def test_a_filter_that_makes_no_sense_does_nothing_to_everybody(
    as_ada: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    held = scenes.in_status(make_job(alice), Status.PROCESSING)
    for name, word in (("status", "faild"), ("since", "2026-02-31"), ("until", "tomorrow"), ("last", "2 h")):
        for verb in ("cancel", "time-out", "plan"):
            said = told(as_ada, f"/admin/jobs/{verb}", **{name: word, "all": "1", "why": "x", "verb": "cancel"})
            assert "is not valid" in said, (name, verb)
    assert status_of(held) == Status.PROCESSING


def test_what_overrides_needs_a_reason_and_keeps_what_was_filled_in(
    as_ada: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    held = scenes.in_status(make_job(alice), Status.PROCESSING)
    form = {"ids": held.id, "why": " ", "max_retries": "7", "timeout_minutes": "70"}
    for verb in VERBS[1:]:
        assert "Enter a reason" in told(as_ada, f"/admin/jobs/{verb}", **form), "a program is told by a sentence"
        again = as_ada.post(f"/admin/jobs/{verb}", data={**form, "key": "k"})
        assert again.status_code == 422 and 'role="alert"' in again.text and f'value="{held.id}"' in again.text
    wrong = as_ada.post("/admin/jobs/limits", data={**form, "why": "x", "max_retries": "101", "key": "k"})
    assert wrong.status_code == 422 and "0 to 100 retries" in wrong.text and 'value="101"' in wrong.text
    assert "were changed" not in told(as_ada, "/admin/jobs/limits", ids=held.id, why="slow")
    assert status_of(held) == Status.PROCESSING and held.max_retries == 3


def test_a_few_are_done_at_once_with_the_reason_on_timeline_and_in_the_audit(
    as_ada: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    held = scenes.in_status(make_job(alice), Status.PROCESSING)
    more = {"ids": held.id, "max_retries": "7", "timeout_minutes": "70", "why": "the source is slow"}
    assert "The limits of 1 file were changed." in told(as_ada, "/admin/jobs/limits", **more)
    assert "1 file was cancelled." in told(as_ada, "/admin/jobs/cancel", ids=held.id, why="asked by phone")
    db.session.refresh(held)
    assert (held.max_retries, held.timeout_minutes, held.status) == (7, 70, Status.CANCELLED)
    assert [event.facts.get("why") for event in queries.timeline(held)[:2]] == ["asked by phone", "the source is slow"]
    noted = [(one.admin, one.verb, one.object_id, one.reason) for one in db.session.scalars(select(AuditEntry))]
    assert noted == [
        ("ada@example.com", "limits", str(held.id), "the source is slow"),
        ("ada@example.com", "cancel", str(held.id), "asked by phone"),
    ]
    facts = {"file": held.file_name, "owner": alice.email}
    assert [one.facts for one in db.session.scalars(select(AuditEntry))] == [facts, facts]
    page = as_ada.get("/admin/audit").text
    assert "cancelled the file" in page and "asked by phone" in page and f"/jobs/{held.id}" in page


@ON_BOTH
def test_many_become_an_operation_with_a_page_of_its_own(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    stopped = scenes.failed(make_job(alice), final=True)
    ids = [stopped.id, *copies(stopped, bulk.AT_ONCE)]
    form = {"ids": ",".join(map(str, ids)), "key": "one", "status": "failed", "q": "clientes"}
    where = as_ada.post("/admin/jobs/retry", data=form).location
    assert re.fullmatch(r"/admin/operations/\d+", where)
    assert as_ada.post("/admin/jobs/retry", data=form).location == where
    page = as_ada.get(where).text
    assert 'data-status="waiting"' in page and "data-poll" in page and figures(page)["left"] == str(len(ids))
    version = re.search(r"live\?v=([^\"]+)", page)
    assert version and as_ada.get(f"{where}/live?v={unescape(version[1])}").status_code == 204
    while operation_runner.work(int(where.rpartition("/")[2])):
        pass
    fragment = as_ada.get(f"{where}/live?v={unescape(version[1])}").text
    assert 'data-status="done"' in fragment and "data-poll" not in fragment and "<html" not in fragment
    assert figures(fragment) == {"done": str(len(ids)), "skipped": "0", "left": "0"}
    assert "The operation had already finished" in told(as_ada, f"{where}/stop")
    assert f'{where}"' in as_ada.get("/admin/operations").text


def test_none_of_it_is_there_for_others(
    as_alice: FlaskClient, as_ada: FlaskClient, client: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    stopped = scenes.failed(make_job(alice), final=True)
    copies(stopped, bulk.AT_ONCE)
    where = as_ada.post("/admin/jobs/retry", data={"all": "1"}).location
    pages = ["/admin/jobs", "/admin/triage", "/admin/operations", where, f"{where}/live", "/admin/audit"]
    posts = [*(f"/admin/jobs/{verb}" for verb in VERBS), "/admin/jobs/plan", "/admin/jobs/search", f"{where}/stop"]
    form = {"all": "1", "ids": stopped.id, "why": "x", "verb": "cancel", "q": "612000001"}
    for method, addresses in (("GET", pages), ("POST", posts)):
        for address in addresses:
            for headers in ({}, {"HX-Request": "true"}):
                assert as_alice.open(address, method=method, data=form, headers=headers).status_code == 404, address
            assert client.open(address, method=method, data=form).status_code == 302, address
    for address in posts:
        assert as_ada.get(address).status_code == 405
    assert (
        as_ada.get("/admin/operations/999999").status_code == as_ada.post("/admin/operations/9/stop").status_code == 404
    )
    db.session.rollback()
    (operation,) = db.session.scalars(select(Operation))
    assert operation.stop_asked_at is None and status_of(stopped) == Status.FAILED
    page = as_alice.get(f"/jobs/{stopped.id}").text
    assert "SJ-" not in re.sub(r"Reference: <code>[^<]*</code>", "", page)


def test_each_figure_of_the_triage_leads_to_as_many_files(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    now = utcnow()
    scenes.failed(make_job(alice), now, cause="blocked", final=True)
    scenes.failed(make_job(alice), now)
    copies(scenes.timed_out(make_job(alice), now), 2, last_error=None)
    for query in ("", "?stopped=1"):
        page = as_ada.get(f"/admin/triage{query}").text
        cells = re.findall(r'data-span="(\w+)">(?:<a href="([^"]+)">(\d+)|<span)', page)
        assert len(cells) == 5 * (5 if not query else 4)
        for _span, address, figure in cells:
            if address:
                assert len(listed(as_ada, unescape(address).removeprefix("/admin/jobs"))) == int(figure), address
    assert 'data-top="' in page and "What usually helps" in page
    plan = as_ada.post("/admin/jobs/plan", data={"verb": "retry", "all": "1", "cause": "-", "stopped": "1"}).text
    assert figures(plan) == {"to-move": "2", "to-skip": "0"}


def test_nothing_stands_still_is_said(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    scenes.completed(make_job(alice))
    page = as_ada.get("/admin/triage").text
    assert "Nothing needs attention" in page and "1 file is completed." in page


def test_what_an_admin_does_to_anothers_file_is_noted_and_what_an_owner_does_is_not(
    app: object, as_ada: FlaskClient, as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice)
    as_alice.post(f"/jobs/{job.id}/pause")
    assert audit.entries().entries == []
    as_ada.post(f"/jobs/{job.id}/resume")
    as_ada.post(f"/jobs/{job.id}/limits", data={"max_retries": 1, "timeout_minutes": 9})
    as_ada.post(f"/jobs/{job.id}/cancel")
    as_ada.post(f"/jobs/{job.id}/cancel")
    as_ada.post(f"/jobs/{job.id}/delete")
    db.session.rollback()
    assert [one.verb for one in audit.entries().entries] == ["delete", "cancel", "limits", "resume"]
    first = audit.entries(admin="ada@example.com").entries[0]
    assert first.facts == {"file": "clientes.xlsx", "owner": "alice@example.com"}
    assert audit.entries(before=first.id).entries[0].verb == "cancel" and audit.entries(admin="x").entries == []


def test_an_attempts_fault_is_for_admins_only(
    as_ada: FlaskClient, as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = scenes.failed(make_job(alice), final=True)
    timeline.note_fault(job.id, 1, "Traceback: KeyError <b>")
    db.session.commit()
    page = as_ada.get(f"/jobs/{job.id}").text
    assert "Traceback: KeyError &lt;b&gt;" in page and 'id="attempt-1"' in page and "worker-1" in page
    assert "temporary" in re.search(r"Stored answers.*?</details>", page, re.S)[0]  # type: ignore[index]
    assert "KeyError" not in as_alice.get(f"/jobs/{job.id}").text
    commands.delete(job.id, "alice@example.com", utcnow(), Storage())  # type: ignore[arg-type]
    assert db.session.execute(select(db.metadata.tables["attempts"].c.traceback)).scalars().all() == [None]


class Storage:
    """Where nothing lies."""

    def delete(self, key: str) -> None: ...
