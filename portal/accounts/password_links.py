"""The signed text in a letter's address by which a person chooses a password: after an invitation, or a forgotten one.

Nothing of it is kept. It is bound to the password of the moment when it was made, so that using it ends it and every
other one, and so does any other new password, or shutting the person out. It must never stand in a log, in a notice's
facts or in an admin's page but once.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import delete, select, update

from portal.accounts.errors import AccountError, AccountProblem
from portal.accounts.login_throttle import reset_email_tries
from portal.accounts.models import LoginSession, User
from portal.accounts.passwords import hash_password
from portal.database import reading, writing

LONGEST_TOKEN = 500  # letters; ours have about a hundred and fifty


class Purpose(StrEnum):
    """What the letter was written for."""

    RESET = "password_reset"
    INVITE = "invite"


VALID_FOR = {Purpose.RESET: timedelta(hours=2), Purpose.INVITE: timedelta(days=7)}


@dataclass(frozen=True)
class Access:
    """Whom a token lets choose a password, and why it was written."""

    user: User
    purpose: Purpose


def make_token(user: User, purpose: Purpose, written_at: datetime) -> str:
    """The token of a letter that was written then: the same letter has the same token at every try to send it, as long
    as the password stays."""
    return _signer().dumps([user.id, purpose.value, int(written_at.timestamp()), _fingerprint(user)])


def expires_at(purpose: Purpose, written_at: datetime) -> datetime:
    """Until when such a letter's address works."""
    return written_at + VALID_FOR[purpose]


def read_token(token: str, now: datetime) -> Access | None:
    """Whom it lets choose a password now; None when it was used, is too old, or is none of ours."""
    try:
        user_id, word, written, fingerprint = _signer().loads(token[:LONGEST_TOKEN])
        purpose, written_at = Purpose(word), datetime.fromtimestamp(written, UTC)
    except (BadData, ValueError, TypeError, OverflowError):
        return None
    if now >= expires_at(purpose, written_at):
        return None
    with reading() as session:
        user = session.scalar(select(User).where(User.id == user_id, User.is_active))
        session.expunge_all()
    if user is None or not hmac.compare_digest(_fingerprint(user), str(fingerprint)):
        return None
    return Access(user, purpose)


def choose_password(token: str, password: str, now: datetime) -> User:
    """Set the person's password and end every session of theirs. Raises AccountError: of two who use the same address
    at once, one finds it used."""
    access = read_token(token, now)
    if access is None:
        raise AccountError(AccountProblem.LINK_EXPIRED)
    user, password_hash = access.user, hash_password(password)
    unchanged = (
        User.id == user.id, User.password_hash == user.password_hash, User.auth_epoch == user.auth_epoch, User.is_active
    )  # fmt: skip
    with writing() as session:
        values = {"password_hash": password_hash, "auth_epoch": User.auth_epoch + 1}
        changed = session.execute(update(User).where(*unchanged).values(values))
        if changed.rowcount != 1:  # type: ignore[attr-defined]
            raise AccountError(AccountProblem.LINK_EXPIRED)
        session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
        reset_email_tries(session, user.email)
    return user


def _fingerprint(user: User) -> str:
    """A short text that another password, or being shut out in between, makes a different one."""
    return hashlib.sha256(f"{user.id}:{user.auth_epoch}:{user.password_hash}".encode()).hexdigest()[:24]


def _signer() -> URLSafeSerializer:
    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="portal.access", signer_kwargs=options)
