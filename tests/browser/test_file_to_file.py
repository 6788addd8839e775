"""From file to file, in a browser, through the whole portal: set-up address, upload, check, start, watch, download."""

import csv
import re
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.browser import lists
from tests.browser.tabs import Tabs
from tests.browser.walking import (
    Rows,
    download,
    download_csv,
    download_excel,
    figures,
    rows_of,
    start,
    sums,
    upload,
    wait_for,
)
from tests.documents.sheets import FIXTURES
from tests.runner.portal_process import Portal
from tests.services import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(400)]

# Every status and every progress that the page shows from now on, without asking it again and again.
WATCH = """() => {
  window.notReloaded = true;
  window.seen = [];
  const look = () => {
    const job = document.getElementById("job-live");
    const now = `${job.dataset.status} ${job.querySelector("progress")?.value ?? 100}`;
    if (window.seen.at(-1) !== now) window.seen.push(now);
  };
  look();
  const all = {subtree: true, childList: true, attributes: true};
  new MutationObserver(look).observe(document.querySelector("main"), all);
}"""


@pytest.fixture
def page(tabs: Tabs, here: str, signed_in: Any) -> Page:
    """A page of the portal's first admin."""
    return tabs.open(here, storage_state=signed_in)


@contextmanager
def stopped(portal: Portal) -> Iterator[None]:
    """Meanwhile the worker that looks numbers up stands still, wherever it is, and its horse with it."""
    workers = [process for process in portal.living() if process.cmdline()[-2:] == ["worker.py", "scrape"]]
    assert workers

    def stand_still() -> bool:
        tell(workers, signal.SIGSTOP)
        if nobody_writes(portal):
            return True
        tell(workers, signal.SIGCONT)  # in the middle of a transaction it would keep everybody waiting
        return False

    try:
        wait_until(stand_still, 30, "the worker stands still between two transactions")
        yield
    finally:
        tell(workers, signal.SIGCONT)


def tell(processes: list[psutil.Process], what: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(what)
        except psutil.NoSuchProcess:
            continue


def nobody_writes(portal: Portal) -> bool:
    """Whether no process of the portal would be stopped while it holds a lock that others need."""
    if portal.database:
        others = "datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL"
        return portal.query(f"SELECT count(*) FROM pg_stat_activity WHERE {others}") == [(0,)]
    with closing(sqlite3.connect(portal.data_dir / "masterfilter.db", timeout=1, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def ready(portal: Portal, job_id: int) -> int:
    """How many rows of a job are ready, as the database has it."""
    return int(portal.query("SELECT processed_numbers FROM scraping_jobs WHERE id = ?", job_id)[0][0])


def complete(rows: Rows, header_row: int, original: Rows, number_column: int) -> Counter[str]:
    """The file has the same rows, order and columns as the original, and each row below the header has one of its
    status words; how many rows have each."""
    width = max(map(len, original))
    assert len(rows) == len(original)
    for place, (row, given) in enumerate(zip(rows, original, strict=True)):
        given = given + [None] * (width - len(given))
        as_text = type(row[number_column]) is str  # in a new workbook; in the person's own a number stays one
        if as_text and place >= header_row and type(given[number_column]) in (int, float):
            number = given[number_column]
            given[number_column] = str(int(number) if number == int(number) else number)  # in text it stays whole
        assert row[:width] == given, place
    assert rows[header_row - 1][width] == "Status"
    return Counter(str(row[width]) for row in rows[header_row:])


def test_the_set_up_address_works_once(tabs: Tabs, set_up_address: str, signed_in: Any, here: str) -> None:
    page = tabs.open(here)
    tabs.forgive("status of 404")
    page.goto(set_up_address)
    expect(page.locator("[role=alert]")).to_contain_text("This link has expired")
    assert page.locator("[name=password]").count() == 0


def test_five_thousand_rows_are_followed_to_their_end_and_come_back_complete(
    page: Page, portal: Portal, tmp_path: Path
) -> None:
    made = lists.long_list()
    path = lists.xlsx(tmp_path / "clientes.xlsx", [lists.HEAD, *made.rows])
    upload(page, path)
    assert figures(page) == {
        "to_look_up": made.different, "duplicates": made.duplicates, "invalid": made.invalid, "blank": made.blank,
    }  # fmt: skip
    assert page.input_value("[name=column]:checked") == str(lists.NUMBER_COLUMN)
    assert page.input_value("#header_row") == "1"

    with stopped(portal):
        start(page)
        page.evaluate(WATCH)
        wait_for(page, "pending")
    job_id = int(page.url.rsplit("/", 1)[1])
    at_once = made.invalid + made.blank  # needs nobody
    wait_until(lambda: ready(portal, job_id) > at_once, 60, "the first rows are in")
    with stopped(portal):
        if ready(portal, job_id) < lists.ROWS:  # a machine that is faster than that shows no half
            expect(page.locator("#job-live")).to_have_attribute("data-status", "processing")
            half = complete(rows_of(download(page)), 1, [lists.HEAD, *made.rows], lists.NUMBER_COLUMN)
            assert 0 < half["To look up"] < made.found and half["Found"] > 0
    wait_for(page, "completed")
    assert page.evaluate("window.notReloaded"), "the page was never loaded anew"
    seen = page.evaluate("window.seen")
    assert seen[0].startswith("pending ") and seen[-1] == "completed 100"
    assert len(seen) > 2, seen

    on_page = sums(page)
    assert on_page == {"Found": made.found, "Invalid": made.invalid, "Blank": made.blank}
    original = rows_of(path)
    assert complete(rows_of(download(page)), 1, original, lists.NUMBER_COLUMN) == on_page
    lines = list(csv.reader(download_csv(page).splitlines()))
    assert lines[0][: len(lists.HEAD)] == lists.HEAD
    assert Counter(line[len(lists.HEAD)] for line in lines[1:]) == on_page
    assert [line[0] for line in lines[1:]] == [row[0] for row in made.rows]


CLIENTES: Rows = [  # what tests/fixtures/README.md says of clientes.*; its date is looked at apart
    ["Listado de clientes 2026"], [],
    ["Nombre", "Teléfono", "Alta"],
    ["Ana", 612345678], ["Luis", "0034 698 76 54 32"], ["José", "+34 912 34 56 78"], ["Marta"],
    ["Iñaki", "sin teléfono"], ["Ana", "612345678"],
]  # fmt: skip


@pytest.mark.parametrize("ending", ["xls", "xlsb", "ods"])
def test_the_other_kinds_of_workbook_come_back_complete(page: Page, ending: str) -> None:
    upload(page, FIXTURES / f"clientes.{ending}")
    assert figures(page) == {"to_look_up": 3, "duplicates": 1, "invalid": 1, "blank": 1}
    start(page)
    wait_for(page, "completed")
    assert sums(page) == {"Found": 4, "Invalid": 1, "Blank": 1}
    rows = rows_of(download_excel(page))
    assert str(rows[3][2]).startswith("2026-01-31")
    original = [row + [None] * (3 - len(row)) for row in CLIENTES]
    original[3][2] = rows[3][2]
    assert complete(rows, 3, original, 1) == sums(page)


@pytest.mark.parametrize(("name", "delimiter", "encoding"), [("a.csv", ";", "cp1252"), ("a.tsv", "\t", "utf-8")])
def test_text_files_come_back_complete(page: Page, tmp_path: Path, name: str, delimiter: str, encoding: str) -> None:
    upload(page, lists.delimited(tmp_path / name, delimiter, encoding))
    assert figures(page) == {"to_look_up": 2, "duplicates": 1, "invalid": 1, "blank": 1}
    start(page)
    wait_for(page, "completed")
    original: Rows = [[cell or None for cell in row] for row in lists.SMALL]
    own = download(page).read_bytes().splitlines()
    assert all(new.startswith(old) for new, old in zip(own, (tmp_path / name).read_bytes().splitlines(), strict=True))
    assert (
        complete(rows_of(download_excel(page)), 1, original, 1) == sums(page) == {"Found": 3, "Invalid": 1, "Blank": 1}
    )


def test_a_sheet_among_others_with_a_title_hidden_rows_and_merged_cells(page: Page, tmp_path: Path) -> None:
    upload(page, lists.tricky(tmp_path / "contactos.xlsx"))
    if page.locator("#sheet option:checked").inner_text().strip() != "Contactos":
        page.click("[data-part=sheet] > summary")
        page.select_option("#sheet", label="Contactos")
    expect(page.locator(".card-head:has(#sample-title) p")).to_contain_text("Contactos")
    expect(page.locator("#header_row")).to_have_value("4")
    expect(page.locator("[name=column]:checked")).to_have_value("1")
    assert figures(page) == {"to_look_up": 3, "duplicates": 1, "invalid": 0, "blank": 1}
    start(page)
    wait_for(page, "completed")
    path = download(page)
    assert complete(rows_of(path, "Contactos"), 4, lists.TRICKY, 1) == sums(page) == {"Found": 4, "Blank": 1}


def test_a_click_on_a_heading_or_a_key_ticks_its_column(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "dos.csv"
    path.write_text("Nombre;Fijo;Móvil\nAna;912345678;612345678\nLuis;;622345678 / 632345678\n")
    upload(page, path)
    ticked = page.locator("[name=column]:checked")
    expect(ticked).to_have_count(2)
    assert figures(page)["to_look_up"] == 4
    page.locator("table.sheet thead label", has_text="Fijo").click()
    expect(page.locator("[data-figure=to_look_up] b")).to_have_text("3")
    expect(ticked).to_have_value("2")
    page.click("[data-part=column] > summary")
    page.locator("#column-1").press("Space")
    expect(page.locator("[data-figure=to_look_up] b")).to_have_text("4")
    expect(page.locator("#column-1")).to_be_focused()
    wide = page.viewport_size
    assert wide
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.set_viewport_size(wide)
    start(page)
    wait_for(page, "completed")
    rows = rows_of(download_excel(page))
    assert rows[0][3] == "Fijo: status" and "Móvil: status" in rows[0]
    assert rows[1][3] == "Found" and rows[2][3] is None


def test_a_choice_keeps_its_part_open_however_quick_it_is(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "dos.csv"
    path.write_text("Nombre;Fijo;Móvil\nAna;912345678;612345678\n")
    upload(page, path)
    # In one go, so that the browser has not said yet that the part is open.
    page.evaluate("""() => {
        document.querySelector("[data-part=column]").open = true;
        document.getElementById("column-1").focus();
        document.getElementById("column-1").click();
    }""")
    expect(page.locator("[data-figure=to_look_up] b")).to_have_text("1")
    expect(page.locator("[data-part=column]")).to_have_attribute("open", "")
    expect(page.locator("#column-1")).to_be_focused()


def test_without_a_script_a_file_is_walked_through_by_forms(
    tabs: Tabs, here: str, signed_in: Any, tmp_path: Path
) -> None:
    page = tabs.open(here, storage_state=signed_in, java_script_enabled=False)
    upload(page, lists.delimited(tmp_path / "sin guion.csv", ";", "utf-8"))  # the page loads itself until it is read
    page.click("[data-part=country] > summary")
    page.select_option("#country", "FR")
    page.click("[data-part=country] [name=recount]")
    page.wait_for_url(re.compile("country=FR"))
    assert page.input_value("#country") == "FR"
    assert figures(page)["duplicates"] == 0, "in France, 612 34 56 78 is not the number that +34 612 34 56 78 is"
    start(page)
    wait_for(page, "completed")
    assert sum(sums(page).values()) == 5
    assert len(rows_of(download_excel(page))) == 6


DROP = """(names) => {
  const dropped = new DataTransfer();
  for (const [name, text] of names) dropped.items.add(new File([text], name));
  const event = (kind) => new DragEvent(kind, {dataTransfer: dropped, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event("dragenter"));
  document.body.dispatchEvent(event("drop"));
}"""


def test_several_files_dropped_on_any_page_are_checked_and_started_together(page: Page, tabs: Tabs) -> None:
    tabs.forgive("status of 422")
    page.goto("/account")
    texts = [[f"{zone}.csv", f"Nombre;Teléfono\nAna;{lists.mobile(n)}\n"] for n, zone in enumerate(("norte", "sur"))]
    page.evaluate(DROP, [*texts, ["fotos.png", "x"]])
    expect(page.locator("#drop-dialog [role=alert]")).to_contain_text("fotos.png")
    page.click("#drop-dialog [role=alert] a")
    page.wait_for_url(re.compile(r"/documents\?ids=\d+,\d+$"))
    expect(page.locator(".check-card input:checked")).to_have_count(2)  # once both are read
    page.click(".start-bar button")
    page.wait_for_url(re.compile("/$"))
    rows = page.locator("#jobs tr", has_text=re.compile("norte|sur"))
    expect(rows).to_have_count(2)
    for n in range(2):
        expect(rows.nth(n)).to_have_attribute("data-status", "completed")
        rows.nth(n).locator("input").check()
    with page.expect_download() as coming:
        page.click(".bulk .for-jobs")
    assert coming.value.suggested_filename.endswith(".zip")
    page.click(".bulk [formaction='/jobs/delete']")
    expect(rows).to_have_count(0)
    page.click(".undo button")
    page.wait_for_url(re.compile("/$"))
    expect(rows).to_have_count(2)


def test_without_a_script_several_files_are_uploaded_and_started(
    tabs: Tabs, here: str, signed_in: Any, tmp_path: Path
) -> None:
    page = tabs.open(here, storage_state=signed_in, java_script_enabled=False)
    page.goto("/")
    page.set_input_files("#file", [lists.delimited(tmp_path / f"{name}.csv", ";", "utf-8") for name in ("uno", "dos")])
    page.click("form[enctype] button")
    page.wait_for_url(re.compile(r"/documents\?ids="))
    expect(page.locator(".check-card .btn")).to_have_count(2)
    for box in page.locator(".check-card input").all():
        box.check()
    page.click(".start-bar button")
    page.wait_for_url(re.compile("/$"))
    page.click("#jobs tr:has-text('dos') th a")
    page.click(".edit > summary")
    page.fill("[name=labels]", "prueba")
    page.click(".edit form button")
    expect(page.locator(".about .label")).to_have_text("prueba")


def test_what_is_no_spreadsheet_is_told_on_the_spot(page: Page, tabs: Tabs, tmp_path: Path) -> None:
    (tmp_path / "really_a_png.xlsx").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\x00" * 400)
    tabs.forgive("status of 422")
    page.goto("/")
    page.evaluate("window.notReloaded = true")
    page.set_input_files("#file", tmp_path / "really_a_png.xlsx")
    expect(page.locator("[role=alert]")).to_be_visible()
    assert page.locator("[role=alert]").inner_text().strip()


def test_the_sample_walks_through_with_one_press(tabs: Tabs, here: str, signed_in: Any) -> None:
    page = tabs.open(here, storage_state=signed_in, reduced_motion="no-preference")  # else it waits for a press
    page.goto("/help/first-file")
    page.click("form[action='/documents/sample'] button")
    page.wait_for_url(re.compile(r"/documents/\d+\?"))
    expect(page.locator("[data-sample]")).to_be_visible()
    page.wait_for_url(re.compile(r"/jobs/\d+"))
    wait_for(page, "completed")
    expect(page.locator("h1")).to_have_text("example.xlsx")
