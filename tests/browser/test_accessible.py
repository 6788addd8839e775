"""Nobody is shut out: every page in every state, light and dark, in both languages, wide and narrow, without a fault
that axe knows and without scrolling sideways. No colour depends on the language and no word on the theme, so that not
every page needs all eight of these; but each is seen in both themes, both languages and both widths."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from portal.accounts import make_setup_link
from portal.clock import utcnow
from portal.database import db
from portal.jobs.admin import operation_runner
from tests.browser.gallery import ADA, ALICE, BOB, Gallery, gallery, served
from tests.browser.looking import NARROW, WIDE, keep, sticking_out, uneven, violations
from tests.browser.tabs import Tabs, tabs_in
from tests.support import cast
from tests.support.cast import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
COLOURS = ("color-contrast", "link-in-text-block")
LOCALES = {"es": "es-ES", "en": "en-GB"}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    with gallery(tmp_path_factory.mktemp("gallery")) as made:
        yield made


@pytest.fixture(scope="module")
def cookies(portal: Gallery, chromium: Browser) -> dict[str, Any]:
    """Each person's cookies after signing in."""
    found: dict[str, Any] = {"": None}
    with tabs_in(chromium) as tabs:
        for email in (ALICE, BOB, ADA):
            page = tabs.open(portal.address)
            page.goto("/login")
            page.fill("[name=email]", email)
            page.fill("[name=password]", PASSWORD)
            page.click("main form button.btn")
            page.wait_for_url(portal.address + "/")
            found[email] = page.context.storage_state()
    return found


def profile(tabs: Tabs, portal: Gallery, state: Any, theme: str, language: str) -> BrowserContext:
    return tabs.profile(portal.address, storage_state=state, color_scheme=theme, locale=LOCALES[language])


def test_a_fault_would_be_seen(tabs: Tabs) -> None:
    page = tabs.open("http://127.0.0.1", viewport={"width": NARROW, "height": 900})
    page.set_content(
        "<main><p style='color: #ddd'>Good day</p><input><div class=x>wide</div></main><style>.x {width: 900px}</style>"
    )
    assert any(fault.startswith("label: <input") for fault in violations(page, within="main"))
    assert any(fault.startswith("color-contrast: <p") for fault in violations(page, rules=COLOURS))
    assert sticking_out(page) == ['<div class="x">wide</div>']


def test_what_is_not_level_would_be_seen(tabs: Tabs) -> None:
    page = tabs.open("http://127.0.0.1", viewport={"width": NARROW, "height": 900})
    page.set_content(
        "<main><div class=fields><p class=field><label>A</label><br><input></p><p class=field><br><label>B</label>"
        "<input></p></div><p class=row><svg class=icon></svg><span>alone</span></p><label class=tick>"
        "<input type=checkbox><span>C</span></label><div class=card><h2>D</h2><table><tr><th>E</table></div></main>"
        "<style>.fields {display: flex} .row > * {display: block} .icon {height: 9px} .field input {width: 50px}"
        ".tick {display: flex; height: 90px; align-items: end} .tick input {margin-bottom: 70px}</style>"
    )
    assert [fault.partition(":")[0] for fault in uneven(page)] == ["fields", "icon alone", "tick", "table"]


def test_axe_finds_nothing_and_nothing_sticks_out(portal: Gallery, cookies: dict[str, Any], tabs: Tabs) -> None:
    """Loading a page and bringing axe into it is what takes long, so that it is done once for each page: wide in one
    theme, then narrow in the other. The themes and the languages take turns, page by page."""
    tabs.forgive("status of 404")
    faults: list[str] = []
    for person in cookies:
        pages = {language: profile(tabs, portal, cookies[person], "light", language).new_page() for language in LOCALES}
        own = [(name, path) for name, (who, path) in portal.pages.items() if who == person]
        for place, (name, path) in enumerate(own):
            themes = ("light", "dark") if place % 2 else ("dark", "light")
            looked_at, other = ("es", "en") if place // 2 % 2 else ("en", "es")
            for language, page in pages.items():
                page.emulate_media(color_scheme=themes[0])
                page.set_viewport_size({"width": WIDE if language == looked_at else NARROW, "height": 900})
                page.goto(path)
                assert page.get_attribute("html", "lang") == language
            for theme, width in zip(themes, (WIDE, NARROW), strict=True):
                page = pages[looked_at]
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=theme)
                keep(page, f"{name}-{looked_at}-{theme}-{width}")
                found = [*violations(page), *(f"sticks out: {html}" for html in sticking_out(page)), *uneven(page)]
                faults += [f"{name} {looked_at} {theme} {width}: {fault}" for fault in found]
            faults += [f"{name} {other} {NARROW}: sticks out: {html}" for html in sticking_out(pages[other])]
        for page in pages.values():
            page.close()  # it would go on asking for news
    assert not faults, "\n".join(faults)


def test_what_unfolds_is_as_good_as_what_is_seen_at_once(portal: Gallery, cookies: dict[str, Any], tabs: Tabs) -> None:
    """Menus lie over one another and are looked at one by one; what else unfolds, all at once."""
    faults: list[str] = []
    folds = {"light": ("admin-a-job", "check-ready", "job-completed"), "dark": ("admin-jobs", "job-processing", "home")}
    closed = "details:not([open], .menu) > summary:visible"
    for theme, names in folds.items():
        for name in names:
            person, path = portal.pages[name]
            page = profile(tabs, portal, cookies[person], theme, "es").new_page()
            page.set_viewport_size({"width": NARROW, "height": 900})
            page.goto(path)

            def look(what: str, page: Page = page, name: str = name, theme: str = theme) -> None:
                keep(page, f"open-{name}-{what}-{theme}")
                found = [*violations(page, within="details[open]"), *sticking_out(page)]
                faults.extend(f"{name} {what}: {fault}" for fault in found)

            for place, menu in enumerate(page.locator("details.menu > summary:visible").all()):
                menu.click()
                look(f"menu-{place}")
                page.keyboard.press("Escape")
            unfolded = 0
            while page.locator(closed).count() and unfolded < 30:
                page.locator(closed).first.click()
                unfolded += 1
            assert unfolded
            look("all")
            page.close()
    assert not faults, "\n".join(faults)


def test_a_portal_without_anybody_is_as_good(tmp_path: Path, tabs: Tabs, usual_database: dict[str, str]) -> None:
    app = cast.make_app(tmp_path, **usual_database)
    with app.app_context():
        token = make_setup_link(utcnow())
        db.session.remove()
        with served(app) as address:
            for theme, width in (("light", WIDE), ("dark", NARROW)):
                page = tabs.open(address, locale="es-ES", color_scheme=theme, viewport={"width": width, "height": 900})
                for name, path in (("set-up", f"/setup/{token}"), ("login-new", "/login")):
                    page.goto(path)
                    expect(page.locator("main form")).to_be_visible()
                    keep(page, f"{name}-es-{theme}-{width}")
                    assert [*violations(page), *sticking_out(page)] == [], name
        db.engine.dispose()


def test_the_mistakes_that_people_make_are_announced(portal: Gallery, tabs: Tabs) -> None:
    tabs.forgive("status of 401")
    page = tabs.open(portal.address, locale="es-ES")
    page.goto("/login")
    page.fill("[name=email]", "nobody@example.com")
    page.fill("[name=password]", "wrong")
    page.check("[data-reveals]")
    expect(page.locator("[name=password]")).to_have_attribute("type", "text")
    page.click("main form button.btn")
    expect(page.locator("[role=alert]")).to_be_visible()
    keep(page, "login-wrong-es-light-1280")
    assert violations(page) == []


def test_the_keyboard_alone_reaches_the_content_and_the_menu(
    portal: Gallery, cookies: dict[str, Any], tabs: Tabs
) -> None:
    page = tabs.open(portal.address, storage_state=cookies[ALICE])
    page.goto("/account")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator(".top .menu > summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".top .menu-body")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".top .menu-body")).to_be_hidden()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_the_theme_and_the_language_are_chosen_by_plain_forms(
    portal: Gallery, cookies: dict[str, Any], tabs: Tabs
) -> None:
    page = tabs.open(portal.address, java_script_enabled=False, locale="es-ES")
    page.goto("/login?next=/account")
    assert page.get_attribute("html", "lang") == "es"
    page.click(".top .menu > summary")
    page.click("[name=locale][value=en]")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("h1")).to_have_text("Sign in")
    assert page.url.endswith("/login?next=/account"), "it comes back to where it was"
    page.click(".top .menu > summary")
    page.click("[name=theme][value=dark]")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_many_are_ticked_by_shift_and_by_the_keyboard_and_a_plan_comes_first(
    portal: Gallery, cookies: dict[str, Any], tabs: Tabs
) -> None:
    page = tabs.open(portal.address, storage_state=cookies[ADA], locale="es-ES")
    page.goto("/admin/jobs")
    boxes, ticked = page.locator("tbody input[type=checkbox]"), page.locator("tbody input:checked")
    bar = page.locator(".bulk-bar")
    expect(bar).to_be_hidden()
    boxes.nth(1).click()
    expect(bar).to_be_visible()
    boxes.nth(3).click(modifiers=["Shift"])
    expect(ticked).to_have_count(3)
    page.keyboard.press("Shift+ArrowDown")
    expect(ticked).to_have_count(4)
    expect(page.locator("[data-ticked]")).to_have_text("Seleccionados: 4")
    page.keyboard.press("Escape")
    expect(ticked).to_have_count(0)
    page.locator("[data-tick-all]").check()
    expect(ticked).to_have_count(boxes.count())
    page.click("button[name=verb][value=time_out]")
    expect(page.locator("h1")).to_have_text("Marcar como interrumpidos")
    keep(page, "admin-plan-es-light-1280")
    assert [*violations(page), *sticking_out(page)] == []


def test_pages_and_files_are_reached_by_the_keyboard_and_never_while_typing(
    portal: Gallery, cookies: dict[str, Any], tabs: Tabs
) -> None:
    page = tabs.open(portal.address, storage_state=cookies[ADA], locale="es-ES")
    page.goto("/help/shortcuts")
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.locator("h1")).to_have_text("Estadísticas")
    heights = page.locator(".plot .segment").evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect().height)")
    assert heights and all(height > 0.5 for height in heights), "the bars can be seen"
    page.keyboard.press("Control+k")
    field, found = page.locator("#palette-q"), page.locator("#palette-found a")
    expect(found.first).to_be_visible()
    page.keyboard.type("? g f lista")  # none of these keys leads anywhere now
    field.fill("lista de esp")
    expect(found.first).to_contain_text("lista de espera.csv")
    keep(page, "palette-es-light-1280")
    assert violations(page, within="#palette") == []
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('#palette-found a') !== null")
    page.keyboard.press("ArrowUp")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(found.first).to_contain_text("Resumen")
    field.fill("lista de esp")
    expect(found.first).to_contain_text("lista de espera.csv")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("lista de espera.csv")
    page.keyboard.press("?")
    page.locator("[data-shortcut-switch]").uncheck()
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(page.locator("#palette")).to_be_hidden()
    page.locator("[data-shortcut-switch]").check()
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(field).to_be_focused()


def test_an_operations_page_follows_it_to_its_end_and_then_asks_no_more(
    portal: Gallery, cookies: dict[str, Any], tabs: Tabs
) -> None:
    page = tabs.open(portal.address, storage_state=cookies[ADA])
    page.goto(portal.pages["admin-operation-begun"][1])
    expect(page.locator("#operation")).to_have_attribute("data-status", "waiting")
    operation_runner.work(int(page.url.rpartition("/")[2]))
    db.session.remove()
    expect(page.locator("#operation")).to_have_attribute("data-status", "done", timeout=15_000)
    assert page.get_attribute("#operation-poll", "hx-trigger") is None
    expect(page.locator("[data-why=completed]")).to_have_text("1")


def test_columns_are_put_in_order_by_the_keyboard_alone(portal: Gallery, cookies: dict[str, Any], tabs: Tabs) -> None:
    page = profile(tabs, portal, cookies[ALICE], "light", "es").new_page()
    page.goto(portal.pages["job-columns"][1])
    heads = page.locator("#columns table thead th")
    page.locator("#up-country").focus()
    for place in (3, 2):
        page.keyboard.press("Enter")
        expect(heads.nth(place)).to_have_text("País")
    assert page.evaluate("document.activeElement.id") == "up-country", "the next press moves it on"
    page.fill("#name-country", "=1+1")
    page.keyboard.press("Tab")
    expect(page.locator("#problem-country")).to_contain_text("fórmula")
    keep(page, "columns-refused-es-light-1280")
    assert [*violations(page), *sticking_out(page)] == []
    page.fill("#name-country", "De dónde")
    page.keyboard.press("Enter")
    expect(heads.nth(2)).to_have_text("De dónde")


def test_columns_are_chosen_without_javascript(portal: Gallery, cookies: dict[str, Any], tabs: Tabs) -> None:
    page = tabs.open(portal.address, java_script_enabled=False, locale="es-ES", storage_state=cookies[ALICE])
    page.goto(portal.pages["job-columns"][1])
    page.click("#up-country")
    expect(page.locator("#up-country"), "the next press moves it on").to_be_focused()
    page.fill("#name-country", "De dónde")
    page.uncheck("#on-line_type")
    page.click("noscript button")
    heads = page.locator("#columns table thead th")
    expect(heads).to_have_text(["Fila", "Teléfono", "Estado", "De dónde", "Operador de origen", "Motivo"])
    with page.expect_download() as coming:
        page.click("[name=do][value=download]")
    assert coming.value.failure() is None


@pytest.mark.parametrize("script", [True, False])
def test_another_source_is_added_with_and_without_javascript(
    portal: Gallery, cookies: dict[str, Any], tabs: Tabs, script: bool
) -> None:
    page = tabs.open(portal.address, java_script_enabled=script, locale="es-ES", storage_state=cookies[ALICE])
    page.set_viewport_size({"width": NARROW, "height": 900})
    page.goto(portal.pages["check-ready"][1])
    part = page.locator("[data-part=source]")
    part.locator("> summary").click()
    page.click("#add-source")
    expect(page.locator("[data-further]")).to_have_count(1)
    expect(part).to_have_attribute("open", "")
    expect(page.locator("#then-1")).to_have_value("directory")
    page.select_option("#then-mode-1", "beside")
    if not script:
        part.locator("button[name=recount]").first.click()
    expect(part.locator("> summary")).to_contain_text("y todos también en Guía de empresas")
    assert "then_mode=beside" in page.url
    if not script:
        part.locator("> summary").click()
    page.select_option("#then-1", "")
    if not script:
        part.locator("button[name=recount]").first.click()
    expect(page.locator("[data-further]")).to_have_count(0)
