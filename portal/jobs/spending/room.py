"""What holds a job up that is paused at a cap: which cap, how much of it is used, and whether there is room again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select

from portal import sources
from portal.causes import CauseCode
from portal.database import among, db
from portal.jobs.core import steps
from portal.jobs.core.spending_tables import Reservation
from portal.jobs.core.status import WAITING
from portal.jobs.core.step_tables import JobStep
from portal.jobs.models import ScrapingJob
from portal.jobs.spending.caps import Cap, caps_of
from portal.jobs.spending.reservations import month_of
from portal.sources.money import billionths
from portal.sources.several import names_of

COUNTED = 1000


@dataclass(frozen=True)
class Room:
    """What is left under each cap that holds for a job. `own` is its own cap; `most` what one number may cost, None
    when the source does not say it before."""

    most: int | None
    own: Cap | None
    monthly: list[Cap]

    @property
    def reached(self) -> list[Cap]:
        """The caps without room for one more number; the job's own first."""
        caps = [*([self.own] if self.own else []), *self.monthly]
        return [cap for cap in caps if self.most is None or cap.left < self.most]


def room_of(job: ScrapingJob, now: datetime, step: int | None = None) -> Room:
    """Return the room that a job has at the source that is asked now, or at the one at `step`."""
    name = job.source if step is None else names_of(job.all_sources)[step - 1]
    try:
        facts = sources.facts_of(name)
    except sources.UnknownSource:
        return Room(0, None, [])
    most = _most(name)
    own = None
    if job.cost_cap is not None:
        held = db.session.scalar(select(func.sum(Reservation.amount)).where(Reservation.job_id == job.id)) or 0
        own = Cap(None, "", facts.currency, job.cost_cap, job.cost + job.cost_unsure + held, held)
    if not facts.is_priced:
        return Room(0, None, [])
    if (at := steps.at(job, step)) is not None and at.cost_cap is not None:
        of_source = (Reservation.job_id == job.id, Reservation.source == name)
        held = db.session.scalar(select(func.sum(Reservation.amount)).where(*of_source)) or 0
        its = Cap(None, name, facts.currency, at.cost_cap, at.cost + at.cost_unsure + held, held)
        own = its if own is None or its.left < own.left else own
    return Room(most, own, caps_of(job.user_id, name, facts.currency, month_of(now)))


def waiting_for_an_administrator() -> int:
    """Return how many files are paused at a monthly cap, COUNTED at most: not those whose own cap holds them up, which
    their owners raise."""
    job = ScrapingJob
    at_source = JobStep.cost_cap - JobStep.cost - JobStep.cost_unsure  # of several, the present one's own cap
    columns = (job.source, job.cost_cap - job.cost - job.cost_unsure, at_source)
    paused = (
        among(job.status, WAITING), job.paused_at.is_not(None), job.wait_cause == CauseCode.CAP_REACHED,
        job.deleted_at.is_(None),
    )  # fmt: skip
    of_job = and_(JobStep.job_id == job.id, JobStep.step == job.step)
    found = db.session.execute(select(*columns).outerjoin(JobStep, of_job).where(*paused).limit(COUNTED))
    return sum(
        all(left is None or left >= max(_most(source) or 0, 1) for left in (left_of_job, left_at_source))
        for source, left_of_job, left_at_source in found
    )


def _most(source: str) -> int | None:
    """What one number may cost at a source at most; None when nobody knows."""
    try:
        most = sources.facts_of(source).most
    except sources.UnknownSource:
        return 0
    return None if most is None else billionths(most)
