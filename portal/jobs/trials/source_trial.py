"""Tries one number at a source: a page requests it, a worker runs it, and the page finds the result in the database.

No page's request waits for a source, and no web process loads the offline source's tables. A result is kept for ten
minutes, for the admin who asked: its token cannot be guessed, and only the token goes through Redis, whose file would
keep a telephone number for much longer. A trial that is lost with its worker or with Redis is not run again: the page
says so, and the person may repeat it.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import JSON, String, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from portal import audit, sources
from portal.causes import CauseCode
from portal.clock import utcnow
from portal.database import Model, UtcDateTime, changed_rows, db, reading
from portal.jobs.core.spending_tables import NOBODY
from portal.jobs.dispatch import push_trial
from portal.jobs.spending import trial_bill
from portal.sources import catalogue, exclusions
from portal.sources.base import SourceFacts
from portal.sources.trial import TRY_SECONDS, Trial, from_dict, to_dict, try_source

log = structlog.get_logger(__name__)

KEPT = timedelta(minutes=10)
SLOW = timedelta(seconds=5)  # if no worker has taken it by then, the page says why that may be
LOST = timedelta(seconds=120)  # a worker may be reading a file first; after that the trial counts as lost


class RedisAway(Exception):
    """Redis does not answer, so no worker can be reached."""


@dataclass(frozen=True)
class TrialState:
    """The state of a trial. `trial` is None while it runs, and when it is no longer known."""

    token: str
    number: str = ""
    trial: Trial | None = None
    waiting: bool = False
    slow: bool = False  # no worker has taken it yet


class SourceTrial(Model):
    """A requested trial and its result, for ten minutes."""

    __tablename__ = "source_trials"

    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    source: Mapped[str] = mapped_column(String(40))
    number: Mapped[str] = mapped_column(String(20))  # in E.164
    user_id: Mapped[int | None]  # whose money it costs
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # by a worker
    trial: Mapped[dict[str, Any] | None] = mapped_column(JSON)


def start(source: str, number: str, actor: str, now: datetime, *, user_id: int = NOBODY) -> str:
    """Hand one number (E.164) to a worker, and return the token of the result. `user_id`: whose money it costs. Goes to
    the audit, without the number. Commits. Raises RedisAway."""
    audit.note(actor, "number_tried", "source", source, None, now)
    token = secrets.token_urlsafe(18)
    db.session.add(SourceTrial(token=token, source=source, number=number, user_id=user_id, asked_at=now))
    db.session.commit()
    if not push_trial(token):
        raise RedisAway
    return token


def run(token: str) -> None:
    """Run the trial in the worker, and store the result. Commits. For a trial that is not known it does nothing."""
    now = utcnow()
    mine = (SourceTrial.token == token, SourceTrial.taken_at.is_(None), SourceTrial.asked_at > now - KEPT)
    taken = update(SourceTrial).where(*mine).values(taken_at=now)
    taken = taken.returning(SourceTrial.source, SourceTrial.number, SourceTrial.user_id)
    request = db.session.execute(taken, execution_options={"synchronize_session": False}).one_or_none()
    db.session.commit()
    if request is None:
        return
    catalogue.refresh()
    source, number = request.source, request.number
    try:
        facts = sources.facts_of(source)
        trial = paid_for(facts, source, number, request.user_id or NOBODY, lambda: try_source(source, number), now)
    except sources.UnknownSource:
        trial = Trial(number, reason=CauseCode.SOURCE_UNKNOWN)
    except Exception:  # the page that waits shows it
        log.exception("a trial failed", source=source)
        trial = Trial(number, reason=CauseCode.SOURCE_ERROR)
    changed_rows(update(SourceTrial).where(SourceTrial.token == token).values(trial=to_dict(trial)))
    db.session.commit()


def paid_for(
    facts: SourceFacts, source: str, number: str, user_id: int, ask: Callable[[], Trial], now: datetime
) -> Trial:
    """Try a number with `ask`, unless it is excluded or a cap has no room for it, and count what it costs. Commits.
    Raises exclusions.ListUnreadable."""
    if exclusions.excluded_among([number], source):  # nobody sends it, not even for a trial
        return Trial(number, reason=CauseCode.EXCLUDED)
    try:
        with trial_bill.bill(facts, source, user_id, now) as bill:
            trial = ask()
            bill.cost, bill.unsure = trial.cost, trial.unsure
            trial.currency = facts.currency
    except trial_bill.CapHolds:
        return Trial(number, reason=CauseCode.CAP_REACHED)
    return trial


def state_of(source: str, token: str, now: datetime) -> TrialState:
    """Return the state of a trial of this source."""
    own = select(SourceTrial).where(SourceTrial.token == token, SourceTrial.source == source)
    with reading() as session:
        request = session.scalar(own.where(SourceTrial.asked_at > now - KEPT))
    if request is None:
        return TrialState(token)
    if request.trial is not None:
        return TrialState(token, request.number, from_dict(request.trial))
    taken = request.taken_at is not None
    since = request.taken_at or request.asked_at
    waiting = now - since < (timedelta(seconds=3 * TRY_SECONDS) if taken else LOST)
    return TrialState(token, request.number, waiting=waiting, slow=not taken and now - since > SLOW)


def forget(now: datetime) -> None:
    """Delete expired trials. Called by every sweep, because there may be no further trial. Commits."""
    changed_rows(delete(SourceTrial).where(SourceTrial.asked_at <= now - KEPT))
    db.session.commit()
