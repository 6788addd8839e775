"""The money of trials: one number that an administrator tries at a source, or asks a draft about.

It costs as much as in a file, so it is reserved before it is sent and settled with its answer, for the person, the
source and the month.

What a trial that was lost had reserved counts as spent after a while (`reservations.close_lost`).
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete

from portal.database import db
from portal.jobs.core.spending_tables import OF_A_TRIAL, Reservation
from portal.jobs.spending import reservations
from portal.jobs.spending.caps import Cap, caps_of
from portal.jobs.spending.reservations import Account, month_of
from portal.sources.base import SourceFacts
from portal.sources.money import billionths


class CapHolds(Exception):
    """A cap has no room for one more number: nothing may be sent."""

    def __init__(self, cap: Cap) -> None:
        super().__init__(f"{cap.scope} {cap.whose}")
        self.cap = cap


@dataclass
class Bill:
    """What a trial has cost, in billionths. `unsure`: it was sent and got no answer, so that it may have cost it all.
    That is so until its outcome is known."""

    cost: int = 0
    unsure: bool = True


@contextmanager
def bill(facts: SourceFacts, source: str, user_id: int, now: datetime) -> Iterator[Bill]:
    """Reserve for one question, and settle what is written into the bill. Commits before and after. Raises CapHolds."""
    made = Bill()
    if not facts.is_priced:
        yield made
        return
    token = _reserve(Account(user_id, source, facts.currency), facts, now)
    try:
        yield made
    finally:
        _settle(token, made)


def _reserve(account: Account, facts: SourceFacts, now: datetime) -> int:
    month, most = month_of(now), None if facts.most is None else billionths(facts.most)
    reservations.add_rows(account, month)
    caps = caps_of(account.user_id, account.source, account.currency, month)
    if full := [cap for cap in caps if most is None or cap.left < most]:
        db.session.rollback()
        raise CapHolds(full[0])
    token, amount = secrets.randbelow(2**31 - 1), most or 0
    reservations.add(account, month, reserved=amount)
    db.session.add(
        Reservation(
            job_id=OF_A_TRIAL,
            attempt=1,
            token=token,
            month=month,
            user_id=account.user_id,
            source=account.source,
            currency=account.currency,
            most=amount,
            amount=amount,
            at=now,
        )  # fmt: skip
    )
    db.session.commit()
    return token


def _settle(token: int, made: Bill) -> None:
    """Put what a trial cost in the place of what was reserved, unless that has been counted as lost. Commits."""
    db.session.rollback()
    mine = (Reservation.job_id == OF_A_TRIAL, Reservation.token == token)
    row = db.session.execute(delete(Reservation).where(*mine).returning(Reservation)).scalar()
    if row is not None:
        account, month, amount = Account(row.user_id, row.source, row.currency), row.month, row.amount
        db.session.expunge(row)
        unsure = amount if made.unsure and not made.cost else 0
        reservations.add(account, month, spent=made.cost, unsure=unsure, reserved=-amount)
    db.session.commit()
