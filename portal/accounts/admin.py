"""What administrators do with accounts: list them, deactivate and reactivate, change role and limits.

Each function writes its audit entry in the same transaction and commits it. Administrators cannot deactivate their own
account or change its role, and the actor's role is read again under the lock: whatever several of them do at the same
time, at least one administrator remains.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, or_, select

from portal import audit
from portal.accounts import two_step
from portal.accounts.errors import AccountError, AccountProblem
from portal.accounts.models import LoginSession, User
from portal.accounts.passwords import is_chosen
from portal.accounts.two_step import Announce
from portal.database import db

PER_PAGE = 25


class AccountStatus(StrEnum):
    """Whether a user can sign in."""

    ACTIVE = "active"
    INVITED = "invited"  # has not chosen a password yet
    DEACTIVATED = "deactivated"


@dataclass(frozen=True)
class UsersPage:
    """One page of the list, ordered by email address."""

    users: list[User]
    page: int  # from 1
    pages: int
    total: int


def account_status(user: User) -> AccountStatus:
    """Return whether this user can sign in."""
    if not user.is_active:
        return AccountStatus.DEACTIVATED
    return AccountStatus.ACTIVE if is_chosen(user.password_hash) else AccountStatus.INVITED


def list_users(q: str = "", page: int = 1) -> UsersPage:
    """List the users whose email address contains `q`; a page past the end is the last one. The internal owner of the
    terminal's files (an id below 1) is left out."""
    where = [User.id > 0]
    if q := q.replace("\0", "").strip():
        where.append(User.email.icontains(q, autoescape=True))
    total = db.session.scalar(select(func.count()).select_from(User).where(*where)) or 0
    pages = max(1, -(-total // PER_PAGE))
    page = min(max(1, page), pages)
    found = select(User).where(*where).order_by(User.email).limit(PER_PAGE).offset((page - 1) * PER_PAGE)
    return UsersPage(list(db.session.scalars(found)), page, pages, total)


def active_admins() -> list[str]:
    """Return the email addresses of the administrators who can sign in."""
    query = select(User.email).where(User.id > 0, User.is_admin, User.is_active).order_by(User.email)
    return list(db.session.scalars(query))


def everybody() -> list[tuple[int, str]]:
    """Return the id and the email address of each user."""
    query = select(User.id, User.email).where(User.id > 0).order_by(User.email)
    return [(user_id, email) for user_id, email in db.session.execute(query)]


def find_user(user_id: int) -> User | None:
    """Return the user, read again from the database."""
    if user_id <= 0:
        return None
    return db.session.get(User, user_id, populate_existing=True)


MOST_ROWS = 1_000_000  # as MAX_ROWS
MOST_FILES = 10_000


class NotAnAdmin(Exception):
    """The actor is no longer an administrator, or was deactivated."""


def deactivate(user_id: int, actor_id: int, why: str, now: datetime) -> bool:
    """Deactivate an account: all its sessions and emailed links end at once; its files are kept and continue. Returns
    False if the user does not exist or was already deactivated."""
    user, actor = _locked(user_id, actor_id)
    if user is None or not user.is_active:
        return _unchanged()
    user.is_active = False
    user.auth_epoch += 1
    db.session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
    return _audit("user_shut_out", user, actor, why, now)


def reactivate(user_id: int, actor_id: int, why: str, now: datetime) -> bool:
    """Let a user sign in again, with the same password as before."""
    user, actor = _locked(user_id, actor_id)
    if user is None or user.is_active:
        return _unchanged()
    user.is_active = True
    return _audit("user_let_in", user, actor, why, now)


def set_role(user_id: int, admin: bool, actor_id: int, why: str, now: datetime) -> bool:
    """Give a user the administrator role, or remove it."""
    user, actor = _locked(user_id, actor_id)
    if user is None or user.is_admin == admin:
        return _unchanged()
    user.is_admin = admin
    return _audit("user_made_admin" if admin else "user_no_admin", user, actor, why, now)


def reset_two_step(user_id: int, actor_id: int, why: str, now: datetime, announce: Announce) -> bool:
    """Switch a user's second step off, for one who has lost the telephone and the recovery codes; the password still
    counts. Returns False if it was not on."""
    user, actor = _locked(user_id, actor_id)
    if user is None or not two_step.is_on(user):
        return _unchanged()
    two_step.forget(db.session(), user.id)
    db.session.refresh(user)
    announce(db.session(), user, now)
    return _audit("two_step_reset", user, actor, why, now)


def set_limits(
    user_id: int,
    max_rows: int | None,
    files_per_day: int | None,
    retention_days: int | None,
    actor_id: int,
    why: str,
    now: datetime,
) -> bool:
    """Set a user's own limits. None means the portal's default, and 0 days keep the files forever. Administrators may
    also set their own."""
    user, actor = _locked(user_id, actor_id, allow_self=True)
    wanted = (max_rows, files_per_day, retention_days)
    if user is None or (user.max_rows, user.files_per_day, user.retention_days) == wanted:
        return _unchanged()
    user.max_rows, user.files_per_day, user.retention_days = wanted
    facts = {"rows": max_rows, "per_day": files_per_day, "days": retention_days}
    return _audit("user_limits", user, actor, why, now, **facts)


def acting(actor_id: int) -> User:
    """Return the acting administrator, locked until the end of the transaction. Raises NotAnAdmin."""
    return _locked(actor_id, actor_id, allow_self=True)[1]


def _locked(user_id: int, actor_id: int, *, allow_self: bool = False) -> tuple[User | None, User]:
    """Return the user and the acting administrator, both locked until the end of the transaction. Raises NotAnAdmin,
    and AccountError when they are the same one, unless `allow_self`."""
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
