"""The sources of a job that has several: who they are, where the job is, and what each has said so far.

A job with one source has no rows here, and nothing of this is asked for it. It must not know a job's verbs; nothing
here commits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, and_, cast, func, or_, select, update

from portal.database import changed_rows, db
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.job_tables import Number, Opening, Ticket
from portal.jobs.core.step_rules import read
from portal.jobs.core.step_tables import SKIPPED, STEP_COUNTERS, JobStep, NextSource, StepRule, counter_of
from portal.sources.base import FINAL, Outcome
from portal.sources.several import joined


@dataclass(frozen=True)
class Chain:
    """The sources of a job, in order, and which of them is asked now."""

    step: int
    sources: tuple[str, ...]
    rules: tuple[StepRule, ...]

    @property
    def source(self) -> str:
        """The source that is asked now."""
        return self.sources[self.step - 1]


def chain_of(job_id: int, names: str, step: int) -> Chain | None:
    """Return the sources of a job whose row names these, and which is at this one; None for a single source."""
    if not names:
        return None
    kept = select(JobStep.source, JobStep.rule).where(JobStep.job_id == job_id).order_by(JobStep.step)
    rows = db.session.execute(kept).all()
    return Chain(step, tuple(row.source for row in rows), tuple(row.rule for row in rows)) if rows else None


def of_job(job: JobColumns) -> Sequence[JobStep]:
    """Return the sources of a job in their order, as the pages show them; none for a job with a single source."""
    if not job.chain:
        return []
    return db.session.scalars(select(JobStep).where(JobStep.job_id == job.id).order_by(JobStep.step)).all()


def at(job: JobColumns, step: int | None = None) -> JobStep | None:
    """Return the source at which a job is, or the one at `step`; None for a job with a single source."""
    return db.session.get(JobStep, (job.id, step or job.step)) if job.chain else None


def further(job: JobColumns) -> list[NextSource]:
    """Return the sources that are asked after the first, as a start takes them."""
    return [NextSource(one.source, one.rule, one.cost_cap) for one in of_job(job) if one.step > 1]


def add(job: JobColumns, job_id: int, then: Sequence[NextSource], arrived: int) -> None:
    """Write the sources of a new job, the first with this many cells that have a number."""
    if then:
        first = JobStep(job_id=job_id, step=1, source=job.source, rule=StepRule.FIRST, arrived=arrived)
        rest = (
            JobStep(job_id=job_id, step=step, source=one.source, rule=one.rule, cost_cap=one.cost_cap)
            for step, one in enumerate(then, start=2)
        )
        db.session.add_all([first, *rest])


def arrive(job_id: int, cells: int) -> None:
    """Note how many cells have a number that the first source is asked about, once a large file is opened."""
    changed_rows(update(JobStep).where(JobStep.job_id == job_id, JobStep.step == 1).values(arrived=cells))


def names(source: str, then: Iterable[NextSource]) -> str:
    """What `JobColumns.chain` has for these sources; empty for one alone."""
    further_names = [one.source for one in then]
    return joined([source, *further_names]) if further_names else ""


def waiting_step(job_id: int, last_no: int | None = None, *, after: int = 0) -> int | None:
    """The first source behind that at `after` that has numbers to be asked about, of those up to `last_no`; None: no
    number waits."""
    waiting = [Number.job_id == job_id, Number.outcome == Outcome.WAITING, Number.step > after]
    waiting += [] if last_no is None else [Number.no <= last_no]
    return db.session.scalar(select(func.min(Number.step)).where(*waiting))


def left_at(job: JobColumns) -> int:
    """Count the numbers that go on to another source if the one that is asked now is skipped: not those that all others
    were asked about, nor those of a batch that it has taken, which are paid for."""
    if db.session.get(Opening, job.id) is not None:  # nothing was asked yet
        return job.total_numbers - job.processed_numbers
    unanswered = and_(Number.step == job.step, Number.outcome.in_((Outcome.WAITING, Outcome.FAILED)))
    kept = cast(Number.by_step, Text)
    others = (kept.not_like(f'%"{step}":%') for step in range(job.step + 1, job.step_count + 1))
    goes_on = or_(Number.by_step.is_(None), *others)
    own = (Number.job_id == job.id, unanswered, goes_on, Number.e164.not_in(in_batches(job.id, job.source)))
    return db.session.scalar(select(func.count()).where(*own)) or 0


def in_batches(job_id: int, source: str) -> list[str]:
    """The numbers that are in a batch which this source has taken, and whose answers it may still give."""
    batches = db.session.scalars(select(Ticket.numbers).where(Ticket.job_id == job_id, Ticket.source == source))
    return [e164 for numbers in batches for e164 in numbers]


def place(job: JobColumns, step: int | None = None) -> None:
    """Let a job with several sources be at the first of them that has numbers to be asked about, or at `step`. Those
    that wait at a skipped source are moved on by the next worker. The caller has its row locked."""
    if not job.chain:
        return
    step = step or waiting_step(job.id, after=job.skipped_step or 0)
    if step is None or step == job.step:
        return
    here = {row.step: row for row in of_job(job)}
    if step in here:
        if job.step in here:
            here[job.step].source_versions = job.source_versions
        job.step, job.source = step, here[step].source
        job.source_versions = here[step].source_versions


def count(job_id: int, step: int, said: Counter[str], arrived: Mapping[int, int], cost: int) -> None:
    """Count answers of one source, by its columns, and the cells that go on to others, in the transaction that saves
    them."""
    own: dict[str, Any] = {name: getattr(JobStep, name) + cells for name, cells in said.items() if cells}
    if cost:
        own["cost"] = JobStep.cost + cost
    if own:
        changed_rows(update(JobStep).where(JobStep.job_id == job_id, JobStep.step == step).values(**own))
    for there, cells in sorted(arrived.items()):
        other = update(JobStep).where(JobStep.job_id == job_id, JobStep.step == there)
        changed_rows(other.values(arrived=JobStep.arrived + cells))


def room_at(job_id: int, step: int) -> int | None:
    """What is left under the cap of one of a job's sources, before what is reserved; None: it has no cap."""
    left = select(JobStep.cost_cap - JobStep.cost - JobStep.cost_unsure)
    return db.session.scalar(left.where(JobStep.job_id == job_id, JobStep.step == step))


def set_cost_cap(job_id: int, step: int, cost_cap: int | None) -> bool:
    """Change the most that one of a job's sources may cost. False: it has no such source."""
    own = update(JobStep).where(JobStep.job_id == job_id, JobStep.step == step)
    return changed_rows(own.values(cost_cap=cost_cap)) == 1


def add_unsure(job_id: int, source: str, amount: int) -> None:
    """Count what one of a job's sources may have charged for questions whose answer was lost."""
    own = update(JobStep).where(JobStep.job_id == job_id, JobStep.source == source)
    changed_rows(own.values(cost_unsure=JobStep.cost_unsure + amount))


def recount(job: JobColumns) -> None:
    """Count everything anew from the numbers, after a correction has changed where they stand."""
    if not job.chain:
        return
    said: dict[int, Counter[str]] = {}
    arrived: Counter[int] = Counter()
    rows = select(Number.cells, Number.by_step, Number.step, Number.outcome).where(Number.job_id == job.id)
    passed_on = 0
    for cells, by_step, step, outcome in db.session.execute(rows.execution_options(yield_per=2000)):
        answers = read(by_step)
        for one, what in answers.items():
            said.setdefault(one, Counter())[counter_of(what.outcome, what.reason)] += cells
        for one in {*answers, step}:
            arrived[one] += cells
        if outcome not in FINAL:
            passed_on += cells * (step - 1)
    for row in of_job(job):
        row.arrived = arrived[row.step]
        for name in (*STEP_COUNTERS.values(), SKIPPED):
            setattr(row, name, said.get(row.step, Counter())[name])
    job.passed_on = passed_on
