"""The e-mail channel: sends through the mail server or, if none is set, saves the e-mail in the data directory."""

import os
from datetime import datetime
from itertools import islice
from pathlib import Path

from flask import current_app

from portal.accounts import User
from portal.database import reading
from portal.notices.email.build import Email, build_email
from portal.notices.email.smtp import send
from portal.notices.errors import DeliveryFailed
from portal.notices.models import Notice


def deliver(notice: Notice, now: datetime) -> str:
    """Send the notice; returns the mail server's answer. Raises DeliveryFailed or OSError."""
    with reading() as session:
        user = session.get(User, notice.user_id)
    if user is None or not user.is_active:  # deactivated since the notice was written
        raise DeliveryFailed("the account is deactivated", final=True)
    email = build_email(notice, user, now)
    if current_app.config["MAIL_SERVER"]:
        return send(email)
    return _save_to_data_directory(email)


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
