"""What was spent, by month, person and source. Read-only."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs.core.spending_tables import EVERY_SOURCE, EVERYBODY, NOBODY, Spending


@dataclass(frozen=True)
class Spent:
    """What one person spent at one source in a month, in one currency. `email` is empty for an account that is gone,
    and for a command on the server (`is_command`)."""

    month: str
    email: str
    source: str
    currency: str
    spent: int
    unsure: int
    is_command: bool = False

    @property
    def total(self) -> int:
        """With what was perhaps spent."""
        return self.spent + self.unsure


def spent(user_id: int | None = None, month: str | None = None) -> list[Spent]:
    """Return what was spent, the newest month first, of one person or of everybody, in one month or in all."""
    row = Spending
    query = (
        select(row.month, User.email, row.source, row.currency, row.spent, row.unsure, row.user_id)
        .outerjoin(User, User.id == row.user_id)
        .where(row.user_id != EVERYBODY, row.source != EVERY_SOURCE, row.spent + row.unsure > 0)
        .order_by(row.month.desc(), User.email, row.source, row.currency)
    )
    if user_id is not None:
        query = query.where(row.user_id == user_id)
    if month is not None:
        query = query.where(row.month == month)
    return [
        Spent(of, email or "", source, currency, amount, unsure, who == NOBODY)
        for of, email, source, currency, amount, unsure, who in db.session.execute(query)
    ]


def months() -> Sequence[str]:
    """Return the months in which anything was spent, the newest first."""
    everybody = (Spending.user_id == EVERYBODY, Spending.source == EVERY_SOURCE, Spending.spent + Spending.unsure > 0)
    return db.session.scalars(select(Spending.month).where(*everybody).distinct().order_by(Spending.month.desc())).all()
