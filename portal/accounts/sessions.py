"""Signed-in browsers: each has a row, so that signing out, a new password and inactivity really end the session, and so
that people see on their account page where they are signed in."""

import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update

from portal.accounts.models import LoginSession, User
from portal.accounts.visitors import Visitor
from portal.database import db, hash_of, reading, writing

MAX_IDLE = timedelta(hours=12)
MAX_AGE = timedelta(days=14)
USER_SEEN_EVERY = timedelta(minutes=5)
SEEN_EVERY = timedelta(minutes=1)  # a live page polls every two seconds; one write a minute is enough


@dataclass(frozen=True)
class SignedInBrowser:
    """One session as its user sees it. `id` is the hash of the cookie's token, which is safe to show."""

    id: str
    browser: str | None
    system: str | None
    network: str | None
    started_at: datetime
    seen_at: datetime
    is_this: bool


def start_session(user: User, now: datetime, visitor: Visitor | None = None) -> str:
    """Start a session and return its token, for the cookie. Expired sessions are deleted."""
    token = secrets.token_urlsafe(32)
    with writing() as session:
        session.execute(
            delete(LoginSession).where(
                or_(LoginSession.created_at < now - MAX_AGE, LoginSession.seen_at < now - MAX_IDLE)
            )
        )
        session.execute(update(User).where(User.id == user.id).values(seen_at=now))
        where = {"network": visitor.network, "browser": visitor.browser, "system": visitor.system} if visitor else {}
        session.add(
            LoginSession(
                id=hash_of(token), user_id=user.id, auth_epoch=user.auth_epoch, created_at=now, seen_at=now, **where
            )
        )  # fmt: skip
    return token


def session_user(token: str, now: datetime) -> User | None:
    """Return the user of this session, detached from any database session; None when the session has ended.

    It ends by signing out, after 12 idle hours or 14 days, with a new password, or when the account is deactivated.
    """
    with reading() as session:
        found = session.execute(
            select(User, LoginSession.seen_at)
            .join(LoginSession, LoginSession.user_id == User.id)
            .where(
                LoginSession.id == hash_of(token),
                *_alive(now),
                User.is_active,
            )
        ).one_or_none()
        session.expunge_all()
    if found is None:
        return None
    user, seen_at = found
    user.session_token = token
    if now - seen_at >= SEEN_EVERY:
        _touch(token, user, now)
    return user


def _in_pieces(ids: Collection[str], most: int = 500) -> Iterator[list[str]]:
    every = list(ids)
    return (every[start : start + most] for start in range(0, len(every), most))


def session_id(user: User) -> str:
    """Return the id of the session that this user was loaded from."""
    return hash_of(user.session_token)


def living_sessions(ids: Collection[str], now: datetime) -> dict[str, User]:
    """Return the users of those of these sessions that have not ended, by the session's id. It does not count as using
    them: an open page keeps no session alive."""
    found: dict[str, User] = {}
    with reading() as session:
        for some in _in_pieces(ids):
            alive = (LoginSession.id.in_(some), *_alive(now), User.is_active)
            rows = session.execute(
                select(LoginSession.id, User).join(User, LoginSession.user_id == User.id).where(*alive)
            )
            found.update((session_id, user) for session_id, user in rows)
        session.expunge_all()
    return found


def _touch(token: str, user: User, now: datetime) -> None:
    with db.engine.begin() as connection:
        connection.execute(update(LoginSession).where(LoginSession.id == hash_of(token)).values(seen_at=now))
        if user.seen_at is None or now - user.seen_at >= USER_SEEN_EVERY:
            connection.execute(update(User).where(User.id == user.id).values(seen_at=now))


def _alive(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        LoginSession.auth_epoch == User.auth_epoch,
        LoginSession.created_at > now - MAX_AGE,
        LoginSession.seen_at > now - MAX_IDLE,
    )


def sessions_of(user: User, now: datetime) -> list[SignedInBrowser]:
    """Return where the user is signed in, this browser first, then the one seen last."""
    mine = select(LoginSession).join(User, LoginSession.user_id == User.id).where(User.id == user.id, *_alive(now))
    this = hash_of(user.session_token)
    with reading() as session:
        rows = session.scalars(mine.order_by(LoginSession.id != this, LoginSession.seen_at.desc())).all()
    return [
        SignedInBrowser(row.id, row.browser, row.system, row.network, row.created_at, row.seen_at, row.id == this)
        for row in rows
    ]


def end_session(token: str) -> None:
    """Sign this browser out: the cookie and all its copies stop working."""
    with writing() as session:
        session.execute(delete(LoginSession).where(LoginSession.id == hash_of(token)))


def end_other_sessions(user: User, session_id: str | None = None) -> int:
    """Sign the user out in one other browser, or in all others, and return how many sessions ended. Nobody can end
    another user's session, nor this one by this."""
    ended = delete(LoginSession).where(LoginSession.user_id == user.id, LoginSession.id != hash_of(user.session_token))
    if session_id is not None:
        ended = ended.where(LoginSession.id == session_id)
    with writing() as session:
        return int(session.execute(ended).rowcount)  # type: ignore[attr-defined]
