"""The mail channel: a letter handed to the mail server or, when there is none, laid in the data directory as a file."""

import os
from datetime import datetime
from pathlib import Path

from flask import current_app

from portal.accounts import User
from portal.database import reading
from portal.notices.email.build import Email, letter
from portal.notices.email.smtp import post
from portal.notices.errors import DeliveryFailed
from portal.notices.models import Notice


def deliver(notice: Notice, now: datetime) -> str:
    """Send it, and say what the mail server answered. Raises Undelivered or OSError."""
    with reading() as session:
        user = session.get(User, notice.user_id)
    if user is None or not user.is_active:  # shut out since it was written, and told nothing any more
        raise DeliveryFailed("nobody to write to", final=True)
    written = letter(notice, user, now)
    if current_app.config["MAIL_SERVER"]:
        return post(written)
    return _lay_down(written)


def _lay_down(written: Email) -> str:
    folder: Path = current_app.config["PORTAL_DATA_DIR"] / "mail"
    folder.mkdir(exist_ok=True, mode=0o700)
    name = written.msgId.strip("<>").split("@")[0]
    unfinished = folder / f".{name}.tmp"
    unfinished.write_bytes(written.as_bytes())
    os.replace(unfinished, folder / f"{name}.eml")
    return f"mail/{name}.eml"
