"""The e-mail channel: sends through the mail server or, if none is set, saves the e-mail in the data directory."""

import os
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from flask import current_app
from sqlalchemy import update

from portal.accounts import User
from portal.clock import utcnow
from portal.database import reading, writing
from portal.notices import mail_refusals
from portal.notices.email.build import Email, build_email
from portal.notices.email.smtp import AddressRejected, Patience, send
from portal.notices.errors import DeliveryFailed
from portal.notices.models import Delivery, Notice
from portal.notices.outbox import RETRY_SECONDS


def deliver(notice: Notice, now: datetime, patience_seconds: float = 0.0) -> str:
    """Send the notice; returns the mail server's answer. Raises DeliveryFailed or OSError.

    An address that the server does not know is remembered, and nothing more is sent to it.
    """
    with reading() as session:
        user = session.get(User, notice.user_id)
    if user is None or not user.is_active:  # deactivated since the notice was written
        raise DeliveryFailed("the account is deactivated", final=True)
    email = build_email(notice, user, now)
    if not current_app.config["MAIL_SERVER"]:
        return _save_to_data_directory(email)
    if (refusal := mail_refusals.refusal_of(user.email)) is not None:
        raise DeliveryFailed(f"not sent, because the mail server refused this address: {refusal}", final=True)
    try:
        return send(email, Patience(patience_seconds, lambda: _extend_lease(notice, patience_seconds)))
    except AddressRejected as error:
        mail_refusals.remember(user.email, error.answer, now)
        raise


def _extend_lease(notice: Notice, seconds: float) -> None:
    """Keep other senders from taking the notice while this one waits for the server's answer."""
    mine = (Notice.id == notice.id, Notice.tries == notice.tries, Notice.state == Delivery.SENDING)
    until = utcnow() + timedelta(seconds=seconds + RETRY_SECONDS)
    with writing() as session:
        session.execute(update(Notice).where(*mine).values(due_at=until))


def _save_to_data_directory(email: Email) -> str:
    folder: Path = current_app.config["PORTAL_DATA_DIR"] / "mail"
    folder.mkdir(exist_ok=True, mode=0o700)
    name = email.msgId.strip("<>").split("@")[0]
    unfinished = folder / f".{name}.tmp"
    unfinished.write_bytes(email.as_bytes())
    os.replace(unfinished, folder / f"{name}.eml")
    return f"mail/{name}.eml"


def delete_saved(before: datetime, most: int) -> int:
    """Delete e-mails that were saved before a moment, at most `most`, and return how many."""
    folder: Path = current_app.config["PORTAL_DATA_DIR"] / "mail"
    if not folder.is_dir():
        return 0
    old = (path for path in folder.iterdir() if path.stat().st_mtime < before.timestamp())
    files = list(islice(old, most))
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)
