"""Whether the portal stands still: nobody looks up numbers, or nobody sweeps. Everybody's pages say so then.

One question to the database, whose answer does not depend on how many jobs there are. It decides nothing: the queue
goes on by itself as soon as somebody is there to work it off.
"""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from portal.jobs.core.tables import SweepState
from portal.jobs.health.presence import QUIET, Presence, WorkerKind
from portal.opening import reading

SWEEPING = (WorkerKind.SWEEP, WorkerKind.SCHEDULER)
SWEEP_MISSED = timedelta(minutes=2, seconds=30)  # the scheduler steps in for a dead sweep worker after two


def stands_still(now: datetime, listening_since: datetime, interval: timedelta) -> bool:
    """Whether no scrape worker, or nobody who sweeps, was heard of for a minute and a half.

    Before `listening_since` nobody can be blamed: a portal that was just started has been silent since it was stopped.
    A sweep that no process of ours drives (a cron's) has three intervals' time.
    """
    here = Presence.ended_at.is_(None)
    scraping = select(func.max(Presence.seen_at)).where(Presence.kind == WorkerKind.SCRAPE, here)
    driving = select(func.max(Presence.seen_at)).where(Presence.kind.in_(SWEEPING), here)
    began, ended = (select(func.max(moment)) for moment in (SweepState.began_at, SweepState.ended_at))
    asked = select(*(question.scalar_subquery() for question in (scraping, driving, began, ended)))
    with reading() as session:
        heard: list[datetime | None] = list(session.execute(asked).one())
    scrape_at, driver_at, began_at, ended_at = heard
    swept_at = max([moment for moment in (began_at, ended_at, listening_since) if moment])

    def silent(moment: datetime | None) -> bool:
        return now - max(moment or listening_since, listening_since) > QUIET

    driver_is_gone = driver_at is not None and silent(driver_at) and silent(swept_at)
    sweep_is_missed = now - swept_at > max(SWEEP_MISSED, 3 * interval)
    return silent(scrape_at) or driver_is_gone or sweep_is_missed
