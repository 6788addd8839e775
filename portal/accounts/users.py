"""Users: create one, sign in, change the password, set language, time zone and retention."""

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
    """Return the e-mail address as it is stored. Raises AccountError when it is not valid; only an e-mail can show
    whether it exists."""
    email = text.strip().lower()
    name, at, host = email.rpartition("@")
    # Before the @, only characters that every mail server accepts: no e-mail could be sent to other addresses.
    sendable = name.isascii() and email.isprintable() and " " not in email and "@" not in name
    if not (name and at and host and sendable) or len(email) > 254:
        raise AccountError(AccountProblem.EMAIL_WRONG)
    return email


def create_user(email: str, password: str, *, admin: bool = False, now: datetime) -> User:
    """Create a user. Raises AccountError for an invalid or taken e-mail address, or a password of a wrong length."""
    email = clean_email(email)
    user = User(email=email, password_hash=hash_password(password), is_admin=admin, created_at=now)
    try:
        with writing() as session:
            session.add(user)
    except IntegrityError as error:
        raise AccountError(AccountProblem.EMAIL_TAKEN) from error
    return user


def any_user_exists() -> bool:
    """Return whether any user exists."""
    with reading() as session:
        return bool(session.scalar(select(exists().where(User.id > 0))))


def sign_in(email: str, password: str, ip: str, now: datetime) -> tuple[User, str] | None:
    """Return the user and the token of a new session; None when the e-mail address or the password is wrong. The two
    cases cannot be told apart, not even by the time they take. Raises TooManyTries after too many failures."""
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
    """Store the same password, hashed with the present parameters. Sessions continue."""
    with writing() as session:
        unchanged = (User.id == user.id, User.password_hash == user.password_hash)
        session.execute(update(User).where(*unchanged).values(password_hash=password_hash))


def change_password(user: User, present: str, new: str, ip: str, now: datetime) -> None:
    """Change the password. All other sessions of this user end; the one that loaded the user continues.

    Raises AccountError for a wrong current password or a new one of a wrong length, TooManyTries as sign_in does.
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
