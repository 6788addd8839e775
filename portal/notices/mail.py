"""A notice as a letter, and the letter on its way: by the mail server or, when there is none, as a file.

Links in it only open pages: mail scanners follow links, so none of them does anything by itself.
"""

import os
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import force_locale, format_datetime, get_timezone, gettext
from flask_mail import Message

from portal.accounts import User
from portal.extensions import mail
from portal.notices.models import Notice

SERVER_SECONDS = 20


def letter(notice: Notice, user: User) -> Message:
    """The notice in its reader's language, with times in their zone."""
    facts = notice.facts
    address = current_app.config["PUBLIC_URL"]
    with force_locale(user.locale or current_app.config["DEFAULT_LOCALE"]):
        # Not render_template: what every page gets (theme, person, token) belongs to a request, and there is none.
        body = current_app.jinja_env.get_template(f"emails/{notice.kind}.txt").render(
            facts=facts,
            cause=_in_words(facts.get("cause"), user),
            title=_in_words(facts.get("title"), user),
            page=f"{address}/jobs/{notice.job_id}" if notice.job_id else f"{address}/admin/sources",
            first_at=_moment(facts.get("first_at")),
            last_at=_moment(notice.created_at.isoformat()),
            kept_until=_moment(facts.get("kept_until")),
            zone=str(get_timezone()),
        )
        subject = _subject(notice, user)
    message = Message(subject=subject, recipients=[user.email], body=body)
    message.msgId = f"<{notice.dedupe}@{urlsplit(address).hostname}>"
    message.extra_headers = {"Auto-Submitted": "auto-generated"}
    return message


def _subject(notice: Notice, user: User) -> str:
    facts = notice.facts
    if notice.kind == "source_stopped":
        text = gettext("The source %(source)s has stopped", source=_in_words(facts.get("title"), user))
    elif notice.kind == "job_fixed":
        text = gettext(
            "Fixed: %(file)s is now complete (%(ready)d of %(total)d)",
            file=facts["file_name"], ready=facts["ready"], total=facts["total"],
        )  # fmt: skip
    else:
        left = facts["total"] - facts["ready"]
        text = gettext(
            "%(file)s: %(ready)d of %(total)d done, %(left)d could not be looked up",
            file=facts["file_name"], ready=facts["ready"], total=facts["total"], left=left,
        )  # fmt: skip
    return " ".join(text.split())  # a file's name may hold what a header must not


def _in_words(cause: dict[str, str] | None, user: User) -> str:
    return (cause or {}).get(user.locale or current_app.config["DEFAULT_LOCALE"], "")


def _moment(text: str | None) -> str:
    return format_datetime(datetime.fromisoformat(text), "medium") if text else ""


def deliver(message: Message) -> None:
    """Hand the letter over. Raises OSError when the mail server, the network or the disk refuses."""
    if current_app.config["MAIL_SERVER"]:
        with mail.connect() as server:
            if server.host is not None and server.host.sock is not None:
                server.host.sock.settimeout(SERVER_SECONDS)
            server.send(message)
        return
    folder: Path = current_app.config["PORTAL_DATA_DIR"] / "mail"
    folder.mkdir(exist_ok=True, mode=0o700)
    name = message.msgId.strip("<>").split("@")[0] if message.msgId else "letter"
    unfinished = folder / f".{name}.tmp"
    unfinished.write_bytes(message.as_bytes())
    os.replace(unfinished, folder / f"{name}.eml")
