"""A job that fails and is tried again, seen from its page: real workers, a real Valkey, and a source that fails as it
is told. alice owns the file.

The test sweeps by itself, so that every attempt can be looked at for as long as it takes.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from portal.database import db
from tests.browser.gallery import ALICE, served
from tests.browser.tabs import Tabs
from tests.browser.walking import download, rows_of, sums, wait_for
from tests.services import wait_until
from tests.support import cast
from tests.support.preloaded import Preloaded
from tests.support.world import World, world

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
ROWS = 40
POISON = {"JOURNAL_POISON": "[05]$"}  # 8 of the 40 numbers fail for as long as such a worker has the job
POISONED = 8
HOUR = 3600.0


@pytest.fixture
def place(tmp_path: Path, forks: Preloaded) -> Iterator[World]:
    # A lease that outlasts the slowest machine: nobody here is lost. An hour before the first retry: it is the test's.
    with world(tmp_path, forks, SCRAPING_LEASE_SECONDS="60", SCRAPING_RETRY_SECONDS="3600") as place:
        yield place


@pytest.fixture
def here(place: World) -> Iterator[str]:
    place.app.config["WTF_CSRF_ENABLED"] = True
    with served(place.app) as address:
        yield address


def job_of_alice(place: World, **columns: int) -> int:
    job_id = place.make_job(cast.make_user(ALICE), ROWS, push=False)
    for column, value in columns.items():
        db.session.execute(db.text(f"UPDATE scraping_jobs SET {column} = {value} WHERE id = {job_id}"))
    db.session.commit()
    return job_id


def signed_in(tabs: Tabs, address: str) -> Page:
    page = tabs.open(address)
    page.goto("/login")
    page.fill("[name=email]", ALICE)
    page.fill("[name=password]", cast.PASSWORD)
    page.click("main form button.btn")
    page.wait_for_url(address + "/")
    return page


def sweep(place: World, ahead_seconds: float = 0.0) -> None:
    place.sweep(ahead_seconds)
    db.session.rollback()


def worker_for_one_attempt(place: World, **more: str) -> None:
    """A worker takes the job, comes to the end of it and is gone."""
    worker = place.start("scrape", **more)
    attempts = len(ended(place))
    wait_until(lambda: len(ended(place)) > attempts, 60, "the attempt ends")
    worker.kill()


def ended(place: World) -> list[tuple[object, ...]]:
    return place.query('SELECT attempt, "end" FROM attempts WHERE ended_at IS NOT NULL ORDER BY attempt')


def attempt_lines(page: Page) -> list[str]:
    return [line.inner_text() for line in page.locator("#job-attempts li > span:first-child").all()]


def test_a_job_that_fails_twice_and_then_succeeds_is_followed_from_attempt_to_attempt(
    place: World, here: str, tabs: Tabs
) -> None:
    job_id = job_of_alice(place)
    page = signed_in(tabs, here)
    page.goto(f"/jobs/{job_id}")
    page.evaluate("window.notReloaded = true")
    wait_for(page, "pending")
    sweep(place)  # pushes what waits and is not in Redis

    worker_for_one_attempt(place, **POISON)
    wait_for(page, "failed")
    expect(page.locator("#job-summary")).to_contain_text("We will try again automatically")
    expect(page.locator("#job-cause")).to_contain_text("automatic retry 1 of 3")
    assert sums(page) == {"Found": ROWS - POISONED, "No answer": POISONED}

    sweep(place, ahead_seconds=2 * HOUR)
    wait_for(page, "retrying")
    worker_for_one_attempt(place, **POISON)
    expect(page.locator("#job-cause")).to_contain_text("automatic retry 2 of 3")
    wait_for(page, "failed")

    sweep(place, ahead_seconds=9 * HOUR)
    worker_for_one_attempt(place)
    wait_for(page, "completed")
    assert page.evaluate("window.notReloaded"), "the page was never loaded anew"
    expect(page.locator("#job-cause")).to_have_count(0)
    page.click("#job-history > summary")
    page.click("#job-attempts > summary")
    assert attempt_lines(page) == ["Attempt 3: completed", "Attempt 2: failed", "Attempt 1: failed"]
    assert sums(page) == {"Found": ROWS}
    rows = rows_of(download(page))
    assert [row[1] for row in rows[1:]] == ["Found"] * ROWS
    asked = place.journal.count()
    assert sorted(asked.values()) == [1] * (ROWS - POISONED) + [3] * POISONED, "what was ready was not asked again"


def test_the_retry_button_does_what_it_says_and_pressed_twice_starts_one_attempt(
    place: World, here: str, tabs: Tabs
) -> None:
    job_id = job_of_alice(place, max_retries=0)
    sweep(place)
    worker_for_one_attempt(place, **POISON)
    page = signed_in(tabs, here)
    page.goto(f"/jobs/{job_id}")
    wait_for(page, "failed")
    expect(page.locator("#job-summary")).to_contain_text(f"{POISONED} numbers have no answer yet")
    other_tab = page.context.new_page()
    other_tab.goto(f"/jobs/{job_id}")
    expect(page.locator("#do-retry")).to_have_text(f"Retry {POISONED} numbers")
    asked_before = place.journal.size()

    page.locator("#do-retry").dblclick()
    wait_for(page, "retrying")
    expect(page.locator(".toast").first).to_contain_text(f"{POISONED} numbers are being looked up again")
    other_tab.click("#do-retry")  # drawn before the first press
    expect(other_tab.locator(".toast")).to_contain_text("Nothing was changed")
    assert place.query("SELECT count(*) FROM events WHERE kind = 'retried'") == [(1,)]

    worker_for_one_attempt(place)
    for tab in (page, other_tab):
        wait_for(tab, "completed")
        assert sums(tab) == {"Found": ROWS}
    assert ended(place) == [(1, "failed"), (2, "completed")]
    asked = place.journal.count(asked_before)
    assert len(asked) == POISONED and set(asked.values()) == {1}, "only what the button said, each once"


def test_a_double_click_without_a_script_starts_one_attempt_too(place: World, here: str, tabs: Tabs) -> None:
    job_id = job_of_alice(place, max_retries=0)
    sweep(place)
    worker_for_one_attempt(place, **POISON)
    cookies = signed_in(tabs, here).context.storage_state()
    page = tabs.open(here, storage_state=cookies, java_script_enabled=False)
    page.goto(f"/jobs/{job_id}")
    page.locator("#do-retry").dblclick()
    wait_for(page, "retrying")
    assert place.query("SELECT count(*) FROM events WHERE kind = 'retried'") == [(1,)]
    page.click("#job-cancel > summary")
    page.click("#do-cancel")
    wait_for(page, "cancelled")
    assert sums(page) == {"Found": ROWS - POISONED, "To look up": POISONED}, "what was ready is kept"
    page.click("#do-retry")
    wait_for(page, "retrying")
    assert place.query("SELECT count(*) FROM events WHERE kind = 'retried'") == [(2,)]
