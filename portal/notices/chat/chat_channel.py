"""The chat channel: sends a notice to every chat in NOTIFY_URLS.

Each chat that accepted it is recorded at once, so a chat that fails does not make the others get it again at each try.
Chats have no owner: the language and the time zone are the portal's.
"""

from datetime import datetime

from flask import current_app
from flask_babel import force_locale, gettext
from sqlalchemy import update

from portal.database import changed_rows, db
from portal.notices.chat.apprise_client import ChatFailed, fingerprint, send
from portal.notices.chat.words import chat_words
from portal.notices.errors import DeliveryFailed
from portal.notices.models import Delivery, Notice
from portal.notices.recipient import Recipient


def deliver(notice: Notice, now: datetime) -> str:
    """Send it to the chats that have not had it yet; returns the names of their services. Raises DeliveryFailed."""
    settings = current_app.config
    recipient = Recipient(settings["DEFAULT_LOCALE"], settings["DEFAULT_TIME_ZONE"])
    with force_locale(recipient.locale):
        if not settings["NOTIFY_URLS"]:
            raise DeliveryFailed(gettext("NOTIFY_URLS is empty."), final=True)
        title, text = chat_words(notice, recipient, settings["PUBLIC_URL"])
    chats = settings["NOTIFY_URLS"]
    done = [chat for chat in map(fingerprint, chats) if chat in notice.facts.get("heard", [])]
    if len(done) == len(chats):
        done = []  # an admin resends it
    services, failures = [], []
    for address in chats:
        if fingerprint(address) in done:
            continue
        try:
            services.append(send(address, title, text, settings["PUBLIC_URL"]))
        except ChatFailed as error:
            failures.append(str(error))
        else:
            done.append(fingerprint(address))
            _note_done(notice, done)
    if failures:
        raise DeliveryFailed(" · ".join(failures), down=len(failures) == len(chats))
    return ", ".join(services)


def _note_done(notice: Notice, done: list[str]) -> None:
    mine = (Notice.id == notice.id, Notice.tries == notice.tries, Notice.state == Delivery.SENDING)
    changed_rows(update(Notice).where(*mine).values(facts={**notice.facts, "heard": done}))
    db.session.commit()
