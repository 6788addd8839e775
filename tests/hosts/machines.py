"""Several machines of one portal: each a group of processes with a folder and a network of its own.

They share one PostgreSQL, one Valkey and one bucket. A machine's network can be cut: its processes live on and reach
nothing.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from lxml import html

from tests import services
from tests.support import cast
from tests.support.cast import PASSWORD
from tests.support.doors import Door
from tests.support.preloaded import Preloaded
from tests.support.s3 import KEYS, S3Server
from tests.support.world import Process, World, world

EMAIL = "alice@example.com"
SECRET_KEY = "the same on all machines, of 32 characters or more"
WORK = ("intake", "scrape", "sweep", "scheduler")
LEASE_SECONDS = 3


@dataclass
class Machine:
    """One machine. `get` and `post` are a browser's, of a person who is signed in."""

    name: str
    portal: World
    folder: Path
    port: int
    environ: dict[str, str]
    doors: list[Door]
    processes: list[Process] = field(default_factory=list)
    browser: requests.Session = field(default_factory=requests.Session)

    def start(self, *roles: str, **more: str) -> list[Process]:
        started = [self.portal.start(role, **{**self.environ, **more}) for role in roles]
        self.processes += started
        return started

    def cut_off(self) -> None:
        for door in self.doors:
            door.shut()

    def connect(self) -> None:
        for door in self.doors:
            door.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.browser.get(self.url + path, timeout=30, **more)

    def post(self, path: str, data: dict[str, str] | None = None, **more: Any) -> requests.Response:
        token = html.fromstring(self.get("/").text).xpath("//input[@name='csrf_token']/@value")[0]
        return self.browser.post(self.url + path, data={"csrf_token": token, **(data or {})}, timeout=60,
                                 allow_redirects=False, **more)  # fmt: skip

    def missing(self) -> list[str] | None:
        """What /readyz says is missing; None while the pages do not answer."""
        try:
            return list(requests.get(f"{self.url}/readyz", timeout=20).json()["missing"])
        except requests.RequestException:
            return None

    def sign_in(self) -> None:
        page = html.fromstring(self.get("/login").text)
        form = dict(page.xpath("//form[.//input[@name='password']]")[0].form_values())
        answer = self.browser.post(f"{self.url}/login", data={**form, "email": EMAIL, "password": PASSWORD}, timeout=30)
        assert answer.ok, answer.status_code

    def upload(self, name: str, content: bytes) -> str:
        """The path of the check page."""
        answer = self.post("/documents", files={"file": (name, content)})
        assert answer.status_code == 303, answer.text[:500]
        return answer.headers["Location"]

    def wait_ready(self, path: str) -> str:
        """The check page once the file is read."""
        form = "//form[.//input[@name='begun']]"

        def page() -> str:
            answer = self.get(path)
            return answer.text if answer.ok and html.fromstring(answer.text).xpath(form) else ""

        return str(services.wait_until(page, 30, f"{path} is read"))

    def start_job(self, path: str, source: str) -> int:
        page = html.fromstring(self.wait_ready(path)).xpath("//form[.//input[@name='begun']]")[0]
        values = {name: value for name, value in page.form_values() if name != "recount"}
        answer = self.post(page.get("action"), {**values, "source": source})
        assert answer.status_code == 303, answer.text[:500]
        return int(answer.headers["Location"].rpartition("/")[2])


@contextmanager
def machines(
    folder: Path, forks: Preloaded, postgres: str, server: S3Server, names: str, **settings: str
) -> Iterator[list[Machine]]:
    """A portal of machines with these names, one letter each. Nothing runs on them yet."""
    with ExitStack() as stack:
        url = stack.enter_context(services.new_database(postgres))
        bucket = f"s3://{server.new_bucket()}/portal"
        common = {
            "DATABASE_URL": url, "STORAGE_URL": bucket, "STORAGE_ENDPOINT": f"http://127.0.0.1:{server.port}",
            "SECRET_KEY": SECRET_KEY, "SCRAPING_LEASE_SECONDS": str(LEASE_SECONDS), "LOG_LEVEL": "WARNING",
            "JOURNAL_CONCURRENCY": "1", **KEYS, **settings,
        }  # fmt: skip
        place = stack.enter_context(world(folder, forks, **common))
        cast.make_user(EMAIL)
        made = []
        for name in names:
            (home := folder / name).mkdir()
            network = stack.enter_context(services.short_folder())
            database = _socket_folder(url)
            doors = [
                Door(f"{database}/.s.PGSQL.5432", f"{network}/.s.PGSQL.5432"),
                Door(str(place.valkey.folder / "valkey.sock"), f"{network}/valkey.sock"),
                Door(("127.0.0.1", server.port)),
            ]
            for door in doors:
                stack.callback(door.shut)
            port = services.free_port()
            environ = {
                "PORTAL_DATA_DIR": str(home), "PORTAL_MACHINE": name, "PORTAL_PORT": str(port),
                "PUBLIC_URL": f"http://127.0.0.1:{port}", "DATABASE_URL": url.replace(database, str(network)),
                "REDIS_URL": f"unix://{network}/valkey.sock", "STORAGE_ENDPOINT": doors[2].url,
            }  # fmt: skip
            machine = Machine(name, place, home, port, environ, doors)
            machine.browser.trust_env = False
            made.append(machine)
        yield made


def _socket_folder(url: str) -> str:
    return url.partition("host=")[2].partition("&")[0]
