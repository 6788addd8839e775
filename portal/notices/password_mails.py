"""Letters by which a person chooses a password: the invitation, and the one that was asked for at the sign-in.

They go out like every other notice: kept, tried again, sent once. The address in them is signed when the letter is
written, from the person's password and the notice's moment, and is kept nowhere.
"""

from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import String, cast, literal, select
from sqlalchemy.exc import IntegrityError

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


def address_of(user: User, purpose: Purpose, written_at: datetime) -> str:
    """The address in such a letter. Built from PUBLIC_URL, never from how somebody called us."""
    return f"{current_app.config['PUBLIC_URL']}/reset/{make_token(user, purpose, written_at)}"


def ask_for_reset(email: str, ip: str, now: datetime) -> None:
    """Write the letter if there is such a person; nobody can tell from outside whether there is.

    Known or unknown, it is the same statements in one transaction, which writes in either case: who measures how long
    it takes learns nothing. Raises TooManyTries, with nothing written. Two within a minute are one letter.
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


def send_reset(user_id: int, actor_id: int, now: datetime) -> str | None:
    """An admin has the letter written. The address when no mail server is set, for the admin to hand on; else None.
    Nothing happens to who was shut out: None."""
    actor = acting(actor_id)
    user = db.session.get(User, user_id, populate_existing=True)
    if user is None or not user.is_active:
        db.session.rollback()
        return None
    purpose = Purpose.RESET if is_chosen(user.password_hash) else Purpose.INVITE
    audit.note(actor.email, f"user_{purpose}", "user", user.id, None, now, owner=user.email)
    return _write_letter(user, purpose, now)


def invite(email: str, admin: bool, actor_id: int, now: datetime) -> tuple[User, str | None]:
    """A new person without a password, and the letter that lets them choose one; the address as in `send_reset`.
    Raises AccountError when the address is wrong or taken."""
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
    return user, _write_letter(user, Purpose.INVITE, now)


def _write_letter(user: User, purpose: Purpose, now: datetime) -> str | None:
    """Write the letter and commit."""
    kind = KINDS[purpose]
    write(f"{kind.key}.{user.id}.{now:%Y%m%d%H%M%S}", kind, user.id, None, {}, now)
    address = None if current_app.config["MAIL_SERVER"] else address_of(user, purpose, now)
    db.session.commit()
    return address
