"""Invitations and password resets, e-mails with a link to choose a password; and e-mails about a new password or
two-step sign-in, written in the transaction of the change.

They are sent like every other notice: stored, retried, sent once. The link is signed when the e-mail is built, from the
person's password and the notice's time, and is never stored.
"""

from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import String, cast, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import audit
from portal.accounts.admin import acting
from portal.accounts.errors import AccountError, AccountProblem
from portal.accounts.login_throttle import count_reset_request
from portal.accounts.models import User
from portal.accounts.password_links import Purpose, make_token
from portal.accounts.passwords import is_chosen, no_password
from portal.accounts.users import clean_email
from portal.database import db, upsert, writing
from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Delivery, Notice
from portal.notices.outbox import write

KINDS = {Purpose.RESET: NoticeKind.PASSWORD_RESET, Purpose.INVITE: NoticeKind.INVITE}


def link_for(user: User, purpose: Purpose, written_at: datetime) -> str:
    """The link in such an e-mail. Built from PUBLIC_URL, never from the host of a request."""
    return f"{current_app.config['PUBLIC_URL']}/reset/{make_token(user, purpose, written_at)}"


def request_reset(email: str, ip: str, now: datetime) -> None:
    """Write the notice if the address has an account, without revealing whether it has one.

    Known or unknown, the same statements run in one transaction, which writes in either case, so the time it takes
    reveals nothing. Two requests within a minute become one e-mail. Raises TooManyTries, with nothing written.
    """
    email = email.strip().lower()
    key = literal("password-reset.") + cast(User.id, String) + literal(f".{now:%Y%m%d%H%M}")
    fixed = {"kind": NoticeKind.PASSWORD_RESET, "channel": Channel.MAIL, "facts": {}, "state": Delivery.DUE, "tries": 0,
             "created_at": now, "due_at": now}  # fmt: skip
    columns = Notice.__table__.c
    row: dict[str, Any] = {name: literal(value, columns[name].type) for name, value in fixed.items()}
    row |= {"dedupe": key, "user_id": User.id}
    whose = select(*row.values()).where(User.email == email, User.is_active, User.id > 0)
    statement = upsert(Notice, ("dedupe",)).from_select(list(row), whose, include_defaults=False)
    with writing() as session:
        count_reset_request(session, email, ip, now)
        session.execute(statement)


def announce_password(session: Session, user: User, now: datetime) -> None:
    """Write the e-mail about a new password, in the caller's transaction."""
    _announce(session, user, "password", now)


def announce_two_step(session: Session, user: User, now: datetime) -> None:
    """The same about two-step sign-in, after it was switched on or off."""
    _announce(session, user, "two_step_on" if user.totp_on_at else "two_step_off", now)


def _announce(session: Session, user: User, what: str, now: datetime) -> None:
    kind = NoticeKind.ACCOUNT_CHANGED
    session.execute(
        upsert(Notice, ("dedupe",)).values(
            dedupe=f"{kind.key}.{what}.{user.id}.{now:%Y%m%d%H%M%S}", kind=kind, channel=Channel.MAIL, user_id=user.id,
            facts={"what": what}, state=Delivery.DUE, tries=0, created_at=now, due_at=now,
        )
    )  # fmt: skip


def send_reset(user_id: int, actor_id: int, now: datetime) -> str | None:
    """Write a reset, or an invitation where no password was chosen yet, on behalf of an admin. Returns the link for the
    admin to pass on if no mail server is set, else None. A deactivated person gets nothing: None."""
    actor = acting(actor_id)
    user = db.session.get(User, user_id, populate_existing=True)
    if user is None or not user.is_active:
        db.session.rollback()
        return None
    purpose = Purpose.RESET if is_chosen(user.password_hash) else Purpose.INVITE
    audit.note(actor.email, f"user_{purpose}", "user", user.id, None, now, owner=user.email)
    return _write_notice(user, purpose, now)


def invite(email: str, admin: bool, actor_id: int, now: datetime) -> tuple[User, str | None]:
    """Create a person without a password and write their invitation; the link is returned as in `send_reset`. Raises
    AccountError if the address is invalid or taken."""
    email = clean_email(email)
    actor = acting(actor_id)
    user = User(email=email, password_hash=no_password(), is_admin=admin, created_at=now)
    db.session.add(user)
    try:
        db.session.flush()
    except IntegrityError as error:
        db.session.rollback()
        raise AccountError(AccountProblem.EMAIL_TAKEN) from error
    role = "admin" if admin else "user"
    audit.note(actor.email, "user_invite", "user", user.id, None, now, owner=user.email, role=role)
    return user, _write_notice(user, Purpose.INVITE, now)


def _write_notice(user: User, purpose: Purpose, now: datetime) -> str | None:
    """Write the notice and commit; returns the link if no mail server is set."""
    kind = KINDS[purpose]
    write(f"{kind.key}.{user.id}.{now:%Y%m%d%H%M%S}", kind, user.id, None, {}, now)
    link = None if current_app.config["MAIL_SERVER"] else link_for(user, purpose, now)
    db.session.commit()
    return link
