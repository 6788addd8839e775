"""The set-up address: a fresh portal has no usable login, and who can read its terminal makes the first admin."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, select, update

from portal.accounts.errors import AccountError, AccountProblem
from portal.accounts.models import OneTimeLink, User
from portal.accounts.passwords import hash_password
from portal.accounts.users import clean_email
from portal.database import hash_of, reading, writing

PURPOSE = "set-up"
VALID_FOR = timedelta(hours=24)


def make_setup_link(now: datetime) -> str | None:
    """The token of a new set-up address, valid for 24 hours; None when there is somebody already.

    The addresses made before stop working, so that a forgotten one lies around nowhere.
    """
    token = secrets.token_urlsafe(32)
    with writing() as session:
        if session.scalar(select(exists().where(User.id > 0))):
            return None
        session.execute(delete(OneTimeLink).where(OneTimeLink.purpose == PURPOSE))
        session.add(OneTimeLink(token_hash=hash_of(token), purpose=PURPOSE, expires_at=now + VALID_FOR))
    return token


def setup_link_is_open(token: str, now: datetime) -> bool:
    """Whether the address would make the first admin now."""
    with reading() as session:
        return bool(session.scalar(select(exists().where(*_open(token, now)))))


def use_setup_link(token: str, email: str, password: str, now: datetime) -> User:
    """Make the first admin. Of two who do this at once, one gets AccountError and nothing is changed by them."""
    email = clean_email(email)
    password_hash = hash_password(password)
    with writing() as session:
        used = session.execute(update(OneTimeLink).where(*_open(token, now)).values(used_at=now))
        if used.rowcount != 1:  # type: ignore[attr-defined]
            raise AccountError(AccountProblem.LINK_EXPIRED)
        user = User(email=email, password_hash=password_hash, is_admin=True, created_at=now)
        session.add(user)
    return user


def _open(token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        OneTimeLink.token_hash == hash_of(token),
        OneTimeLink.purpose == PURPOSE,
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > now,
        ~exists().where(User.id > 0),
    )
