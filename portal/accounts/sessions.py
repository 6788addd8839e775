"""Signed-in browsers: each has a row, so that signing out, a new password and inactivity really end the session."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update

from portal.accounts.models import LoginSession, User
from portal.database import db, hash_of, reading, writing

MAX_IDLE = timedelta(hours=12)
MAX_AGE = timedelta(days=14)
USER_SEEN_EVERY = timedelta(minutes=5)
SEEN_EVERY = timedelta(minutes=1)  # a live page polls every two seconds; one write a minute is enough


def start_session(user: User, now: datetime) -> str:
    """Start a session and return its token, for the cookie. Expired sessions are deleted."""
    token = secrets.token_urlsafe(32)
    with writing() as session:
        session.execute(
            delete(LoginSession).where(
                or_(LoginSession.created_at < now - MAX_AGE, LoginSession.seen_at < now - MAX_IDLE)
            )
        )
        session.execute(update(User).where(User.id == user.id).values(seen_at=now))
        session.add(
            LoginSession(id=hash_of(token), user_id=user.id, auth_epoch=user.auth_epoch, created_at=now, seen_at=now)
        )
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
                LoginSession.auth_epoch == User.auth_epoch,
                LoginSession.created_at > now - MAX_AGE,
                LoginSession.seen_at > now - MAX_IDLE,
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


def _touch(token: str, user: User, now: datetime) -> None:
    with db.engine.begin() as connection:
        connection.execute(update(LoginSession).where(LoginSession.id == hash_of(token)).values(seen_at=now))
        if user.seen_at is None or now - user.seen_at >= USER_SEEN_EVERY:
            connection.execute(update(User).where(User.id == user.id).values(seen_at=now))


def end_session(token: str) -> None:
    """Sign this browser out: the cookie and all its copies stop working."""
    with writing() as session:
        session.execute(delete(LoginSession).where(LoginSession.id == hash_of(token)))
