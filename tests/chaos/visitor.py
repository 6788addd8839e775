"""A person at the pages while gunicorn is being killed: signs in, uploads a file, starts it, and takes the next one.

When a page does not come, this person does what people do: opens the portal again, looks whether the file is there, and
only if it is not, sends it again. What the portal has confirmed is noted, and must come back complete.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import requests
from lxml import html

from tests.support.cast import PASSWORD, mobile
from tests.support.client import EACH
from tests.support.journal import NAME

EMAIL = "visitor@example.com"
FIRST_PLACE = 5000  # of their numbers, above those of the client's jobs
ROWS = 25
TIMEOUT_SECONDS = 30.0  # for a page
AGAIN_SECONDS = 0.5  # before a page is opened again
OWN_FILE_SECONDS = 150.0  # for the file in hand after the storm


def file_name(place: int) -> str:
    return f"visit-{place}.csv"


def cells(place: int) -> list[str]:
    """The numbers of the file: a valid number each, none twice."""
    return [mobile((FIRST_PLACE + place) * EACH + n) for n in range(ROWS)]


class _Trouble(Exception):
    """A page did not come, or was not the one that was asked for."""


@dataclass
class Visitor(threading.Thread):
    """The thread. `uploaded` and `started` are the places of the files that the portal has confirmed."""

    address: str
    uploaded: list[int] = field(default_factory=list)
    started: list[int] = field(default_factory=list)
    troubles: int = 0
    last_trouble: str = ""

    def __post_init__(self) -> None:
        super().__init__(name="visitor", daemon=True)
        self._leave = threading.Event()
        self._deadline = float("inf")
        self._browser = requests.Session()
        self._browser.trust_env = False

    __hash__ = threading.Thread.__hash__

    def leave(self) -> None:
        """Finish the file in hand, take no other, and end."""
        self._deadline = time.monotonic() + OWN_FILE_SECONDS
        self._leave.set()

    def stop(self) -> None:
        """Drop the file in hand, and end."""
        self._deadline = 0.0
        self._leave.set()
        self.join(TIMEOUT_SECONDS + 5)

    def run(self) -> None:
        place = 0
        while not self._leave.is_set():
            self._insist(place)
            place += 1
            self._leave.wait(1.0)

    def _insist(self, place: int) -> None:
        """Upload and start one file, whatever goes wrong meanwhile."""
        while time.monotonic() < self._deadline:
            try:
                self._serve(place)
                return
            except (requests.RequestException, _Trouble) as error:
                self.troubles += 1
                self.last_trouble = repr(error)[:200]
                time.sleep(AGAIN_SECONDS)

    def _serve(self, place: int) -> None:
        home = self._page("/")
        if home.xpath("//input[@name='password']"):
            self._submit(home, "//form[.//input[@name='password']]", {"email": EMAIL, "password": PASSWORD})
            home = self._page("/")
        links = home.xpath(f"//a[contains(., '{file_name(place)}')]/@href")
        if links:
            address = links[0]
        else:
            content = "Teléfono\n" + "\n".join(cells(place)) + "\n"
            address = self._submit(home, "//form[@enctype]", {}, (file_name(place), content.encode(), "text/csv"))
        if place not in self.uploaded:
            self.uploaded.append(place)
        while "/jobs/" not in address:
            address = self._start(address)
        self.started.append(place)

    def _start(self, address: str) -> str:
        """Start the file on its check page; returns the address that the portal leads to."""
        page = self._page(address)
        if begun := page.xpath("//a[contains(@href, '/jobs/')]/@href"):  # started, although its answer got lost
            return str(begun[0])
        form = "//form[.//input[@name='begun']]"
        if not page.xpath(form):
            if not page.xpath("//*[@data-status='reading']"):
                raise _Trouble(" ".join(page.text_content().split())[:200])
            time.sleep(AGAIN_SECONDS)
            return address
        return self._submit(page, form, {"source": NAME})

    def _page(self, address: str) -> Any:
        answer = self._browser.get(self.address + address, timeout=TIMEOUT_SECONDS)
        if answer.status_code != 200:
            raise _Trouble(f"GET {address}: {answer.status_code}")
        return html.fromstring(answer.text)

    def _submit(self, page: Any, form: str, values: dict[str, str], file: tuple[str, bytes, str] | None = None) -> str:
        """Submit a form of a page; returns the address that the answer leads to."""
        found = page.xpath(form)
        if not found:
            raise _Trouble(f"no {form}")
        given = {name: value for name, value in found[0].form_values() if name != "recount"}
        answer = self._browser.post(
            self.address + found[0].get("action"), data={**given, **values}, files={"file": file} if file else None,
            allow_redirects=False, timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
        if answer.status_code not in (302, 303):
            raise _Trouble(f"POST {found[0].get('action')}: {answer.status_code}")
        return str(answer.headers["Location"])
