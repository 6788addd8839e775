"""The judge: what must hold when the storm is over. Each broken promise is one sentence; none is a pass."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from portal.jobs.attempt.lookup_window import TICK_SECONDS
from portal.jobs.attempt.runner import SAVE_SECONDS
from tests.chaos import picky, visitor, watching
from tests.chaos.visitor import Visitor
from tests.support import client
from tests.support.journal import repeated
from tests.support.world import World

FINAL = "('found', 'not_found', 'invalid', 'rejected')"


@dataclass(frozen=True)
class Job:
    """A job as the database has it at the end."""

    id: int
    file_name: str
    status: str
    attempt: int
    retry_count: int
    max_retries: int
    total: int
    processed: int
    failed: int
    next_retry_at: str | None

    @property
    def place(self) -> int:
        return int(self.file_name.split("-")[1].split(".")[0])

    @property
    def kind(self) -> str:
        """As in `client`, or "visited": started at the pages."""
        return "visited" if self.file_name.startswith("visit-") else client.kind(self.place)

    @property
    def cells(self) -> list[str]:
        return visitor.cells(self.place) if self.kind == "visited" else client.cells(self.place)

    @property
    def numbers_place(self) -> int:
        """The place whose numbers it has."""
        return self.place + visitor.FIRST_PLACE if self.kind == "visited" else self.place

    @property
    def final(self) -> bool:
        return self.status in ("completed", "cancelled") or (
            self.status in ("failed", "timeout") and self.next_retry_at is None
        )


def jobs(world: World) -> list[Job]:
    """Every job but the hidden ones: what opened them was killed, and the sweep removes them after an hour."""
    rows = world.query(
        "SELECT id, file_name, status, attempt, retry_count, max_retries, total_numbers, processed_numbers,"
        " failed_count, next_retry_at FROM scraping_jobs WHERE NOT (deleted_at IS NOT NULL AND total_numbers = 0)"
        " ORDER BY id"
    )
    return [Job(*row) for row in rows]


@dataclass(frozen=True)
class Repeats:
    """How much was asked for more than once, of the jobs that nothing was wrong with."""

    extra: int  # lookups beyond one a number
    lost: int  # attempts whose worker was lost: killed, or frozen past its lease
    may_be: int  # in flight, and what one save holds, for each of them

    @property
    def each(self) -> float:
        return self.extra / self.lost if self.lost else 0.0


def repeats(world: World, concurrency: int, lookup_seconds: float) -> Repeats:
    in_flight = {"plain": concurrency, "visited": concurrency, "refused": picky.CONCURRENCY}
    kinds = {job.id: job.kind for job in jobs(world) if job.kind in in_flight}
    places = {job.numbers_place for job in jobs(world) if job.kind in in_flight}
    counted = world.journal.count()
    extra = repeated(counted, [e164 for e164 in counted if client.place_of(e164) in places])
    lost = Counter(
        kinds[job_id]
        for (job_id,) in world.query("SELECT job_id FROM attempts WHERE \"end\" = 'lost'")
        if job_id in kinds
    )
    each = {kind: flight + ceil(flight * (SAVE_SECONDS + TICK_SECONDS) / lookup_seconds)
            for kind, flight in in_flight.items()}  # fmt: skip
    return Repeats(extra, lost.total(), sum(count * each[kind] for kind, count in lost.items()))


def copies(world: World, letters: Counter[str]) -> tuple[int, int]:
    """How many of the notices that were sent arrived never, and how many copies arrived beyond one of each.
    `letters`: how often each Message-ID arrived."""
    sent = world.query("SELECT dedupe FROM notices WHERE state = 'sent' AND channel = 'mail'")
    arrived = Counter({name.strip("<>").rpartition("@")[0]: count for name, count in letters.items()})
    return sum(not arrived[dedupe] for (dedupe,) in sent), sum(count - 1 for count in arrived.values())


def verdict(world: World, repeated: Repeats, person: Visitor, letters: Counter[str], senders_killed: int) -> list[str]:
    """Every promise that was broken."""
    found = [sentence for job in jobs(world) for sentence in _of_job(world, job)]
    never, extra = copies(world, letters)
    for count, sentence in (
        (watching.late_answers(world), "answers committed by an older attempt after a newer one"),
        (watching.late_beats(world), "beats of an attempt whose job was no longer its own"),
        (watching.answered_twice(world), "rows answered twice"),
        (max(0, repeated.extra - repeated.may_be), "lookups repeated beyond those in flight and unsaved"),
        (_count(world, "attempts WHERE ended_at IS NULL"), "attempts that never ended"),
        (_count(world, "documents WHERE state = 'reading'"), "uploads that were never read"),
        (_count(world, "notices WHERE state IN ('due', 'sending')"), "notices that were never sent"),
        (_count(world, "notices WHERE state = 'dead'"), "notices that were given up"),
        (never, "notices that are said to be sent and did not arrive"),
        (max(0, extra - senders_killed), f"copies of letters beyond one for each sender killed ({senders_killed})"),
    ):
        if count:
            found.append(f"{count} {sentence}")
    return [*found, *_of_person(world, person)]


def _count(world: World, what: str) -> int:
    return int(world.query(f"SELECT count(*) FROM {what}")[0][0])


def _of_person(world: World, person: Visitor) -> Iterator[str]:
    begun = Counter(job.place for job in jobs(world) if job.kind == "visited")
    received = {name for (name,) in world.query("SELECT file_name FROM documents")}
    for place in person.uploaded:
        if visitor.file_name(place) not in received:
            yield f"{visitor.file_name(place)} was received, and is not there"
    for place in person.started:
        if begun[place] != 1:
            yield f"{visitor.file_name(place)} was started, and has {begun[place]} jobs"
    if person.is_alive():
        yield f"the person at the pages does not get on with the file in hand: {person.last_trouble}"


def _of_job(world: World, job: Job) -> Iterator[str]:
    name = f"job {job.id} ({job.kind}, {job.status}, attempt {job.attempt})"
    planned = len(job.cells)
    outcomes = world.outcomes(job.id)
    final = sum(count for outcome, count in outcomes.items() if outcome not in ("waiting", "failed"))
    told = dict(world.query("SELECT kind, count(*) FROM notices WHERE job_id = ? GROUP BY kind", job.id))
    if not job.final:
        yield f"{name} is not final"
        return
    if not sum(outcomes.values()) == job.total == planned:
        yield f"{name}: {planned} rows in the file, {sum(outcomes.values())} in the ledger, {job.total} on the job"
    if final != job.processed or outcomes.get("failed", 0) != job.failed:
        yield f"{name}: the counters are {job.processed} and {job.failed}, the rows say {outcomes}"
    if job.kind != "poison":
        if outcomes.get("rejected", 0) != (job.kind in ("refused", "killer")):
            yield f"{name}: {outcomes.get('rejected', 0)} numbers were rejected"
        if (job.status, final, told) != ("completed", planned, {"job_completed": 1}):
            yield f"{name}: {final} of {planned} answered, told {told}"
    elif (job.status, job.retry_count, told) != ("failed", job.max_retries, {"job_failed": 1}):
        yield f"{name}: {job.retry_count} of {job.max_retries} retries, told {told}"
