"""The webhook channel: sends a signed message to the address that a person has set.

The address is checked before connecting, redirects are not followed, and every exchange ends within seconds. How the
address is set is the business of `webhook.settings`.
"""

from datetime import datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from flask import current_app
from flask_babel import force_locale, gettext

from portal.accounts import User
from portal.database import reading
from portal.net.address_policy import AddressRefusal, AddressRefused
from portal.net.guarded_post import SECONDS, NoPostResponse, PostResponse, post
from portal.net.retry_after import retry_after_seconds
from portal.notices.errors import DeliveryFailed
from portal.notices.models import Notice, NoticeSettings
from portal.notices.webhook import settings
from portal.notices.webhook.payload import body_of, headers_of
from portal.notices.webhook.settings import no_reply_words, refusal_words

GONE = 410
SHOWN_LENGTH = 300  # characters of the answer
KEY_LENGTH = 6  # a shorter part of an address is not a key
MASK = "***"


def deliver(notice: Notice, now: datetime) -> str:
    """Send the notice; returns the answer, in the language of the webhook's owner. Raises DeliveryFailed."""
    with reading() as session:
        user = session.get(User, notice.user_id)
        kept = session.get(NoticeSettings, notice.user_id)
    with force_locale((user and user.locale) or current_app.config["DEFAULT_LOCALE"]):
        if user is None or not user.is_active or kept is None or not kept.webhook_url or kept.webhook_off_at:
            raise DeliveryFailed(gettext("The webhook is switched off."), final=True)
        return _send(notice, kept.webhook_url, settings.signing_keys(kept, now), now)


def _send(notice: Notice, address: str, keys: list[str], now: datetime) -> str:
    body = body_of(notice, current_app.config["PUBLIC_URL"], now)
    try:
        reply = post(settings.address_policy(), address, body, headers_of(notice, keys, body, now), SECONDS)
    except AddressRefused as refused:
        raise DeliveryFailed(refusal_words(refused.code), final=True) from None
    except NoPostResponse as none:
        raise DeliveryFailed(no_reply_words(none.late), down=True) from None
    answer = _answer(reply, address, keys)
    if 200 <= reply.status < 300:
        return answer
    if reply.status == GONE:
        settings.switch_off(notice.user_id or 0, address, now)
        raise DeliveryFailed(" ".join([answer, gettext("The webhook was switched off.")]), final=True)
    if 300 <= reply.status < 400:
        answer = " ".join([str(reply.status), refusal_words(AddressRefusal.REDIRECTS)])
    raise DeliveryFailed(answer, retry_after_seconds({"retry-after": reply.retry_after}, now))


def _answer(reply: PostResponse, address: str, keys: list[str]) -> str:
    """The status and the beginning of the response, in one line of printable characters. It is logged and admins read
    it, so parts of the person's address and key are masked: many servers repeat the path in a 404."""
    text = " ".join("".join(char if char.isprintable() else " " for char in reply.text).split())
    parts = urlsplit(address)
    values = [value for _, value in parse_qsl(parts.query)]
    own = [*keys, parts.path.strip("/"), parts.query, *parts.path.split("/"), *values]
    for word in sorted({form for one in own for form in (one, unquote(one)) if len(one) >= KEY_LENGTH}, key=len)[::-1]:
        text = text.replace(word, MASK)
    return f"{reply.status} {text[:SHOWN_LENGTH]}".strip()
