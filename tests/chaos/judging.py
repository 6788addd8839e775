"""The judge: what must hold when the storm is over. Each broken promise is one sentence; none is a pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from portal.jobs.attempt.lookup_window import TICK_SECONDS
from portal.jobs.attempt.runner import SAVE_SECONDS
from tests.chaos import watching
from tests.support import client
from tests.support.journal import repeated
from tests.support.world import World

FINAL = "('found', 'not_found', 'invalid', 'rejected')"


@dataclass(frozen=True)
class Job:
    """A job as the database has it at the end."""

    id: int
    place: int
    status: str
    attempt: int
    retry_count: int
    max_retries: int
    total: int
    processed: int
    failed: int
    next_retry_at: str | None

    @property
    def kind(self) -> str:
        return client.kind(self.place)

    @property
    def final(self) -> bool:
        return self.status in ("completed", "cancelled") or (
            self.status in ("failed", "timeout") and self.next_retry_at is None
        )


def jobs(world: World) -> list[Job]:
    rows = world.query(
        "SELECT id, file_name, status, attempt, retry_count, max_retries, total_numbers, processed_numbers,"
        " failed_count, next_retry_at FROM scraping_jobs ORDER BY id"
    )
    return [Job(row[0], int(row[1].split("-")[1].split(".")[0]), *row[2:]) for row in rows]


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
    plain = [job.id for job in jobs(world) if job.kind == "plain"]
    places = {job.place for job in jobs(world) if job.kind == "plain"}
    counted = world.journal.count()
    extra = repeated(counted, [e164 for e164 in counted if client.place_of(e164) in places])
    ends = world.query("SELECT job_id FROM attempts WHERE \"end\" = 'lost'")
    lost = sum(job_id in plain for (job_id,) in ends)
    one_save = ceil(concurrency * (SAVE_SECONDS + TICK_SECONDS) / lookup_seconds)
    return Repeats(extra, lost, lost * (concurrency + one_save))


def verdict(world: World, repeated: Repeats) -> list[str]:
    """Every promise that was broken."""
    found = [sentence for job in jobs(world) for sentence in _of_job(world, job)]
    for count, sentence in (
        (watching.late_answers(world), "answers committed by an older attempt after a newer one"),
        (watching.late_beats(world), "beats of an attempt whose job was no longer its own"),
        (watching.answered_twice(world), "rows answered twice"),
        (max(0, repeated.extra - repeated.may_be), "lookups repeated beyond those in flight and unsaved"),
        (world.query("SELECT count(*) FROM attempts WHERE ended_at IS NULL")[0][0], "attempts that never ended"),
    ):
        if count:
            found.append(f"{count} {sentence}")
    return found


def _of_job(world: World, job: Job) -> Iterator[str]:
    name = f"job {job.id} ({job.kind}, {job.status}, attempt {job.attempt})"
    planned = len(client.cells(job.place))
    outcomes = dict(world.query("SELECT outcome, sum(cells) FROM numbers WHERE job_id = ? GROUP BY outcome", job.id))
    none = world.query("SELECT count(*) FROM cells WHERE job_id = ? AND number_no IS NULL", job.id)[0][0]
    outcomes["invalid"] = outcomes.get("invalid", 0) + none
    final = sum(count for outcome, count in outcomes.items() if outcome not in ("waiting", "failed"))
    told = dict(world.query("SELECT kind, count(*) FROM notices WHERE job_id = ? GROUP BY kind", job.id))
    if not job.final:
        yield f"{name} is not final"
        return
    if not sum(outcomes.values()) == job.total == planned:
        yield f"{name}: {planned} rows in the file, {sum(outcomes.values())} in the ledger, {job.total} on the job"
    if final != job.processed or outcomes.get("failed", 0) != job.failed:
        yield f"{name}: the counters are {job.processed} and {job.failed}, the rows say {outcomes}"
    if job.kind == "plain":
        if (job.status, final, told) != ("completed", planned, {"job_completed": 1}):
            yield f"{name}: {final} of {planned} answered, told {told}"
    elif (job.status, job.retry_count, told) != ("failed", job.max_retries, {"job_failed": 1}):
        yield f"{name}: {job.retry_count} of {job.max_retries} retries, told {told}"
