"""One long file on one worker and on two, as forks that share the attempt's numbers, on SQLite."""

import os
import time

from bench.measure import SHORT, Goal, best_of
from bench.temporary_portal import make_job, numbers, portal
from portal.database import db
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.worker.rq_worker import freeze_memory
from portal.sources.offline import warm

ROWS = 40_000
AIM, FLOOR = 1.7, 1.3  # two processors that nobody else uses; a neighbour takes a part of the second one first
ROUNDS, MOST_ROUNDS = (2, 12) if SHORT else (6, 18)
PATIENCE_SECONDS = 60.0


def measure() -> list[Goal]:
    """Measure how much sooner two workers end a file of 40,000 numbers than one does."""
    e164s = numbers(ROWS)
    warm()
    freeze_memory()
    with portal(ROWS) as app:

        def on(workers: int) -> float:
            job = make_job(app, e164s)
            began = time.perf_counter()
            run_forks(job, workers)
            return time.perf_counter() - began

        best = best_of(
            ROUNDS,
            most=MOST_ROUNDS,
            enough=lambda best: best["one"] / best["two"] >= FLOOR,
            one=lambda: on(1),
            two=lambda: on(2),
        )
    return [
        Goal(
            "two workers on one file against one",
            best["one"] / best["two"],
            f"{best['one']:.2f} and {best['two']:.2f} s for {ROWS:,} rows; the aim is {AIM}",
            floor=FLOOR,
        )
    ]


def run_forks(job: ScrapingJob, workers: int) -> None:
    """Run a job's next attempt on so many workers, and wait for its end. Raises RuntimeError when it does not
    complete."""
    job_id, attempt = job.id, job.attempt
    db.session.remove()
    db.engine.dispose()  # no connection is open when a process forks
    forks = [_fork(job_id, attempt, nth, workers) for nth in range(workers)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in forks]
    status = db.session.get_one(ScrapingJob, job_id).status
    db.session.rollback()
    if any(codes) or status != Status.COMPLETED:
        raise RuntimeError(f"the job ended as {status}, the workers with {codes}")


def _fork(job_id: int, attempt: int, nth: int, workers: int) -> int:
    """Start a worker on the job's next attempt, as the first or to join it; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        given = Conditions(f"bench:{nth}", 60, Backoff(), workers=workers)
        until = time.monotonic() + PATIENCE_SECONDS
        while run(job_id, attempt, given, join=nth > 0) is None and nth and time.monotonic() < until:
            time.sleep(0.002)  # the first one has not claimed it yet
            job = db.session.get_one(ScrapingJob, job_id, populate_existing=True)
            ended = job.status == Status.COMPLETED
            db.session.rollback()
            if ended:
                break
        code = 0
    finally:
        os._exit(code)
