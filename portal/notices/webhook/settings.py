"""A person's webhook: choose its address, renew its key, test it, see and resend what was sent; and its words.

Nothing is sent here: a test is a notice like any other, and the sweep delivers it.
"""

import secrets
from datetime import datetime
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import gettext
from sqlalchemy import select, update

from portal.database import among, changed_rows, db
from portal.net.address_policy import AddressPolicy, AddressRefusal, AddressRefused
from portal.net.post import SECONDS
from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Delivery, Notice, NoticeSettings
from portal.notices.outbox import write
from portal.notices.preferences import keep_wishes, webhook_is_on, wishes_of
from portal.notices.webhook.payload import new_secret


def refusal_words(code: AddressRefusal) -> str:
    """Why an address is not asked, in a sentence that says what to do."""
    return {
        AddressRefusal.HOST: gettext("This is no address. It looks like this: https://example.org/masterfilter"),
        AddressRefusal.SCHEME: gettext("The address has to begin with https://."),
        AddressRefusal.USERINFO: gettext("The address must not have a user name or a password in it."),
        AddressRefusal.PORT: gettext("The address may only have the ports 443 and 8443."),
        AddressRefusal.PRIVATE: gettext("The address leads into a private network, which the portal does not ask."),
        AddressRefusal.REDIRECTS: gettext("The address answered with a redirect, which is not followed."),
    }[code]


def no_reply_words(late: bool) -> str:
    """Why no answer came."""
    if late:
        return gettext("No answer within %(n)s seconds.", n=round(SECONDS))
    return gettext("No connection, or it broke off before an answer came.")


PORTS = (8443,)  # beside 443
LISTED = 20
ADDRESS_LETTERS = 1000
AT_ONCE = 5  # tries and repeats that may wait: nobody makes the portal hammer at somebody's door
ENDED = (Delivery.SENT, Delivery.DEAD)


def judge() -> AddressPolicy:
    """Which addresses a webhook may have: https on the internet, and whatever the operator opened."""
    return AddressPolicy(current_app.config["WEBHOOKS_ALLOW_PRIVATE"], PORTS, https_only=True)


def choose_address(user_id: int, address: str, now: datetime) -> None:
    """Keep the address; an empty one switches the webhook off, and its key is kept. It commits.

    Raises net.address_policy.AddressRefused for an address whose text is enough to refuse it; where its name resolves
    to is judged at each delivery.
    """
    address = address.strip()
    if len(address) > ADDRESS_LETTERS:  # clipped, it would be somebody else's
        raise AddressRefused(AddressRefusal.HOST, "")
    if address:
        judge().look_at(address)
    secret = wishes_of(user_id).webhook_secret or (new_secret() if address else None)
    keep_wishes(user_id, now, webhook_url=address or None, webhook_secret=secret, webhook_off_at=None)
    db.session.commit()


def renew_secret(user_id: int, now: datetime) -> None:
    """A new key; the old one signs nothing from now on. It commits."""
    keep_wishes(user_id, now, webhook_secret=new_secret())
    db.session.commit()


def switch_off(user_id: int, address: str, now: datetime) -> None:
    """The address has answered that it is gone for good: send nothing there, and tell the person. It commits."""
    own = (NoticeSettings.user_id == user_id, NoticeSettings.webhook_url == address)
    still_on = (*own, NoticeSettings.webhook_off_at.is_(None))
    if changed_rows(update(NoticeSettings).where(*still_on).values(webhook_off_at=now, updated_at=now)):
        host = urlsplit(address).hostname  # the rest may hold a key, and admins see what mails say
        key = f"{NoticeKind.WEBHOOK_OFF.key}.{user_id}.{int(now.timestamp())}"
        write(key, NoticeKind.WEBHOOK_OFF, user_id, None, {"host": host}, now)
    db.session.commit()


def send_test(user_id: int, now: datetime) -> bool:
    """Write a notice that only shows that it arrives. False: there is no address, or enough of them wait. Commits."""
    if not webhook_is_on(user_id) or _waiting(user_id) >= AT_ONCE:
        return False
    key = f"{NoticeKind.WEBHOOK_TEST.key}.{user_id}.{int(now.timestamp())}.{secrets.token_hex(4)}"
    write(key, NoticeKind.WEBHOOK_TEST, user_id, None, {}, now, Channel.WEBHOOK)
    db.session.commit()
    return True


def send_again(user_id: int, notice_id: int, now: datetime) -> bool | None:
    """Send one of their deliveries once more, under the same id. None: it is not theirs; False: it is on its way
    already, or enough wait. It commits."""
    own = (Notice.id == notice_id, Notice.user_id == user_id, Notice.channel == Channel.WEBHOOK)
    if db.session.scalar(select(Notice.id).where(*own)) is None:
        return None
    if not webhook_is_on(user_id) or _waiting(user_id) >= AT_ONCE:
        return False
    ended = (*own, among(Notice.state, ENDED))
    again = changed_rows(update(Notice).where(*ended).values(state=Delivery.DUE, due_at=now)) == 1
    db.session.commit()
    return again


def deliveries(user_id: int) -> list[Notice]:
    """The last of them, the newest first."""
    own = select(Notice).where(Notice.user_id == user_id, Notice.channel == Channel.WEBHOOK)
    return list(db.session.scalars(own.order_by(Notice.id.desc()).limit(LISTED)))


def _waiting(user_id: int) -> int:
    """How many of the deliveries on the person's page are still on their way."""
    return sum(notice.state not in ENDED for notice in deliveries(user_id))
