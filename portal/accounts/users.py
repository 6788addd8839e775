"""Users: create one, sign in, change the password, set language, time zone and retention."""

from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address

import structlog
from sqlalchemy import delete, exists, select, update
from sqlalchemy.exc import IntegrityError

from portal import audit
from portal.accounts import two_step
from portal.accounts.errors import AccountError, AccountProblem, TooManyTries
from portal.accounts.login_throttle import count_try, take_back_try
from portal.accounts.models import LoginSession, User
from portal.accounts.passwords import hash_password, is_outdated, matches, rehash
from portal.accounts.sessions import end_session, start_session
from portal.accounts.two_step import Announce
from portal.accounts.visitors import Visitor, device_in
from portal.database import reading, writing

log = structlog.get_logger(__name__)

LONGEST_RETENTION_DAYS = 36_500


def clean_email(text: str) -> str:
    """Return the e-mail address as it is stored. Raises AccountError when it is not valid; only an e-mail can show
    whether it exists."""
    email = text.strip().lower()
    name, at, host = email.rpartition("@")
    # Before the @, only characters that every mail server accepts: no e-mail could be sent to other addresses.
    sendable = name.isascii() and email.isprintable() and " " not in email and "@" not in name
    if not (name and at and host and sendable) or len(email) > 254 or not _is_one_address(email):
        raise AccountError(AccountProblem.EMAIL_WRONG)
    return email


def _is_one_address(email: str) -> bool:
    """Whether a mail program takes this text for one address and nothing else: `<x@y>` would go to x@y."""
    try:
        address = Address(addr_spec=email)
    except (ValueError, IndexError, MessageError):
        return False
    labels = address.domain.split(".")
    return address.addr_spec == email and all(labels) and not address.domain.startswith("[")


def create_user(email: str, password: str, *, admin: bool = False, by: str = "", now: datetime) -> User:
    """Create a user; `by` is the name in the audit log, where there must be an entry. Raises AccountError for an
    invalid or taken e-mail address, or a password that is refused."""
    email = clean_email(email)
    user = User(email=email, password_hash=hash_password(password, email), is_admin=admin, created_at=now)
    try:
        with writing() as session:
            session.add(user)
            session.flush()
            if by:
                role = "admin" if admin else "user"
                audit.note_in(session, by, "user_created", "user", user.id, None, now, owner=email, role=role)
    except IntegrityError as error:
        raise AccountError(AccountProblem.EMAIL_TAKEN) from error
    return user


def any_user_exists() -> bool:
    """Return whether any user exists."""
    with reading() as session:
        return bool(session.scalar(select(exists().where(User.id > 0))))


@dataclass(frozen=True)
class SignedIn:
    """Who gave the right password, and the token of the new session; None while the second step is missing."""

    user: User
    token: str | None


def find_active(user_id: int, epoch: int) -> User | None:
    """Return the user if nothing has ended their sessions since: no new password, no deactivation."""
    with reading() as session:
        user = session.scalar(select(User).where(User.id == user_id, User.auth_epoch == epoch, User.is_active))
        session.expunge_all()
    return user


def sign_in(email: str, password: str, visitor: Visitor, now: datetime) -> SignedIn | None:
    """Start a session, or ask for the second step; None when the e-mail address or the password is wrong. The two cases
    cannot be told apart, not even by the time they take. Raises TooManyTries after too many failures."""
    email = email.strip().lower()
    with reading() as session:
        user = session.scalar(select(User).where(User.email == email, User.id > 0))
        session.expunge_all()
    facts = {"user_id": user.id if user else None, "network": visitor.network}
    device = device_in(visitor, user, now)
    try:
        count_try(email, visitor.ip, now, device)
    except TooManyTries as error:
        log.warning("sign-in has to wait", seconds=error.seconds, **facts)
        raise
    if not matches(user.password_hash if user else None, password) or user is None or not user.is_active:
        log.warning("sign-in failed", known_browser=device is not None, **facts)
        return None
    take_back_try(email, visitor.ip, now, device)
    if is_outdated(user.password_hash):
        _keep_hash(user, rehash(password))
    if two_step.is_on(user):
        log.info("sign-in waits for the second step", **facts)
        return SignedIn(user, None)
    return SignedIn(user, _signed_in(user, visitor, now))


def second_step(user: User, code: str, visitor: Visitor, now: datetime) -> str | None:
    """Start the session of a user whose password was right, and return its token; None when the code is wrong. Raises
    TooManyTries."""
    facts = {"user_id": user.id, "network": visitor.network}
    try:
        right = two_step.use_code(user, code, visitor, now)
    except TooManyTries as error:
        log.warning("second step has to wait", seconds=error.seconds, **facts)
        raise
    if not right:
        log.warning("second step failed", **facts)
        return None
    return _signed_in(user, visitor, now)


def _signed_in(user: User, visitor: Visitor, now: datetime) -> str:
    log.info("signed in", user_id=user.id, network=visitor.network)
    if user.is_admin:
        with writing() as session:
            audit.note_in(session, user.email, "signed_in", "user", user.id, None, now, network=visitor.network)
    return start_session(user, now, visitor)


def sign_out(user: User, visitor: Visitor) -> None:
    """End the session that loaded the user."""
    end_session(user.session_token)
    log.info("signed out", user_id=user.id, network=visitor.network)


def _keep_hash(user: User, password_hash: str) -> None:
    """Store the same password, hashed with the present parameters. Sessions continue."""
    with writing() as session:
        unchanged = (User.id == user.id, User.password_hash == user.password_hash)
        session.execute(update(User).where(*unchanged).values(password_hash=password_hash))


def check_password(user: User, password: str, visitor: Visitor, now: datetime) -> None:
    """Check the password of somebody who is signed in, before what a stolen session must not do. Raises AccountError
    for a wrong one, TooManyTries as sign_in does."""
    device = device_in(visitor, user, now)
    count_try(user.email, visitor.ip, now, device)
    if not matches(user.password_hash, password):
        log.warning("password check failed", user_id=user.id, network=visitor.network)
        raise AccountError(AccountProblem.PASSWORD_WRONG)
    take_back_try(user.email, visitor.ip, now, device)


def change_password(
    user: User, present: str, new: str, visitor: Visitor, now: datetime, announce: Announce | None = None
) -> SignedIn:
    """Change the password. All sessions of this user end, this one and its copies too, and a new one starts.

    `announce` is called in the same transaction. Raises AccountError for a wrong current password or a new one that is
    refused, TooManyTries as sign_in does.
    """
    check_password(user, present, visitor, now)
    password_hash = hash_password(new, user.email)
    with writing() as session:
        kept = session.get_one(User, user.id, with_for_update=True)
        kept.password_hash = password_hash
        kept.auth_epoch += 1
        session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
        audit.note_in(session, user.email, "password_changed", "user", user.id, None, now, network=visitor.network)
        if announce:
            announce(session, kept, now)
    log.info("password changed", user_id=user.id, network=visitor.network)
    return SignedIn(kept, start_session(kept, now, visitor))


def set_display(user_id: int, **chosen: str | None) -> None:
    """Store the user's `locale` or `time_zone`, or both; None returns to the browser's or the portal's."""
    if unknown := chosen.keys() - {"locale", "time_zone"}:
        raise TypeError(f"not a display setting: {unknown}")
    with writing() as session:
        session.execute(update(User).where(User.id == user_id).values(**chosen))


def set_retention(user_id: int, days: int | None) -> None:
    """Set for how many days the user's finished files are kept: 0 for ever, None for RETENTION_DAYS. Raises ValueError
    for a number out of range."""
    if days is not None and not 0 <= days <= LONGEST_RETENTION_DAYS:
        raise ValueError(f"days from 0 to {LONGEST_RETENTION_DAYS}")
    with writing() as session:
        session.execute(update(User).where(User.id == user_id).values(retention_days=days))
