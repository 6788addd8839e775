"""The sources of a job that has several: who they are, where the job is, and what each has said so far.

A job with one source has no rows here, and nothing of this is asked for it. It must not know a job's verbs; nothing
here commits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from portal.database import changed_rows, db
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.job_tables import Number
from portal.jobs.core.step_rules import read
from portal.jobs.core.step_tables import STEP_COUNTERS, JobStep, NextSource, StepRule
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


def at(job: JobColumns) -> JobStep | None:
    """Return the source at which a job is; None for a job with a single source."""
    return db.session.get(JobStep, (job.id, job.step)) if job.chain else None


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


def waiting_step(job_id: int, last_no: int | None = None) -> int | None:
    """The first source that has numbers to be asked about, of those up to `last_no`; None: no number waits."""
    waiting = [Number.job_id == job_id, Number.outcome == Outcome.WAITING]
    waiting += [] if last_no is None else [Number.no <= last_no]
    return db.session.scalar(select(func.min(Number.step)).where(*waiting))


def place(job: JobColumns, step: int | None = None) -> None:
    """Let a job with several sources be at the first of them that has numbers to be asked about, or at `step`. The
    caller has its row locked."""
    if not job.chain:
        return
    step = step or waiting_step(job.id)
    if step is None or step == job.step:
        return
    here = {row.step: row for row in of_job(job)}
    if step in here:
        if job.step in here:
            here[job.step].source_versions = job.source_versions
        job.step, job.source = step, here[step].source
        job.source_versions = here[step].source_versions


def count(job_id: int, step: int, said: Counter[Outcome], arrived: Mapping[int, int], cost: int) -> None:
    """Count answers of one source, and the cells that go on to others, in the transaction that saves them."""
    own: dict[str, Any] = {name: getattr(JobStep, name) + said[outcome]
                           for outcome, name in STEP_COUNTERS.items() if said[outcome]}  # fmt: skip
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
    said: dict[int, Counter[Outcome]] = {}
    arrived: Counter[int] = Counter()
    rows = select(Number.cells, Number.by_step, Number.step, Number.outcome).where(Number.job_id == job.id)
    passed_on = 0
    for cells, by_step, step, outcome in db.session.execute(rows.execution_options(yield_per=2000)):
        answers = read(by_step)
        for one, what in answers.items():
            said.setdefault(one, Counter())[what.outcome] += cells
        for one in {*answers, step}:
            arrived[one] += cells
        if outcome not in FINAL:
            passed_on += cells * (step - 1)
    for row in of_job(job):
        row.arrived = arrived[row.step]
        for outcome, name in STEP_COUNTERS.items():
            setattr(row, name, said.get(row.step, Counter())[outcome])
    job.passed_on = passed_on
