"""One storm: a world with its crew, faults until their number is reached, then calm until every job is final."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import judging, watching
from tests.chaos.faults import Faults
from tests.support import client
from tests.support.preloaded import Preloaded
from tests.support.world import World, world

LEASE_SECONDS = 2
CONCURRENCY = 4
LOOKUP_SECONDS = 0.2
FAULT_SECONDS = (0.3, 1.0)  # between two faults
LOOK_SECONDS = 0.04
SETTLE_SECONDS = 240.0


@dataclass
class Storm:
    """What is known of it afterwards."""

    world: World
    faults: Faults
    seconds: float = 0.0
    settle_seconds: float = 0.0
    settled: bool = False

    def blow(self, count: int, enough: Callable[[], bool] = lambda: False) -> None:
        """Inject so many faults, or fewer when `enough()`; bounded in time, should the machine crawl."""
        begun = time.monotonic()
        deadline = begun + 30 + count * 2
        next_at = begun + 2.0  # the crew takes up its work first
        while sum(self.faults.done.values()) < count and time.monotonic() < deadline and not enough():
            self.faults.keep_up()
            if time.monotonic() >= next_at:
                self.faults.inject()
                next_at = time.monotonic() + self.faults.draw.uniform(*FAULT_SECONDS)
            time.sleep(LOOK_SECONDS)
        self.seconds += time.monotonic() - begun

    def settle(self, at_least: int) -> None:
        """No more faults: wait until every job is final, bounded in time."""
        begun = time.monotonic()
        self.more.unlink(missing_ok=True)
        self.faults.calm()
        while not self.settled and time.monotonic() < begun + SETTLE_SECONDS:
            self.faults.keep_up()
            every = judging.jobs(self.world)
            self.settled = len(every) >= at_least and all(job.final for job in every)
            time.sleep(0.2)
        self.settle_seconds = time.monotonic() - begun
        # The last notice is due with the last failure. One whose sender was killed is taken up after two minutes, and
        # one that a digest waits for after a quarter of an hour.
        unsent = "SELECT count(*) FROM notices WHERE state = 'due' AND due_at <= datetime('now')"
        while self.world.query(unsent)[0][0] and time.monotonic() < begun + self.settle_seconds + 10:
            self.faults.keep_up()
            time.sleep(0.2)

    @property
    def more(self) -> Path:
        return self.world.folder / "more"


@contextmanager
def storm(forks: Preloaded, seed: int, jobs: int, **settings: str) -> Iterator[Storm]:
    """A world with its crew; the storm is still to blow."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        spans = {
            "SCRAPING_LEASE_SECONDS": str(LEASE_SECONDS), "JOURNAL_SECONDS": str(LOOKUP_SECONDS),
            "JOURNAL_CONCURRENCY": str(CONCURRENCY), "JOURNAL_POISON": client.POISON, "JOURNAL_KILL": client.KILL,
            "CLIENT_JOBS": str(jobs), "CLIENT_AT_ONCE": "8", "CLIENT_MORE": str(Path(folder) / "more"),
            "LOG_LEVEL": "WARNING", "FOLLOW_CLOCK": "1",
        }  # fmt: skip
        with world(Path(folder), forks, **spans, **settings) as place:
            watching.watch(place)
            faults = Faults(place, random.Random(seed), LEASE_SECONDS)
            made = Storm(place, faults)
            made.more.touch()
            faults.keep_up()
            yield made
