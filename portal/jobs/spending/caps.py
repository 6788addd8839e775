"""The caps on what may be spent in a month: for a person, for a source, and for the portal, each in one currency.

An administrator sets them; a job's own cap is a column of the job. `reservations` keeps below them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from portal import audit
from portal.database import db, upsert
from portal.jobs.core.spending_tables import EVERY_SOURCE, EVERYBODY, CapScope, Spending, SpendingCap

EACH_PERSON = ""  # `whose` of the cap for every person who has none of their own
PORTAL = ""


@dataclass(frozen=True)
class Cap:
    """A cap that holds for somebody, and how much of it is used in a month: spent, perhaps spent, and reserved."""

    scope: CapScope | None  # None: of one job
    whose: str
    currency: str
    amount: int
    used: int = 0
    reserved: int = 0

    @property
    def left(self) -> int:
        """What is left of it; never less than nothing."""
        return max(0, self.amount - self.used)


def caps_of(user_id: int, source: str, currency: str, month: str) -> list[Cap]:
    """Return the caps that hold for this person at this source, with what is used of each."""
    named = {CapScope.PERSON: (EACH_PERSON, str(user_id)), CapScope.SOURCE: (source,), CapScope.PORTAL: (PORTAL,)}
    own: dict[CapScope, SpendingCap] = {}
    for cap in db.session.scalars(select(SpendingCap).where(SpendingCap.currency == currency)):
        if cap.whose in named[cap.scope] and (cap.scope not in own or cap.whose != EACH_PERSON):
            own[cap.scope] = cap
    if not own:
        return []
    counted = {CapScope.PERSON: (user_id, EVERY_SOURCE), CapScope.SOURCE: (EVERYBODY, source),
               CapScope.PORTAL: (EVERYBODY, EVERY_SOURCE)}  # fmt: skip
    found = []
    for scope, cap in own.items():
        used, reserved = _used(*counted[scope], currency, month)
        found.append(Cap(scope, cap.whose, currency, cap.amount, used, reserved))
    return found


def _used(user_id: int, source: str, currency: str, month: str) -> tuple[int, int]:
    row = db.session.execute(
        select(Spending.spent + Spending.unsure + Spending.reserved, Spending.reserved).where(
            Spending.month == month, Spending.user_id == user_id, Spending.source == source,
            Spending.currency == currency,
        )
    ).one_or_none()  # fmt: skip
    return (row[0], row[1]) if row else (0, 0)


def all_caps(month: str) -> Sequence[Cap]:
    """Return every cap with what is used of it in a month; of that for each person, nothing."""
    found = []
    for cap in db.session.scalars(select(SpendingCap).order_by(SpendingCap.scope, SpendingCap.whose)):
        user_id = int(cap.whose) if cap.scope == CapScope.PERSON and cap.whose else EVERYBODY
        source = cap.whose if cap.scope == CapScope.SOURCE else EVERY_SOURCE
        counted = cap.scope != CapScope.PERSON or cap.whose != EACH_PERSON
        used, reserved = _used(user_id, source, cap.currency, month) if counted else (0, 0)
        found.append(Cap(cap.scope, cap.whose, cap.currency, cap.amount, used, reserved))
    return found


def set_cap(scope: CapScope, whose: str, currency: str, amount: int | None, by: str, now: datetime) -> None:
    """Set a cap, or remove it with None. Goes to the audit. Commits."""
    if amount is None:
        known = (SpendingCap.scope == scope, SpendingCap.whose == whose, SpendingCap.currency == currency)
        db.session.execute(delete(SpendingCap).where(*known))
    else:
        row = {"scope": scope, "whose": whose, "currency": currency, "amount": amount, "set_by": by, "set_at": now}
        key = ("scope", "whose", "currency")
        db.session.execute(upsert(SpendingCap, key, replace=("amount", "set_by", "set_at")).values(row))
    audit.note(by, "cap_set", "setting", None, None, now, scope=scope, whose=whose, amount=amount, currency=currency)
    db.session.commit()
