"""One storm: a world with its crew, faults until their number is reached, then calm until every job is final."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from portal.clock import utcnow
from portal.database import db
from tests.chaos import judging, watching
from tests.chaos.faults import CREW, WITHOUT_PAGES, Faults
from tests.chaos.picky import picky_source
from tests.chaos.visitor import EMAIL, Visitor
from tests.services import free_port, new_database
from tests.support import cast, client
from tests.support.postgresql import PostgresServer
from tests.support.preloaded import Preloaded
from tests.support.smtp_server import SmtpServer, smtp_server
from tests.support.world import World, world

LEASE_SECONDS = 2
CONCURRENCY = 4
LOOKUP_SECONDS = 0.2
FAULT_SECONDS = (0.3, 1.0)  # between two faults
LOOK_SECONDS = 0.04
SETTLE_SECONDS = 240.0
WAITS_SECONDS = 90.0  # of settling, after which a wait for a source that refused two numbers is over
SLOW_MAIL_SECONDS = 33.0  # longer than all of a message may take where nobody has the time to wait
LETTERS_SECONDS = 60.0


@dataclass
class Storm:
    """What is known of it afterwards."""

    world: World
    faults: Faults
    mail: SmtpServer
    visitor: Visitor
    seconds: float = 0.0
    settle_seconds: float = 0.0
    settled: bool = False

    def blow(self, count: int, enough: Callable[[], bool] = lambda: False) -> None:
        """Inject so many faults, or fewer when `enough()`; bounded in time, should the machine crawl."""
        begun = time.monotonic()
        deadline = begun + 30 + count * 2
        next_at = begun + 2.0  # the crew takes up its work first
        while sum(self.faults.done.values()) < count and time.monotonic() < deadline:
            if not self.faults.database_away and enough():
                break
            self.faults.keep_up()
            if time.monotonic() >= next_at:
                self.faults.inject()
                next_at = time.monotonic() + self.faults.draw.uniform(*FAULT_SECONDS)
            time.sleep(LOOK_SECONDS)
        self.seconds += time.monotonic() - begun

    def settle(self, at_least: int) -> None:
        """No more faults: wait until every job is final and every notice is sent, bounded in time."""
        begun = time.monotonic()
        self.more.unlink(missing_ok=True)
        self.mail.script.clear()
        self.visitor.leave()
        self.faults.calm()
        passed_at = begun
        while not self.settled and time.monotonic() < begun + SETTLE_SECONDS:
            self.faults.keep_up()
            if time.monotonic() > passed_at + WAITS_SECONDS:
                passed_at = time.monotonic()
                self._let_waits_pass()
            every = judging.jobs(self.world)
            ended = len(every) >= at_least and all(job.final for job in every)
            self.settled = ended and not self.visitor.is_alive()
            time.sleep(0.2)
        self.settle_seconds = time.monotonic() - begun
        self._collect_letters()

    def _let_waits_pass(self) -> None:
        """As if the minutes had passed after which a file at a source that refused two numbers is tried again."""
        now = utcnow() if self.world.postgresql_url else utcnow().replace(tzinfo=None)
        waits = "UPDATE scraping_jobs SET not_before = :now WHERE status = 'retrying' AND not_before > :now"
        db.session.execute(text(waits), {"now": now})
        db.session.commit()

    def _collect_letters(self) -> None:
        """Wait until every notice is sent, as if the minutes had passed after which those in a digest are due, and
        those whose sender was killed."""
        deadline = time.monotonic() + LETTERS_SECONDS
        before: set[tuple[int, ...]] = set()
        while time.monotonic() < deadline:
            self.faults.keep_up()
            unsent = self.world.query("SELECT id, tries FROM notices WHERE state IN ('due', 'sending')")
            if not unsent:
                return
            if not self.mail.slow_now and (left := before & set(unsent)):  # and nobody is sending these just now
                for notice_id, _ in left:
                    self._make_due(notice_id)
            before = set(unsent)
            for _ in range(30):
                self.faults.keep_up()
                time.sleep(0.2)

    def _make_due(self, notice_id: int) -> None:
        now = {"now": utcnow().replace(tzinfo=None) if not self.world.postgresql_url else utcnow(), "id": notice_id}
        db.session.execute(text("UPDATE notice_bursts SET until = :now WHERE until > :now"), now)
        db.session.execute(text("UPDATE notices SET due_at = :now WHERE id = :id AND due_at > :now"), now)
        db.session.commit()

    @property
    def more(self) -> Path:
        return self.world.folder / "more"


@contextmanager
def storm(
    forks: Preloaded,
    seed: int,
    jobs: int,
    postgresql: PostgresServer | None = None,
    *,
    pages: bool = True,
    **settings: str,
) -> Iterator[Storm]:
    """A world with its crew, on SQLite or in a new database of that server; the storm is still to blow. Without
    `pages` nobody uploads anything and there is no gunicorn."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        mail = stack.enter_context(smtp_server())
        mail.slow_seconds = SLOW_MAIL_SECONDS
        picky = stack.enter_context(picky_source(folder / "journal.txt", folder / "recipes", LOOKUP_SECONDS))
        database = (
            {"DATABASE_URL": stack.enter_context(new_database(postgresql.url))} if postgresql else {"DATABASE_URL": ""}
        )
        port = str(free_port())
        spans = {
            "SCRAPING_LEASE_SECONDS": str(LEASE_SECONDS), "JOURNAL_SECONDS": str(LOOKUP_SECONDS),
            "JOURNAL_CONCURRENCY": str(CONCURRENCY), "JOURNAL_POISON": client.POISON, "JOURNAL_KILL": client.KILL,
            "CLIENT_JOBS": str(jobs), "CLIENT_AT_ONCE": "8", "CLIENT_MORE": str(folder / "more"),
            "LOG_LEVEL": "WARNING", "FOLLOW_CLOCK": "1", "MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(mail.port),
            "PORTAL_PORT": port, "SCRAPING_MAX_RETRIES": str(client.PATIENT_RETRIES),
        }  # fmt: skip
        place = stack.enter_context(world(folder, forks, **{**spans, **picky, **database, **settings}))
        watching.watch(place)
        cast.make_user(EMAIL)
        visitor = Visitor(f"http://127.0.0.1:{port}")
        faults = Faults(place, random.Random(seed), LEASE_SECONDS, mail, postgresql)
        faults.crew = CREW if pages else WITHOUT_PAGES
        made = Storm(place, faults, mail, visitor)
        made.more.touch()
        faults.keep_up()
        if pages:
            visitor.start()
        try:
            yield made
        finally:
            faults.calm()
            if pages:
                visitor.stop()
