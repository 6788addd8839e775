"""Real kills of real processes: whatever is killed at whichever row, the job's next attempt continues from its
ledger."""

import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from portal.jobs.attempt.runner import SAVE_NUMBERS
from tests.services import wait_until
from tests.support import cast
from tests.support.journal import repeated
from tests.support.preloaded import Preloaded
from tests.support.world import Process, World, gone, send, world

pytestmark = pytest.mark.slow
IN_FLIGHT = 4
ROWS = 500
KILLS = 20


@dataclass
class Killer:
    """Kills in one of the ways, and remembers the ledger's final answers at each kill."""

    world: World
    draw: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    final_at: list[tuple[set[str], int]] = field(default_factory=list)  # answered numbers, position in the journal

    def kill(self, how: str, worker: Process, horse: int, job_id: int) -> None:
        if how == "horse":
            send(horse, signal.SIGKILL)
        else:
            worker.kill()
        wait_until(lambda: gone(horse), 5, f"the horse is dead after the kill of the {how}")
        if how == "everything":
            self.world.valkey.stop(signal.SIGKILL)
        self.kills[how] += 1
        self.final_at.append((self.world.final(job_id), self.world.journal.size()))
        if how == "everything":
            self.world.valkey.start()
        if how != "horse":
            self.world.start("scrape")

    def asked_again(self) -> set[str]:
        """Numbers that had a saved final answer at a kill and were looked up after it."""
        return {e164 for final, place in self.final_at for e164 in final & set(self.world.journal.count(place))}


def test_twenty_kills_lose_no_row_and_repeat_no_saved_one(tmp_path: Path, forks: Preloaded) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    draw = random.Random(seed)
    # Kills come faster here than answers can be saved, and a lost attempt without a new answer uses a retry.
    settings = {"JOURNAL_SECONDS": "0.01", "JOURNAL_CONCURRENCY": str(IN_FLIGHT), "SCRAPING_MAX_RETRIES": "100"}
    with world(tmp_path, forks, **settings) as world_:
        killer = Killer(world_, draw)
        alice = cast.make_user("alice@example.com")
        world_.start("scrape")
        ways = ["horse", "worker", "everything"] * (KILLS // 3) + ["horse", "worker"]
        draw.shuffle(ways)
        jobs = []
        while ways:
            cells = [cast.mobile(len(jobs) * 10_000 + n) for n in range(ROWS)]
            jobs.append(run_through_kills(killer, world_.make_job(alice, [*cells, "", "rubbish", *cells[:20]]), ways))
        assert sum(killer.kills.values()) == KILLS, killer.kills
        assert min(killer.kills.values()) >= KILLS // 3
        for job_id in jobs:
            every_row_is_final_and_the_sums_agree(world_, job_id)
        counted = world_.journal.count()
        assert len(counted) == len(jobs) * ROWS
        assert killer.asked_again() == set()
        extra = repeated(counted, counted)
        print(f"{KILLS} kills, {len(counted)} numbers, {extra} lookups more than one each")
        assert extra <= KILLS * (IN_FLIGHT + SAVE_NUMBERS)
        assert any(final for final, _ in killer.final_at), "no kill came after a save: the seed proves nothing"


def run_through_kills(killer: Killer, job_id: int, ways: list[str]) -> int:
    """Kill at a random row, repair, let it run again, until the ways or the rows are used up."""
    world_ = killer.world
    while ways:
        begun, rows = world_.journal.size(), killer.draw.randint(1, 250)
        wait_until(
            lambda begun=begun, rows=rows: (
                len(world_.journal.read(begun)) >= rows or world_.job(job_id, "status") == "completed"
            ),
            20,
            f"job {job_id} goes on: {world_.job(job_id, 'status', 'attempt', 'processed_numbers')}",
        )
        worker = world_.of("scrape")[0]
        horses = worker.horses()
        if not horses:  # it has just ended
            break
        killer.kill(ways.pop(), worker, horses[0], job_id)
        world_.sweep(ahead_seconds=2)  # past the lease, which no worker renews
    world_.sweep(ahead_seconds=2)
    world_.wait_status(job_id, "completed")
    return job_id


def every_row_is_final_and_the_sums_agree(world_: World, job_id: int) -> None:
    assert world_.outcomes(job_id) == {"found": ROWS + 20, "invalid": 2}
    names = ("total_numbers", "processed_numbers", "found_count", "invalid_count", "failed_count")
    assert world_.job(job_id, *names) == (ROWS + 22, ROWS + 22, ROWS + 20, 2, 0)
    assert world_.query("SELECT count(*) FROM attempts WHERE job_id = ? AND ended_at IS NULL", job_id) == [(0,)]
