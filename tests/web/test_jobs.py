"""The job's page and its live parts: alice owns the file, bob is another user, ada is the admin."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs import commands
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from tests.support import scenes

MakeJob = Callable[..., ScrapingJob]
EVERY_STATUS = list(Status)


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return unescape(answer.get_data(as_text=True))


def tiles_of(page: str) -> dict[str, int]:
    return {word: int(n) for n, word in re.findall(r'class="tile".*?<b>(\d+)</b><span>(.*?)</span>', page)}


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_the_page_carries_its_status_first_of_all(
    as_alice: FlaskClient, alice: User, make_job: MakeJob, status: Status
) -> None:
    job = scenes.in_status(make_job(alice), status)
    page = text_of(as_alice, f"/jobs/{job.id}")
    assert re.search(r'data-status="(\w+)"', page)[1] == status  # type: ignore[index]
    assert '<h1 id="job-name" tabindex="-1">clientes.xlsx</h1>' in page


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_no_page_shows_the_inside_of_the_program(
    as_alice: FlaskClient, as_ada: FlaskClient, alice: User, make_job: MakeJob, status: Status
) -> None:
    job = scenes.in_status(make_job(alice), status)
    for client in (as_alice, as_ada):
        for address in (
            f"/jobs/{job.id}",
            f"/jobs/{job.id}/live",
            f"/jobs/{job.id}/delete",
            f"/jobs/live?ids={job.id}",
        ):
            page = text_of(client, address)
            assert not re.search(
                r"Traceback|\w+Error\b|\w+Exception\b|&lt;|<class|portal\.\w+\.\w+|Outcome\.|Status\.", page
            )
            assert "None" not in page
            assert "%(" not in page


def test_a_stranger_goes_to_the_login(client: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    for address in (f"/jobs/{job.id}", f"/jobs/{job.id}/live", f"/jobs/{job.id}/results.xlsx", "/jobs/live?ids=1"):
        answer = client.get(address)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/login")


@pytest.mark.parametrize("address", ["", "/live", "/results.xlsx", "/results.csv", "/delete"])
def test_bob_finds_nothing_of_alices(as_bob: FlaskClient, alice: User, make_job: MakeJob, address: str) -> None:
    job = scenes.completed(make_job(alice))
    assert as_bob.get(f"/jobs/{job.id}{address}").status_code == 404
    assert as_bob.get(f"/jobs/999999{address}").status_code == 404
    assert as_bob.get(f"/jobs/99999999999999999999{address}").status_code == 404


def test_bob_gets_no_row_of_alices_in_a_list(as_bob: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    assert f"job-row-{job.id}" not in text_of(as_bob, f"/jobs/live?ids={job.id}&everybody=1")


def test_the_tiles_sum_up_to_the_file(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, ["612000001", "612000002", "612000003", "612000001", "555", "", "612000004"])
    scenes.claim(job)
    scenes.answer(job, [Outcome.FOUND, Outcome.NOT_FOUND, Outcome.FAILED], reason=None)
    tiles = tiles_of(text_of(as_alice, f"/jobs/{job.id}"))
    assert tiles == {
        "Found": 2, "Not found": 1, "Invalid": 1, "Rejected": 0, "No answer": 1, "To look up": 1, "Blank": 1,
    }  # fmt: skip
    assert sum(tiles.values()) == job.total_numbers


def test_each_tile_leads_to_its_rows(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, ["612000001", "555"])
    page = text_of(as_alice, f"/jobs/{job.id}?outcome=invalid")
    rows = re.findall(r'data-label="Row">(\d+)<', page)
    assert rows == ["3"]
    assert "too few digits" in page
    assert re.search(r'class="tile"[^>]*outcome=invalid[^>]*aria-current="true"', page)


def test_a_stopped_job_shows_the_rows_without_an_answer_first(
    as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = scenes.failed(make_job(alice, 5), found=2, final=True)
    for asked, rows in (("", ["4"]), ("?outcome=all", ["2", "3", "4", "5", "6"])):
        page = text_of(as_alice, f"/jobs/{job.id}{asked}").partition('id="job-rows"')[2]
        assert re.findall(r'data-label="Row">(\d+)<', page) == rows


@pytest.mark.parametrize(
    "nonsense", ["?page=x", "?page=-5", "?page=99999999999999", "?sort=-nothing", "?outcome=%00", "?q=%00%25"]
)
def test_nonsense_in_the_address_breaks_nothing(
    as_alice: FlaskClient, alice: User, make_job: MakeJob, nonsense: str
) -> None:
    job = make_job(alice)
    assert as_alice.get(f"/jobs/{job.id}{nonsense}").status_code == 200


def test_live_is_204_until_something_changed(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    asks = re.search(r'id="job-poll".*?hx-get="([^"]+)"', text_of(as_alice, f"/jobs/{job.id}"))
    assert asks is not None
    assert as_alice.get(asks[1]).status_code == 204
    scenes.claim(job, utcnow())
    news = text_of(as_alice, asks[1])
    assert '<hx-partial hx-target="#job-live" hx-swap="outerMorph">' in news
    assert 'data-status="processing"' in news
    again = re.search(r'id="job-poll".*?hx-get="([^"]+)"', news)
    assert again is not None
    assert as_alice.get(again[1]).status_code == 204


def test_the_asking_ends_with_the_job_and_brings_the_rows(
    as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice)
    scenes.claim(job)
    moving = text_of(as_alice, f"/jobs/{job.id}/live?v=old")
    assert 'hx-trigger="every 2s"' in moving
    assert "#job-rows" not in moving  # whoever reads the rows is not disturbed
    scenes.answer(job, [Outcome.FOUND] * 5)
    ScrapingJob.complete(job.id, job.attempt, scenes.NOW)
    db.session.commit()
    ended = text_of(as_alice, f"/jobs/{job.id}/live?v=old")
    assert "every 2s" not in ended
    assert 'hx-target="#job-rows"' in ended


def test_the_title_tells_how_far_it_is(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, 4)
    scenes.claim(job)
    scenes.answer(job, [Outcome.FOUND])
    for address in (f"/jobs/{job.id}", f"/jobs/{job.id}/live"):
        assert "<title>25 % · clientes.xlsx · Masterfilter</title>" in text_of(as_alice, address)


def test_without_javascript_the_page_loads_itself_again_until_the_end(
    as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice)
    refresh = f'<noscript><meta http-equiv="refresh" content="5; url=/jobs/{job.id}"></noscript>'
    assert refresh in text_of(as_alice, f"/jobs/{job.id}")
    scenes.completed(job)
    assert refresh not in text_of(as_alice, f"/jobs/{job.id}")


def test_a_list_gets_its_rows_again_only_when_one_changed(
    as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    first, second = make_job(alice), make_job(alice)
    home = text_of(as_alice, "/")
    asks = re.search(r'id="jobs-poll".*?hx-get="([^"]+)"', home)
    assert asks is not None
    assert as_alice.get(asks[1]).status_code == 204
    scenes.completed(first)
    news = text_of(as_alice, asks[1])
    assert f'<hx-partial hx-target="#job-row-{first.id}"' in news
    rows = dict(re.findall(r'<tr id="job-row-(\d+)" data-status="(\w+)"', news))
    assert rows == {str(first.id): "completed", str(second.id): "pending"}
    again = re.search(r'id="jobs-poll".*?hx-get="([^"]+)"', news)
    assert again is not None
    assert f"ids={second.id}&" in again[1]
    scenes.completed(second)
    assert "hx-trigger" not in text_of(as_alice, again[1])


@pytest.mark.parametrize("ids", ["", "x", "1,,2", "-1", "1" * 30, ",".join("1" * 500)])
def test_a_list_may_ask_nonsense(as_alice: FlaskClient, ids: str) -> None:
    assert as_alice.get(f"/jobs/live?ids={ids}").status_code in (200, 204)


def test_the_next_try_is_said_with_its_time(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice, 5), utcnow())
    page = text_of(as_alice, f"/jobs/{job.id}")
    assert "Next attempt:" in page
    assert "automatic retry 1 of 3" in page
    assert "The source did not answer for some of the numbers." in page


def test_a_busy_source_is_said_with_its_time(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.busy(make_job(alice), utcnow())
    page = text_of(as_alice, f"/jobs/{job.id}")
    assert "Continues:" in page
    limited = "The source is limiting how fast we can send requests."
    assert f"{limited} The lookup will continue automatically; you do not need to do anything." in page
    assert limited in text_of(as_alice, "/")


def test_only_admins_see_the_machine(
    as_alice: FlaskClient, as_ada: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice)
    scenes.claim(job, worker="worker-77")
    assert "worker-77" not in text_of(as_alice, f"/jobs/{job.id}")
    assert "worker-77" not in text_of(as_alice, f"/jobs/{job.id}/live")
    assert "worker-77" in text_of(as_ada, f"/jobs/{job.id}")


def test_a_name_that_is_markup_stays_a_name(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    job.file_name = '<img src=x onerror=alert(1)>".xlsx'
    db.session.commit()
    for address in (f"/jobs/{job.id}", f"/jobs/{job.id}/live", f"/jobs/{job.id}/delete", f"/jobs/live?ids={job.id}"):
        assert "<img" not in as_alice.get(address).get_data(as_text=True)


def test_a_job_of_a_source_that_is_gone_still_has_a_page(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    job.source = "gone"
    db.session.commit()
    assert as_alice.get(f"/jobs/{job.id}").status_code == 200


def test_a_deleted_job_has_no_page(app: object, as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    commands.delete(job.id, alice.email, utcnow() + timedelta(0), app.extensions["storage"])  # type: ignore[attr-defined]
    assert as_alice.get(f"/jobs/{job.id}").status_code == 404


@pytest.mark.parametrize(
    ("scene", "tone", "words"),
    [
        (lambda job: job, "wait", "Queued"),
        (lambda job: scenes.claim(job), "busy", "In progress"),
        (lambda job: commands.pause(scenes.claim(job).id, "alice", utcnow()), "warn", "Paused"),
        (lambda job: commands.pause(job.id, "alice", utcnow()), "warn", "Paused"),
        (lambda job: scenes.busy(job, utcnow()), "soon", "Waiting"),
        (lambda job: scenes.failed(job, utcnow()), "soon", "Incomplete, retries at "),
        (lambda job: scenes.failed(job, utcnow(), final=True), "bad", "Incomplete"),
        (lambda job: scenes.timed_out(job), "warn", "Interrupted"),
        (lambda job: commands.cancel(job.id, "alice", utcnow()), "off", "Cancelled"),
    ],
)
def test_a_file_has_one_badge_that_does_not_contradict_itself(
    as_alice: FlaskClient, alice: User, make_job: MakeJob, scene: Callable[[ScrapingJob], object], tone: str, words: str
) -> None:
    job = make_job(alice, 5)
    scene(job)
    for address, where in ((f"/jobs/{job.id}", r"<h1 .*?</header>"), ("/", r'<tr id="job-row.*?</tr>')):
        part = re.search(where, text_of(as_alice, address), re.S)
        assert part
        badges = re.findall(r'class="badge" data-tone="(\w+)"[^>]*>(.*?)<', part[0])
        assert len(badges) == 1 and badges[0][0] == tone and badges[0][1].startswith(words), badges
    page = text_of(as_alice, f"/jobs/{job.id}")
    (says,) = re.findall(r'<div id="job-says"[^>]*>\s*(.*?)</div>', page, re.S)
    assert says.startswith(badges[0][1]), "what is heard is what is seen"
    (beside,) = re.findall(r'id="job-percent".*?</span>\s*<span[^>]*>\s*(.*?)</span>', page, re.S) or [""]
    assert (beside == "waiting") == (words == "Waiting")


def test_what_solves_the_matter_is_beside_the_headline_and_the_rest_is_folded(
    as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    page = text_of(as_alice, f"/jobs/{scenes.failed(make_job(alice, 5), final=True).id}")
    head = page[page.index('<header class="page-head"') : page.index("</header>", page.index("page-head"))]
    primary = re.findall(r'data-kind="primary"[^>]*>(?:<svg.*?</svg>)?(.*?)<', head, re.S)
    assert "Retry 4 numbers" in primary and not [words for words in primary if words.startswith("Download")]
    assert 'form="retry"' in head
    assert "/delete" in head[head.index('id="job-more"') :]
    assert '<details id="job-history"' in page and '<details class="card" id="job-file"' in page
    waiting = text_of(as_alice, f"/jobs/{make_job(alice, 5).id}")
    assert "/results" not in waiting, "nothing is ready to be downloaded"


def test_a_retry_that_found_all_is_not_hidden_behind_the_filter_of_what_it_was_for(
    as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = scenes.failed(make_job(alice, 3), found=2, final=True)
    commands.retry(job.id, job.round, alice.email, utcnow())
    scenes.claim(job, utcnow())
    scenes.answer(job, [Outcome.FOUND], utcnow())
    ScrapingJob.complete(job.id, job.attempt, utcnow())
    db.session.commit()
    page = text_of(as_alice, f"/jobs/{job.id}/live?v=old&outcome=failed")
    assert len(re.findall(r'data-label="Row">', page)) == 3 and "No matching rows" not in page
