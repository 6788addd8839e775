"""The addresses that the mail server has refused: nothing more is sent to them, because servers take a sender who goes
on for one of spam. A refusal ends when the person's address changes, or when an admin sends a notice again.
"""

from datetime import datetime

from sqlalchemy import delete, func, select

from portal.accounts import User
from portal.database import changed_rows, db, reading, upsert, writing
from portal.notices.models import ANSWER_LENGTH, MailRefusal


def refusal_of(address: str) -> str | None:
    """Return the mail server's answer for this address, if it refused it."""
    with reading() as session:
        return session.scalar(select(MailRefusal.answer).where(MailRefusal.address == address))


def remember(address: str, answer: str, now: datetime) -> None:
    """Keep the mail server's answer. Commits, in a transaction of its own."""
    statement = upsert(MailRefusal, ("address",), replace=("answer", "refused_at"))
    with writing() as session:
        session.execute(statement.values(address=address, answer=answer[:ANSWER_LENGTH], refused_at=now))


def forget(address: str) -> None:
    """Allow e-mails to this address again. Does not commit."""
    changed_rows(delete(MailRefusal).where(MailRefusal.address == address))


def count() -> int:
    """Count the addresses of active people that the mail server has refused."""
    refused = select(func.count()).select_from(MailRefusal).join(User, User.email == MailRefusal.address)
    return db.session.scalar(refused.where(User.is_active)) or 0
