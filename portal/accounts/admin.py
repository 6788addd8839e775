"""What administrators do with accounts: list them, deactivate and reactivate, change role and limits.

Each verb writes its audit entry in the same transaction, which it commits. Nobody may act on their own account, and the
administrator's role is read again under the same lock: whatever several of them do at once, at least one remains.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, or_, select

from portal import audit
from portal.accounts.errors import AccountError, AccountProblem
from portal.accounts.models import LoginSession, User
from portal.accounts.passwords import is_chosen
from portal.database import db

PER_PAGE = 25


class AccountStatus(StrEnum):
    """Whether a person can sign in."""

    ACTIVE = "active"
    INVITED = "invited"  # has not chosen a password yet
    DEACTIVATED = "deactivated"


@dataclass(frozen=True)
class UsersPage:
    """One page of the list, by address."""

    users: list[User]
    page: int  # from 1
    pages: int
    total: int


def account_status(user: User) -> AccountStatus:
    """Whether this person can sign in."""
    if not user.is_active:
        return AccountStatus.DEACTIVATED
    return AccountStatus.ACTIVE if is_chosen(user.password_hash) else AccountStatus.INVITED


def list_users(q: str = "", page: int = 1) -> UsersPage:
    """Those whose address has this text in it; a page past the end is the last one. Who only exists so that the
    terminal's files belong to somebody is nobody."""
    where = [User.id > 0]
    if q := q.replace("\0", "").strip():
        where.append(User.email.icontains(q, autoescape=True))
    total = db.session.scalar(select(func.count()).select_from(User).where(*where)) or 0
    pages = max(1, -(-total // PER_PAGE))
    page = min(max(1, page), pages)
    found = select(User).where(*where).order_by(User.email).limit(PER_PAGE).offset((page - 1) * PER_PAGE)
    return UsersPage(list(db.session.scalars(found)), page, pages, total)


def find_user(user_id: int) -> User | None:
    """The person as they are now."""
    if user_id <= 0:
        return None
    return db.session.get(User, user_id, populate_existing=True)


MOST_ROWS = 1_000_000  # as MAX_ROWS
MOST_FILES = 10_000


class NotAnAdmin(Exception):
    """Who asks is no admin any more, or was shut out."""


def deactivate(user_id: int, actor_id: int, why: str, now: datetime) -> bool:
    """Take the portal from a person: every session and every letter's address of theirs ends at once. Their files stay
    and go on. False when there is no such person or they were shut out already."""
    user, actor = _locked(user_id, actor_id)
    if user is None or not user.is_active:
        return _unchanged()
    user.is_active = False
    user.auth_epoch += 1
    db.session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
    return _audit("user_shut_out", user, actor, why, now)


def reactivate(user_id: int, actor_id: int, why: str, now: datetime) -> bool:
    """Let a person in again, with the password that they had."""
    user, actor = _locked(user_id, actor_id)
    if user is None or user.is_active:
        return _unchanged()
    user.is_active = True
    return _audit("user_let_in", user, actor, why, now)


def set_role(user_id: int, admin: bool, actor_id: int, why: str, now: datetime) -> bool:
    """Make a person an admin, or one no longer."""
    user, actor = _locked(user_id, actor_id)
    if user is None or user.is_admin == admin:
        return _unchanged()
    user.is_admin = admin
    return _audit("user_made_admin" if admin else "user_no_admin", user, actor, why, now)


def set_limits(
    user_id: int,
    max_rows: int | None,
    files_per_day: int | None,
    retention_days: int | None,
    actor_id: int,
    why: str,
    now: datetime,
) -> bool:
    """Give a person limits of their own; None is what the portal gives everybody, and 0 days keep their files for good.
    An admin may do it to allow_self."""
    user, actor = _locked(user_id, actor_id, allow_self=True)
    wanted = (max_rows, files_per_day, retention_days)
    if user is None or (user.max_rows, user.files_per_day, user.retention_days) == wanted:
        return _unchanged()
    user.max_rows, user.files_per_day, user.retention_days = wanted
    facts = {"rows": max_rows, "per_day": files_per_day, "days": retention_days}
    return _audit("user_limits", user, actor, why, now, **facts)


def acting(actor_id: int) -> User:
    """The admin who acts, locked until the end of the transaction. Raises NotAnAdmin."""
    return _locked(actor_id, actor_id, allow_self=True)[1]


def _locked(user_id: int, actor_id: int, *, allow_self: bool = False) -> tuple[User | None, User]:
    """The person and the admin who acts, as they are now and until the end of the transaction. Raises AccountError for
    allow_self, NotAnAdmin."""
    both = or_(User.id.in_([user_id, actor_id]), User.is_admin)
    rows = select(User).where(User.id > 0, both).order_by(User.id).with_for_update()
    found = {user.id: user for user in db.session.scalars(rows, execution_options={"populate_existing": True})}
    actor = found.get(actor_id)
    if actor is None or not actor.is_admin or not actor.is_active:
        db.session.rollback()
        raise NotAnAdmin
    if user_id == actor_id and not allow_self:
        db.session.rollback()
        raise AccountError(AccountProblem.OWN_ACCOUNT)
    return found.get(user_id), actor


def _unchanged() -> bool:
    db.session.rollback()
    return False


def _audit(verb: str, user: User, actor: User, why: str, now: datetime, **facts: Any) -> bool:
    audit.note(actor.email, verb, "user", user.id, why, now, owner=user.email, **facts)
    db.session.commit()
    return True
