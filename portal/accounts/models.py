"""The tables: users, their signed-in browsers, recovery codes, one-time links, and the count of failed sign-ins."""

from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, String, or_
from sqlalchemy.orm import Mapped, mapped_column

from portal.clock import utcnow
from portal.database import Model, UtcDateTime
from portal.seed_compat import Objects


def _named(name: str) -> ColumnElement[bool]:
    """Match a user by e-mail address, or by the part before the @: in the seed, users had a user name."""
    name = name.strip().lower()
    return or_(User.email == name, User.email.startswith(f"{name}@", autoescape=True))


class User(Model):
    """One user. `auth_epoch` rises with a new password, which ends every earlier session and link."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)  # lower case
    password_hash: Mapped[str] = mapped_column(String(255))
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    auth_epoch: Mapped[int] = mapped_column(default=1)
    locale: Mapped[str | None] = mapped_column(String(5))  # empty: the browser's language
    time_zone: Mapped[str | None] = mapped_column(String(60))  # empty: DEFAULT_TIME_ZONE
    retention_days: Mapped[int | None]  # empty: RETENTION_DAYS; 0: files are kept forever
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # written every few minutes at most
    max_rows: Mapped[int | None]  # of one file; empty: MAX_ROWS
    files_per_day: Mapped[int | None]  # uploaded in a day of their time zone; empty: no limit
    totp_key: Mapped[str | None] = mapped_column(String(64))  # of the authenticator app, base32; empty: never set up
    totp_on_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # empty: signing in asks for no code
    totp_step: Mapped[int | None]  # of the last code that was used, in half minutes since 1970

    # Flask-Login needs these. The cookie carries the token of one session, never the user's id.
    is_authenticated = True
    is_anonymous = False
    session_token = ""

    objects = Objects(username=_named)

    def get_id(self) -> str:
        """Return what the browser's cookie carries: the token of the session that this user was loaded from."""
        return self.session_token


class LoginSession(Model):
    """One signed-in browser. The cookie carries a random token, the table only its hash."""

    __tablename__ = "login_sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    auth_epoch: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    network: Mapped[str | None] = mapped_column(String(64))  # where it was started from
    browser: Mapped[str | None] = mapped_column(String(40))  # such as Firefox; empty: unknown
    system: Mapped[str | None] = mapped_column(String(40))  # such as Windows; empty: unknown


class RecoveryCode(Model):
    """A code that replaces the authenticator app once, when the telephone is lost; only its hash is kept."""

    __tablename__ = "recovery_codes"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OneTimeLink(Model):
    """A one-time link, such as the first administrator's set-up link; only the hash of its token is kept."""

    __tablename__ = "one_time_addresses"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LoginThrottle(Model):
    """Failed sign-ins per network, e-mail address and known browser, and until when the next try must wait."""

    __tablename__ = "login_throttles"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    blocked_until: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # when in the past: the moment of the last failure
