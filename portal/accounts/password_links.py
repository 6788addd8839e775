"""Signed tokens for the links in invitation and password-reset e-mails, with which a user chooses a password.

Tokens are not stored. Each is bound to the password at the time it was made, so using one ends it and all others; so
does any other new password, and deactivating the account. A token must never appear in a log or in a notice's facts,
and on an administrator's page only once.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import structlog
from flask import current_app
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import delete, select, update

from portal import audit
from portal.accounts.errors import AccountError, AccountProblem
from portal.accounts.login_throttle import reset_email_tries
from portal.accounts.models import LoginSession, User
from portal.accounts.passwords import hash_password
from portal.accounts.two_step import Announce
from portal.accounts.visitors import Visitor
from portal.database import reading, writing

log = structlog.get_logger(__name__)

LONGEST_TOKEN = 500  # characters; our tokens have about 150


class Purpose(StrEnum):
    """Why the e-mail is sent."""

    RESET = "password_reset"
    INVITE = "invite"


VALID_FOR = {Purpose.RESET: timedelta(hours=2), Purpose.INVITE: timedelta(days=7)}


@dataclass(frozen=True)
class Access:
    """The user who may choose a password with a token, and why it was made."""

    user: User
    purpose: Purpose


def make_token(user: User, purpose: Purpose, written_at: datetime) -> str:
    """Return the token of an e-mail written at `written_at`. The same e-mail has the same token at every try to send
    it, as long as the password stays the same."""
    return _signer().dumps([user.id, purpose.value, int(written_at.timestamp()), _fingerprint(user)])


def expires_at(purpose: Purpose, written_at: datetime) -> datetime:
    """Return until when the link in such an e-mail works."""
    return written_at + VALID_FOR[purpose]


def read_token(token: str, now: datetime) -> Access | None:
    """Return who may choose a password with it now; None when it was used, is too old, or is not ours."""
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


def choose_password(token: str, password: str, visitor: Visitor, now: datetime, announce: Announce) -> User:
    """Set the user's password and end all of the user's sessions. `announce` is called in the same transaction. Raises
    AccountError; when a link is used twice at the same time, the second one fails."""
    access = read_token(token, now)
    if access is None:
        raise AccountError(AccountProblem.LINK_EXPIRED)
    user, password_hash = access.user, hash_password(password, access.user.email)
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
        audit.note_in(session, user.email, "password_chosen", "user", user.id, None, now, network=visitor.network)
        if access.purpose is Purpose.RESET:
            announce(session, user, now)
    log.info("password chosen", user_id=user.id, network=visitor.network, purpose=access.purpose.value)
    return user


def _fingerprint(user: User) -> str:
    """Return a short text that changes with the password, and when the account is deactivated."""
    return hashlib.sha256(f"{user.id}:{user.auth_epoch}:{user.password_hash}".encode()).hexdigest()[:24]


def _signer() -> URLSafeSerializer:
    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(current_app.config["SIGNING_KEYS"], salt="portal.access", signer_kwargs=options)
