"""The chat channel: one notice, said in every room of NOTIFY_URLS.

A room that has taken it is noted at once, so that a closed room does not make the others hear it again at each try. It
belongs to nobody: the language and the time zone are the portal's.
"""

from datetime import datetime

from flask import current_app
from flask_babel import force_locale, gettext
from sqlalchemy import update

from portal.database import changed_rows, db
from portal.notices.chat.apprise_client import ChatFailed, fingerprint, say
from portal.notices.chat.words import chat_words
from portal.notices.errors import DeliveryFailed
from portal.notices.models import Delivery, Notice
from portal.notices.recipient import Recipient


def deliver(notice: Notice, now: datetime) -> str:
    """Say it in the rooms that have not heard it, and give their services' names. Raises Undelivered."""
    settings = current_app.config
    reader = Recipient(settings["DEFAULT_LOCALE"], settings["DEFAULT_TIME_ZONE"])
    with force_locale(reader.locale):
        if not settings["NOTIFY_URLS"]:
            raise DeliveryFailed(gettext("NOTIFY_URLS names no room."), final=True)
        title, text = chat_words(notice, reader, settings["PUBLIC_URL"])
    rooms = settings["NOTIFY_URLS"]
    heard = [room for room in map(fingerprint, rooms) if room in notice.facts.get("heard", [])]
    if len(heard) == len(rooms):
        heard = []  # an admin sends it again
    names, closed = [], []
    for address in rooms:
        if fingerprint(address) in heard:
            continue
        try:
            names.append(say(address, title, text, settings["PUBLIC_URL"]))
        except ChatFailed as error:
            closed.append(str(error))
        else:
            heard.append(fingerprint(address))
            _note(notice, heard)
    if closed:
        raise DeliveryFailed(" · ".join(closed), down=len(closed) == len(rooms))
    return ", ".join(names)


def _note(notice: Notice, heard: list[str]) -> None:
    mine = (Notice.id == notice.id, Notice.tries == notice.tries, Notice.state == Delivery.SENDING)
    changed_rows(update(Notice).where(*mine).values(facts={**notice.facts, "heard": heard}))
    db.session.commit()
