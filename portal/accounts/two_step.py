"""Two-step sign-in: after the password, a code of six digits from an authenticator app (TOTP, RFC 6238), or one of ten
recovery codes where the telephone is lost.

The key is shown while the step is being set up, and never again. Every code works once: the app's code because its time
step is stored, a recovery code because it is marked as used; both by a guarded UPDATE, so that two simultaneous tries
cannot both win. Tries are throttled as passwords are, with counters of their own.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

import pyotp
from sqlalchemy import Update, delete, func, or_, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.accounts.errors import AccountError, AccountProblem
from portal.accounts.login_throttle import count_try, take_back_try
from portal.accounts.models import LoginSession, RecoveryCode, User
from portal.accounts.visitors import Visitor, device_in
from portal.database import hash_of, reading, writing

ISSUER = "Masterfilter"
STEP_SECONDS = 30
TOLERATED_STEPS = 1  # a telephone's clock may be half a minute off, or the person slow
Announce = Callable[[Session, User, datetime], None]  # writes the e-mail about a change, in its transaction

RECOVERY_CODES = 10
RECOVERY_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that could be taken for another
RECOVERY_LENGTH = 16  # 79 bits, so a fast hash is enough
THROTTLE = "code-"
TO_FINISH = timedelta(minutes=10)  # between the password and the code


def is_on(user: User) -> bool:
    """Return whether signing in asks this user for a code."""
    return user.totp_on_at is not None


def key_address(user: User) -> str:
    """Return the otpauth:// address that an authenticator app reads from the QR code. A secret."""
    return pyotp.TOTP(user.totp_key or "", interval=STEP_SECONDS).provisioning_uri(name=user.email, issuer_name=ISSUER)


def begin_set_up(user: User) -> None:
    """Make a new key, unless the step is already on. It is not asked for until `confirm`."""
    with writing() as session:
        mine = update(User).where(User.id == user.id, User.totp_on_at.is_(None))
        session.execute(mine.values(totp_key=pyotp.random_base32(), totp_step=None))


def confirm(user: User, code: str, visitor: Visitor, now: datetime, announce: Announce) -> list[str]:
    """Switch the second step on with a first code from the app; returns the recovery codes, which are shown once. All
    other sessions of the user end. Raises AccountError for a wrong code, TooManyTries."""
    device = _count(user, visitor, now)
    step = _step_of(user, code, now)
    if step is None:
        raise AccountError(AccountProblem.CODE_WRONG)
    unchanged = (User.id == user.id, User.totp_key == user.totp_key, User.totp_on_at.is_(None))
    with writing() as session:
        if not _changes(session, update(User).where(*unchanged).values(totp_on_at=now, totp_step=step)):
            raise AccountError(AccountProblem.CODE_WRONG)
        others = LoginSession.id != hash_of(user.session_token)
        session.execute(delete(LoginSession).where(LoginSession.user_id == user.id, others))
        audit.note_in(session, user.email, "two_step_on", "user", user.id, None, now)
        codes = _new_recovery_codes(session, user.id)
        announce(session, session.get_one(User, user.id, populate_existing=True), now)
    take_back_try(user.email, visitor.ip, now, device, THROTTLE)
    return codes


def use_code(user: User, code: str, visitor: Visitor, now: datetime) -> bool:
    """Return whether this is a code of the app or a recovery code, and use it up. Raises TooManyTries."""
    device = _count(user, visitor, now)
    if not (_use_app_code(user, code, now) or _use_recovery_code(user, code, now)):
        return False
    take_back_try(user.email, visitor.ip, now, device, THROTTLE)
    return True


def switch_off(user: User, now: datetime, announce: Announce) -> None:
    """Switch the second step off and forget the key and the recovery codes. The caller has checked the password."""
    with writing() as session:
        forget(session, user.id)
        audit.note_in(session, user.email, "two_step_off", "user", user.id, None, now)
        announce(session, session.get_one(User, user.id, populate_existing=True), now)


def reset_from_terminal(email: str, by: str, now: datetime, announce: Announce) -> bool:
    """Switch the second step off for the user of this address; False if there is none, or if it was not on."""
    email = email.strip().lower()
    with writing() as session:
        user = session.scalar(select(User).where(User.email == email, User.totp_on_at.is_not(None)).with_for_update())
        if user is None:
            return False
        forget(session, user.id)
        audit.note_in(session, by, "two_step_reset", "user", user.id, None, now, owner=email)
        announce(session, session.get_one(User, user.id, populate_existing=True), now)
    return True


def renew_recovery_codes(user: User, now: datetime) -> list[str]:
    """Replace all recovery codes; the new ones are shown once. The caller has checked the password."""
    with writing() as session:
        audit.note_in(session, user.email, "recovery_codes", "user", user.id, None, now)
        return _new_recovery_codes(session, user.id)


def unused_recovery_codes(user: User) -> int:
    """Return how many recovery codes are left."""
    mine = select(func.count()).where(RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))
    with reading() as session:
        return session.scalar(mine) or 0


def forget(session: Session, user_id: int) -> None:
    """Remove key and recovery codes in the caller's transaction."""
    session.execute(update(User).where(User.id == user_id).values(totp_key=None, totp_on_at=None, totp_step=None))
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def _count(user: User, visitor: Visitor, now: datetime) -> str | None:
    device = device_in(visitor, user, now)
    count_try(user.email, visitor.ip, now, device, THROTTLE)
    return device


def _step_of(user: User, code: str, now: datetime) -> int | None:
    """Return the half minute that this code belongs to; None if it is no code of now."""
    code = "".join(code.split())
    if not (user.totp_key and code.isascii() and code.isdigit() and len(code) == 6):
        return None
    app, present = pyotp.TOTP(user.totp_key, interval=STEP_SECONDS), int(now.timestamp()) // STEP_SECONDS
    near = range(present - TOLERATED_STEPS, present + TOLERATED_STEPS + 1)
    return next((step for step in near if secrets.compare_digest(app.generate_otp(step), code)), None)


def _use_app_code(user: User, code: str, now: datetime) -> bool:
    step = _step_of(user, code, now)
    if step is None:
        return False
    fresh = or_(User.totp_step.is_(None), User.totp_step < step)
    with writing() as session:
        mine = update(User).where(User.id == user.id, User.totp_on_at.is_not(None), fresh)
        return _changes(session, mine.values(totp_step=step))


def _use_recovery_code(user: User, code: str, now: datetime) -> bool:
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    unused = (
        RecoveryCode.user_id == user.id, RecoveryCode.code_hash == _hash(user.id, plain), RecoveryCode.used_at.is_(None)
    )  # fmt: skip
    with writing() as session:
        if not _changes(session, update(RecoveryCode).where(*unused).values(used_at=now)):
            return False
        audit.note_in(session, user.email, "recovery_code_used", "user", user.id, None, now)
    return True


def _new_recovery_codes(session: Session, user_id: int) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    plain = ["".join(secrets.choice(RECOVERY_LETTERS) for _ in range(RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(code_hash=_hash(user_id, code), user_id=user_id) for code in plain)
    return ["-".join(code[at : at + 4] for at in range(0, RECOVERY_LENGTH, 4)) for code in plain]


def _hash(user_id: int, plain: str) -> str:
    return hash_of(f"recovery:{user_id}:{plain}")


def _changes(session: Session, statement: Update) -> bool:
    return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined]
