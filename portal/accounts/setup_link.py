"""The set-up link: a new portal has no usable login, so the person who can read its terminal makes the first admin."""

import secrets
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, delete, exists, select, update

from portal import audit
from portal.accounts.errors import AccountError, AccountProblem
from portal.accounts.models import OneTimeLink, User
from portal.accounts.passwords import hash_password
from portal.accounts.users import clean_email
from portal.database import hash_of, reading, writing

log = structlog.get_logger(__name__)

PURPOSE = "set-up"
VALID_FOR = timedelta(hours=24)


def make_setup_link(now: datetime) -> str | None:
    """Return the token of a new set-up link, valid for 24 hours; None when a user exists already.

    Earlier links stop working, so that no forgotten one stays valid.
    """
    token = secrets.token_urlsafe(32)
    with writing() as session:
        if session.scalar(select(exists().where(User.id > 0))):
            return None
        session.execute(delete(OneTimeLink).where(OneTimeLink.purpose == PURPOSE))
        session.add(OneTimeLink(token_hash=hash_of(token), purpose=PURPOSE, expires_at=now + VALID_FOR))
    return token


def setup_link_is_open(token: str, now: datetime) -> bool:
    """Return whether the link can make the first administrator now."""
    with reading() as session:
        return bool(session.scalar(select(exists().where(*_open(token, now)))))


def use_setup_link(token: str, email: str, password: str, now: datetime) -> User:
    """Create the first administrator. When it is used twice at the same time, the second call raises AccountError and
    changes nothing."""
    email = clean_email(email)
    password_hash = hash_password(password, email)
    with writing() as session:
        used = session.execute(update(OneTimeLink).where(*_open(token, now)).values(used_at=now))
        if used.rowcount != 1:  # type: ignore[attr-defined]
            raise AccountError(AccountProblem.LINK_EXPIRED)
        user = User(email=email, password_hash=password_hash, is_admin=True, created_at=now)
        session.add(user)
        session.flush()
        audit.note_in(session, email, "user_created", "user", user.id, None, now, owner=email, role="admin")
    log.info("first administrator created", user_id=user.id)
    return user


def _open(token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        OneTimeLink.token_hash == hash_of(token),
        OneTimeLink.purpose == PURPOSE,
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > now,
        ~exists().where(User.id > 0),
    )
