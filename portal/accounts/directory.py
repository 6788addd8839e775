"""The list of people for admins: found by part of their address, a page at a time. It reads and never writes."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select

from portal.accounts.models import User
from portal.accounts.passwords import is_chosen
from portal.database import db

PER_PAGE = 25
LAST_ID = 2**31 - 1


class Standing(StrEnum):
    """Whether a person can sign in."""

    ACTIVE = "active"
    INVITED = "invited"  # has not chosen a password yet
    SHUT_OUT = "shut_out"


@dataclass(frozen=True)
class People:
    """One page of the list, by address."""

    people: list[User]
    page: int  # from 1
    pages: int
    total: int


def standing(user: User) -> Standing:
    """Whether this person can sign in."""
    if not user.is_active:
        return Standing.SHUT_OUT
    return Standing.ACTIVE if is_chosen(user.password_hash) else Standing.INVITED


def people(q: str = "", page: int = 1) -> People:
    """Those whose address has this text in it; a page past the end is the last one. Who only exists so that the
    terminal's files belong to somebody is nobody."""
    where = [User.id > 0]
    if q := q.replace("\0", "").strip():
        where.append(User.email.icontains(q, autoescape=True))
    total = db.session.scalar(select(func.count()).select_from(User).where(*where)) or 0
    pages = max(1, -(-total // PER_PAGE))
    page = min(max(1, page), pages)
    found = select(User).where(*where).order_by(User.email).limit(PER_PAGE).offset((page - 1) * PER_PAGE)
    return People(list(db.session.scalars(found)), page, pages, total)


def find_person(user_id: int) -> User | None:
    """The person as they are now."""
    if not 0 < user_id <= LAST_ID:
        return None
    return db.session.get(User, user_id, populate_existing=True)
