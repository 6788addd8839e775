"""The webhook channel: a signed message to the address that a person has set.

The address is judged before anything connects, a redirect is not followed, and every exchange ends within seconds. It
must not know who set the address, or how; `webhook_desk` does.
"""

from datetime import datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from flask import current_app
from flask_babel import force_locale, gettext

from portal.accounts import User
from portal.database import reading
from portal.net.address_policy import AddressRefusal, AddressRefused
from portal.net.post import SECONDS, NoPostResponse, PostResponse, post
from portal.net.retry_after import retry_after_seconds
from portal.notices.errors import DeliveryFailed
from portal.notices.models import Notice, NoticeSettings
from portal.notices.webhook import settings
from portal.notices.webhook.payload import body_of, headers_of
from portal.notices.webhook.settings import no_reply_words, refusal_words

GONE = 410
SHOWN_LETTERS = 300  # of what the other side said
KEY_LETTERS = 6  # a shorter word of an address is none that opens a door
MASK = "***"


def deliver(notice: Notice, now: datetime) -> str:
    """Send it, and give what was answered, in the language of the person whose webhook it is. Raises Undelivered."""
    with reading() as session:
        user = session.get(User, notice.user_id)
        kept = session.get(NoticeSettings, notice.user_id)
    with force_locale((user and user.locale) or current_app.config["DEFAULT_LOCALE"]):
        if user is None or not user.is_active or kept is None or not kept.webhook_url or kept.webhook_off_at:
            raise DeliveryFailed(gettext("The webhook is switched off."), final=True)
        return _send(notice, kept.webhook_url, kept.webhook_secret or "", now)


def _send(notice: Notice, address: str, secret: str, now: datetime) -> str:
    body = body_of(notice, current_app.config["PUBLIC_URL"], now)
    try:
        reply = post(settings.judge(), address, body, headers_of(notice, secret, body, now), SECONDS)
    except AddressRefused as refused:
        raise DeliveryFailed(refusal_words(refused.code), final=True) from None
    except NoPostResponse as none:
        raise DeliveryFailed(no_reply_words(none.late), down=True) from None
    said = _said(reply, address, secret)
    if 200 <= reply.status < 300:
        return said
    if reply.status == GONE:
        settings.switch_off(notice.user_id or 0, address, now)
        raise DeliveryFailed(" ".join([said, gettext("The webhook was switched off.")]), final=True)
    if 300 <= reply.status < 400:
        said = " ".join([str(reply.status), refusal_words(AddressRefusal.REDIRECTS)])
    raise DeliveryFailed(said, retry_after_seconds({"retry-after": reply.retry_after}, now))


def _said(reply: PostResponse, address: str, secret: str) -> str:
    """The status and the beginning of the text, in one line and without what cannot be printed. It is logged, and read
    by admins: what is the person's own in it is blanked out. Many servers repeat the path of what they do not know."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in reply.text).split())
    parts = urlsplit(address)
    values = [value for _, value in parse_qsl(parts.query)]
    own = [secret, parts.path.strip("/"), parts.query, *parts.path.split("/"), *values]
    for word in sorted({form for one in own for form in (one, unquote(one)) if len(one) >= KEY_LETTERS}, key=len)[::-1]:
        text = text.replace(word, MASK)
    return f"{reply.status} {text[:SHOWN_LETTERS]}".strip()
