"""The tables of money: what was spent in each month, what is reserved for numbers that are being asked about, and the
caps that administrators set. Amounts are billionths of a currency. Data only; `jobs.spending` reads and writes them.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, enum_check

EVERYBODY = 0
EVERY_SOURCE = ""
NOBODY = -1  # a command on the server: nobody is signed in there
OF_A_TRIAL = 0  # in the place of a job's id


class Spending(Model):
    """What one person spent at one source in one month. Sums are kept beside it: of a person at every source, of
    everybody at a source, and of the whole portal, so that a cap is judged by one row."""

    __tablename__ = "spending"

    month: Mapped[str] = mapped_column(String(7), primary_key=True)  # such as 2026-11, by the portal's clock
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 0: everybody
    source: Mapped[str] = mapped_column(String(40), primary_key=True)  # empty: every source
    currency: Mapped[str] = mapped_column(String(8), primary_key=True)
    spent: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # by answers that came in
    # by questions whose answer was lost with a worker or on the line: the source may have charged them
    unsure: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    reserved: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # for what is being asked now


class Reservation(Model):
    """What one worker has reserved for the numbers that it asks about, at the most that each may cost. With attempt and
    token 0: what batches may cost that the source has accepted and not answered yet. With job 0: what a trial may
    cost."""

    __tablename__ = "reservations"

    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    month: Mapped[str] = mapped_column(String(7))
    user_id: Mapped[int]
    source: Mapped[str] = mapped_column(String(40))
    currency: Mapped[str] = mapped_column(String(8))
    most: Mapped[int] = mapped_column(BigInteger)  # what one question may cost
    amount: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    at: Mapped[datetime] = mapped_column(UtcDateTime)  # of the last change


class CapScope(StrEnum):
    """Whose spending in a month a cap limits."""

    PERSON = "person"
    SOURCE = "source"
    PORTAL = "portal"


class SpendingCap(Model):
    """The most that may be spent in a month, in one currency."""

    __tablename__ = "spending_caps"

    scope: Mapped[CapScope] = mapped_column(EnumColumn(CapScope), primary_key=True)
    # a person's id, or a source's name; empty for the portal, and for every person who has no cap of their own
    whose: Mapped[str] = mapped_column(String(40), primary_key=True)
    currency: Mapped[str] = mapped_column(String(8), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    set_by: Mapped[str] = mapped_column(String(255))
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (enum_check("scope", CapScope),)
