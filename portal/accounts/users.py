"""The verbs on a person: made, signed in, a new password, a language and a time zone of their own."""

from datetime import datetime

from sqlalchemy import delete, exists, select, update
from sqlalchemy.exc import IntegrityError

from portal.accounts.errors import AccountError, AccountProblem
from portal.accounts.login_throttle import count_try, take_back_try
from portal.accounts.models import LoginSession, User
from portal.accounts.passwords import hash_password, is_outdated, matches
from portal.accounts.sessions import start_session
from portal.database import hash_of, reading, writing

LONGEST_RETENTION_DAYS = 36_500


def clean_email(text: str) -> str:
    """The address as it is kept. Raises AccountError when it cannot be one; whether it exists, only a mail tells."""
    email = text.strip().lower()
    name, at, host = email.rpartition("@")
    # Before the @ only what every mail server takes: to any other address no letter could ever be sent.
    sendable = name.isascii() and email.isprintable() and " " not in email and "@" not in name
    if not (name and at and host and sendable) or len(email) > 254:
        raise AccountError(AccountProblem.EMAIL_WRONG)
    return email


def create_user(email: str, password: str, *, admin: bool = False, now: datetime) -> User:
    """A new person. Raises AccountError when the address is wrong or taken, or the password's length is."""
    email = clean_email(email)
    user = User(email=email, password_hash=hash_password(password), is_admin=admin, created_at=now)
    try:
        with writing() as session:
            session.add(user)
    except IntegrityError as error:
        raise AccountError(AccountProblem.EMAIL_TAKEN) from error
    return user


def any_user_exists() -> bool:
    """Whether there is any person yet."""
    with reading() as session:
        return bool(session.scalar(select(exists().where(User.id > 0))))


def sign_in(email: str, password: str, ip: str, now: datetime) -> tuple[User, str] | None:
    """The person and the token of a new session; None when the address or the password is wrong, which is never told
    apart, not even by how long it takes. Raises TooManyTries when too many tries failed before."""
    email = email.strip().lower()
    count_try(email, ip, now)
    with reading() as session:
        user = session.scalar(select(User).where(User.email == email))
        session.expunge_all()
    if not matches(user.password_hash if user else None, password) or user is None or not user.is_active:
        return None
    take_back_try(email, ip, now)
    if is_outdated(user.password_hash):
        _keep_hash(user, hash_password(password))
    return user, start_session(user, now)


def _keep_hash(user: User, password_hash: str) -> None:
    """The same password under today's parameters: sessions stay alive."""
    with writing() as session:
        unchanged = (User.id == user.id, User.password_hash == user.password_hash)
        session.execute(update(User).where(*unchanged).values(password_hash=password_hash))


def change_password(user: User, present: str, new: str, ip: str, now: datetime) -> None:
    """A new password. Every other session of this person ends; the one they were loaded by lives on.

    Raises AccountError when the present password is wrong or the new one's length is, TooManyTries as sign_in does.
    """
    count_try(user.email, ip, now)
    if not matches(user.password_hash, present):
        raise AccountError(AccountProblem.PASSWORD_WRONG)
    take_back_try(user.email, ip, now)
    password_hash = hash_password(new)
    with writing() as session:
        kept = session.get_one(User, user.id, with_for_update=True)
        kept.password_hash = password_hash
        kept.auth_epoch += 1
        own = LoginSession.id == hash_of(user.session_token)
        session.execute(delete(LoginSession).where(LoginSession.user_id == user.id, ~own))
        session.execute(update(LoginSession).where(own).values(auth_epoch=kept.auth_epoch))


def set_display(user_id: int, **chosen: str | None) -> None:
    """Keep the person's `locale` or `time_zone`, or both; None gives the choice back to the browser or the portal."""
    if unknown := chosen.keys() - {"locale", "time_zone"}:
        raise TypeError(f"not a choice of a person: {unknown}")
    with writing() as session:
        session.execute(update(User).where(User.id == user_id).values(**chosen))


def set_retention(user_id: int, days: int | None) -> None:
    """For how many days the person's files are kept once they have ended: 0 for good, None as RETENTION_DAYS says.
    Raises ValueError for what is no number of days."""
    if days is not None and not 0 <= days <= LONGEST_RETENTION_DAYS:
        raise ValueError(f"days from 0 to {LONGEST_RETENTION_DAYS}")
    with writing() as session:
        session.execute(update(User).where(User.id == user_id).values(retention_days=days))
