"""Kill -9 in the middle of a file of fifty numbers at each provider of the shelf, all fakes in one server."""

import hashlib
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from portal import sources
from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs import dispatch
from portal.sources.http.source import facts_of
from tests.services import wait_until
from tests.support import cast
from tests.support.postgresql import PostgresServer, new_database
from tests.support.preloaded import Preloaded
from tests.support.provider import Answered, Asked, provider
from tests.support.shelf import NAMES, NUMBERS, SECRETS, ShelfFake, outcomes_of, recipe_at
from tests.support.world import World, gone, send, world

ANSWER_SECONDS, MANY_SECONDS = 0.05, 0.6  # of one number, and of a request about many
NEVER_ASKED_TWICE = "answered numbers were asked about again"


class Shelf:
    """Every fake, told apart by the first part of the path."""

    def __init__(self) -> None:
        self.fakes = {name: ShelfFake(name) for name in NAMES}

    def __call__(self, asked: Asked) -> Answered:
        name, _, rest = asked.path.lstrip("/").partition("/")
        time.sleep(MANY_SECONDS if b"," in asked.body and name in ("infobip", "bind", "hlrlookup") else ANSWER_SECONDS)
        return self.fakes[name](replace(asked, path=f"/{rest}"))


def asked_as(name: str, e164: str) -> str:
    """How a fake counts a number."""
    digits = e164.lstrip("+")
    return hashlib.sha256(f"0400{digits}".encode()).hexdigest() if name == "lista-robinson" else digits


@contextmanager
def _all_registered(folder: Path, url: str) -> Iterator[None]:
    made = [recipe_at(name, f"{url}/{name}", folder) for name in NAMES]
    for one in made:
        sources.register(one.name, lambda: None, facts_of(one))  # type: ignore[arg-type, return-value]
    try:
        yield
    finally:
        for one in made:
            sources.unregister(one.name)


def kills(forks: Preloaded, draw: random.Random, names: Sequence[str], postgresql: PostgresServer | None) -> list[str]:
    """Kill a worker in the midst of a file at each of these providers; return what was broken, a sentence each."""
    shelf, broken = Shelf(), []
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        server = stack.enter_context(provider(shelf))
        recipes = Path(folder) / "recipes"
        recipes.mkdir()
        settings = {
            "SOURCES_DIR": str(recipes),
            "SOURCES_ALLOW_PRIVATE": "127.0.0.0/8",
            "MONITORING_SECONDS": "1",
            "LOG_LEVEL": "ERROR",  # this process has no secrets, and would say of each provider that it is not usable
            "DATABASE_URL": stack.enter_context(new_database(postgresql.url)) if postgresql else "",
            **SECRETS,
        }
        stack.enter_context(_all_registered(recipes, server.url))
        place = stack.enter_context(world(Path(folder) / "world", forks, **settings))
        alice = cast.make_user("alice@example.com")
        place.start("scrape")
        for name in names:
            broken += [f"{name}: {what}" for what in _kill_in(place, alice, name, shelf.fakes[name], draw)]
    return broken


def _kill_in(place: World, alice: User, name: str, fake: ShelfFake, draw: random.Random) -> list[str]:
    cells = [one.removeprefix("+34") for one in NUMBERS]
    job_id = cast.make_job(place.app, alice, cells, source=name, now=utcnow()).id
    dispatch.push_job(job_id, utcnow())
    db.session.rollback()
    after = draw.randrange(1, 35)
    wait_until(lambda: sum(fake.answers.values()) >= after or place.job(job_id, "status") == "completed", 30, name)
    (worker,) = place.of("scrape")
    final, answered, horses = place.final(job_id), Counter(fake.answers), worker.horses()
    for horse in horses:
        send(horse, signal.SIGKILL)
        wait_until(lambda horse=horse: gone(horse), 5, "the horse is dead")
    final &= place.final(job_id)
    deadline = time.monotonic() + 60
    while place.job(job_id, "status") not in ("completed", "failed") and time.monotonic() < deadline:
        place.sweep()
        time.sleep(0.3)
    status, retries, cost = place.job(job_id, "status", "retry_count", "cost")
    found = {outcome: n for outcome, n in place.outcomes(job_id).items() if n}
    wanted = {str(outcome): n for outcome, n in outcomes_of(name).items()}
    again = [one for one in final if fake.answers[asked_as(name, one)] > answered[asked_as(name, one)]]
    repeated = sum(fake.answers.values()) - len(fake.answers)
    broken = []
    if status != "completed" or found != wanted:
        broken.append(f"{status} with {found} and not {wanted}")
    if again:
        broken.append(f"{len(again)} {NEVER_ASKED_TWICE}")
    if retries > (0 if final else 1):
        broken.append(f"{retries} retries were used, with {len(final)} answers saved before the kill")
    if cost > fake.spent or (not repeated and cost != fake.spent):
        broken.append(f"cost {cost} is shown, and {fake.spent} was spent")
    return broken
