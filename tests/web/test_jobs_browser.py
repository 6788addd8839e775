"""The job's page in a real browser, while its job moves. alice owns the file."""

import re
import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from sqlalchemy import delete
from werkzeug.serving import make_server

from portal.accounts import LoginSession, User
from portal.clock import utcnow
from portal.database import db
from portal.jobs import commands
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from portal.web.live.hub import Hub
from tests import services
from tests.support import cast, scenes
from tests.support.chromium import ARGUMENTS, chromium_path

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MakeJob = Callable[..., ScrapingJob]


class Told:
    """Passes changes on at once, as Redis does."""

    def __init__(self, hub: Hub) -> None:
        self.announce = hub.heard


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The portal, which holds streams of events too."""
    app.config["WTF_CSRF_ENABLED"] = True
    hub = app.extensions["streams"] = Hub(app)
    hub.hears, app.extensions["announcer"] = True, Told(hub)
    rendering = threading.Thread(target=hub.run)
    rendering.start()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    hub.close()
    rendering.join()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What pages complain of in their console. A test that wants a complaint takes it out."""
    return []


@pytest.fixture
def page(address: str, alice: User, chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    """A page that alice has signed in with; a complaint in its console fails the test."""
    db.session.rollback()
    page = chromium.new_page(base_url=address, viewport={"width": 1000, "height": 900})
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/login")
    page.fill("[name=email]", "alice@example.com")
    page.fill("[name=password]", cast.PASSWORD)
    page.click("main button")
    page.wait_for_url(address + "/")
    yield page
    page.close()  # and with it its profile
    assert complaints == []


def visit(page: Page, job: ScrapingJob) -> None:
    """Open the job's page, and end the test's own transaction: it would keep the page's buttons waiting."""
    job_id = job.id
    db.session.rollback()
    page.goto(f"/jobs/{job_id}")


def end_of(job: ScrapingJob) -> None:
    ScrapingJob.complete(job.id, job.attempt, utcnow())
    db.session.commit()


def test_the_page_follows_the_job_to_its_end_without_disturbing_its_reader(
    page: Page, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice, 40)
    scenes.claim(job, utcnow())
    visit(page, job)
    page.evaluate("document.querySelector('#rows-q').value = '6120'; document.querySelector('#rows-q').focus()")
    page.locator("#job-cancel > summary").click()
    page.locator("#rows-q").focus()
    page.evaluate("window.notReloaded = true")
    scenes.answer(job, [Outcome.FOUND] * 20, utcnow())
    expect(page).to_have_title("50 % · clientes.xlsx · Masterfilter", timeout=15_000)
    expect(page.locator("#job-percent")).to_contain_text("20 of 40")
    expect(page.locator("#row-2-1-1 .badge, #row-2-0-1 .badge").first).to_have_text("Found")  # and the visible rows
    assert page.locator("#job-numbers .badge", has_text="Found").count() == 20
    ring = page.get_attribute("link[rel=icon]", "href") or ""
    assert "stroke-dasharray%3D%2250%20100%22" in ring
    assert page.evaluate("document.activeElement.id") == "rows-q"
    assert page.input_value("#rows-q") == "6120"
    assert page.evaluate("document.querySelector('#job-cancel').open")
    scenes.answer(job, [Outcome.FOUND] * 20, utcnow())
    end_of(job)
    expect(page.locator("#job-live")).to_have_attribute("data-status", "completed", timeout=15_000)
    expect(page).to_have_title("✓ Done · clientes.xlsx · Masterfilter")
    expect(page.locator("#job-says")).to_contain_text("Completed")
    assert page.get_attribute("#job-poll", "hx-trigger") is None
    expect(page.locator("#rows-preparing")).to_have_count(0)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2300)  # what must not come cannot be waited for
    assert asked == []
    assert page.evaluate("window.notReloaded")


def focus_of(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.tagName"))


def test_buttons_answer_in_place_and_the_focus_stays_beside_them(page: Page, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, 5)
    visit(page, job)
    page.evaluate("window.notReloaded = true")
    page.focus("#do-pause")
    page.keyboard.press("Enter")
    expect(page.locator("#do-resume")).to_be_focused(timeout=15_000)
    expect(page.locator("#toasts .toast")).to_contain_text("Paused")
    page.keyboard.press("Enter")
    expect(page.locator("#do-pause")).to_be_focused(timeout=15_000)
    page.focus("#do-pause")
    commands.pause(job.id, "alice@example.com", utcnow())  # in another window
    expect(page.locator("#do-resume")).to_be_focused(timeout=15_000)
    assert page.evaluate("window.notReloaded")


def test_the_retry_counts_what_is_ticked(page: Page, alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice, 8), found=3, reasons=("temporary", "temporary", "blocked"), final=True)
    visit(page, job)
    expect(page.locator("#do-retry")).to_contain_text("Retry 4 numbers")
    page.locator("[name=reasons][value=blocked]").check()
    expect(page.locator("#do-retry")).to_contain_text("Retry 5 numbers", timeout=15_000)
    page.locator("[name=reasons][value=temporary]").uncheck()
    expect(page.locator("#do-retry")).to_contain_text("Retry 3 numbers", timeout=15_000)
    assert page.locator("[name=reasons][value=blocked]").is_checked()
    page.focus("#do-retry")
    page.keyboard.press("Enter")
    expect(page.locator("#job-live")).to_have_attribute("data-status", "retrying", timeout=15_000)
    expect(page.locator("#job-name")).to_be_focused()  # the button is gone, with all that was around it
    db.session.rollback()
    assert db.session.get_one(ScrapingJob, job.id, populate_existing=True).waiting_numbers == 3


def test_the_list_follows_its_jobs(page: Page, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, 5)
    page.goto("/")
    row = page.locator(f"#job-row-{job.id}")
    db.session.rollback()
    expect(row).to_have_attribute("data-status", "pending")
    scenes.completed(job, utcnow())
    expect(row).to_have_attribute("data-status", "completed", timeout=15_000)
    expect(page.locator("#toasts .toast")).to_contain_text("clientes.xlsx · Completed")
    assert page.get_attribute("#jobs-poll", "hx-trigger") is None
    newer = make_job(alice, 5)  # in another window
    expect(page.locator(f"#job-row-{newer.id}")).to_be_visible(timeout=15_000)


@pytest.mark.parametrize("answer", ["503", "204", "refused", "held back"])
def test_without_a_stream_the_page_polls(
    page: Page, alice: User, make_job: MakeJob, complaints: list[str], answer: str
) -> None:
    job = make_job(alice, 4)
    scenes.claim(job, utcnow())

    def instead(route: Route) -> None:
        if answer == "refused":
            route.abort("connectionrefused")
        elif answer != "held back":  # as a proxy does that waits for the end of an answer
            route.fulfill(status=int(answer))

    page.route("**/events?*", instead)
    with page.expect_request("**/events?*"):
        visit(page, job)
    scenes.answer(job, [Outcome.FOUND] * 2, utcnow())
    expect(page).to_have_title("50 % · clientes.xlsx · Masterfilter", timeout=15_000)
    assert page.locator("#job-numbers .badge", has_text="Found").count() == 2
    if answer == "refused":
        page.unroute("**/events?*")  # and it comes back by itself
        with page.expect_response("**/events?*", timeout=15_000):
            pass
    complaints[:] = [text for text in complaints if "Failed to load resource" not in text]


def test_a_session_that_has_ended_leads_to_the_login_page_and_back(
    page: Page, address: str, alice: User, make_job: MakeJob, complaints: list[str]
) -> None:
    job = make_job(alice, 4)
    scenes.claim(job, utcnow())
    visit(page, job)
    with page.context.expect_page() as opened:  # a duplicate of the tab
        page.evaluate("window.open(location.href)")
    page.goto("/account")
    db.session.execute(delete(LoginSession))  # as it is after a night
    db.session.commit()
    page.go_back()
    page.wait_for_url(f"{address}/login?next=/jobs/{job.id}", timeout=15_000)
    expect(page.locator("#job-live")).to_have_count(0)
    opened.value.wait_for_url(f"{address}/login?next=/jobs/{job.id}*", timeout=15_000)
    complaints[:] = [text for text in complaints if "Failed to load resource" not in text]


def test_who_asked_for_it_is_told_on_the_screen_when_the_file_has_ended(
    page: Page, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice, 2)
    scenes.claim(job, utcnow())
    page.add_init_script(
        "window.told = []; window.Notification = class extends EventTarget {"
        " static permission = 'granted';"
        " constructor(title, options) { super(); window.told.push([title, options.body]); } close() {} };"
    )
    visit(page, job)
    page.click("button[data-notify]")
    expect(page.get_by_text("This browser will notify you when it finishes")).to_be_visible()
    assert page.evaluate("window.told") == []
    scenes.answer(job, [Outcome.FOUND] * 2, utcnow())
    end_of(job)
    expect(page.locator("#job-live")).to_have_attribute("data-status", "completed", timeout=15_000)
    services.wait_until(lambda: page.evaluate("window.told.length") == 1, 5, "the browser has told it once")
    ((title, body),) = page.evaluate("window.told")
    assert title == "clientes.xlsx" and body.startswith("Done: 2 of 2 numbers have data.")
    expect(page.get_by_text("This browser will notify you when it finishes")).to_have_count(0)


def test_nobody_is_offered_to_be_told_of_what_has_ended(page: Page, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, 2)
    scenes.claim(job, utcnow())
    # As in a browser with windows whose owner was never asked; without windows, nobody can be.
    page.add_init_script("Object.defineProperty(Notification, 'permission', {get: () => 'default'});")
    visit(page, job)
    expect(page.locator("button[data-notify]")).to_be_visible()
    scenes.answer(job, [Outcome.FOUND] * 2, utcnow())
    end_of(job)
    expect(page.locator("#job-live")).to_have_attribute("data-status", "completed", timeout=15_000)
    expect(page.locator("button[data-notify]")).to_be_hidden()


def test_the_figures_stay_within_the_page_when_each_of_them_is_a_few_words(
    page: Page, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice, 2)
    scenes.claim(job, utcnow())
    scenes.answer(job, [Outcome.FOUND] * 2, utcnow())
    end_of(job)
    alice.is_admin, alice.locale = True, "es"
    db.session.commit()
    page.goto("/admin/metrics")
    assert page.get_by_text("menos de 1 segundo").count() > 3
    for width in (1280, 800, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


def test_rows_are_searched_ordered_and_paged_without_losing_the_focus_and_printed_on_two_sheets(
    page: Page, alice: User, make_job: MakeJob
) -> None:
    job = scenes.completed(make_job(alice, 120))
    visit(page, job)
    page.evaluate("window.notReloaded = true")
    page.press("#sort-number", "Enter")
    expect(page.locator("th[aria-sort=ascending] #sort-number")).to_be_focused()
    page.press("#rows-next", "Enter")
    expect(page.locator(".pager p")).to_have_text("Rows 51–100 of 120")
    expect(page.locator("#rows-next")).to_be_focused()
    assert page.url.endswith("sort=number&page=2#rows")
    page.press("#rows-last", "Enter")
    expect(page.locator("#rows-found :focus")).to_have_count(1)  # there is no last page after the last one
    page.locator("#rows-q").press_sequentially("6120000")
    expect(page.locator(".pager p")).to_contain_text("Rows 1–")
    expect(page.locator("#rows-q")).to_be_focused()
    assert page.input_value("#rows-q") == "6120000" and "612" not in page.url
    assert page.evaluate("window.notReloaded")
    page.goto(page.url.partition("?")[0])
    assert len(re.findall(rb"/Type /Page\b", page.pdf(format="A4"))) <= 2
