"""A person's webhook settings: set its address, renew its key, send a test, list and resend deliveries; and its words.

This module sends nothing: a test is a notice like any other, and the sweep delivers it.
"""

import secrets
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import gettext
from sqlalchemy import select, update

from portal.database import among, changed_rows, db
from portal.net.address_policy import AddressPolicy, AddressRefusal, AddressRefused
from portal.net.guarded_post import SECONDS
from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Delivery, Notice, NoticeSettings
from portal.notices.outbox import write
from portal.notices.preferences import preferences_of, save_preferences, webhook_is_on
from portal.notices.webhook.payload import new_secret


def refusal_words(code: AddressRefusal) -> str:
    """Why an address is refused, in a sentence that says what to do."""
    return {
        AddressRefusal.HOST: gettext("This address is not valid. It should look like https://example.org/masterfilter"),
        AddressRefusal.SCHEME: gettext("The address must begin with https://."),
        AddressRefusal.USERINFO: gettext("The address must not contain a user name or a password."),
        AddressRefusal.PORT: gettext("The address can only use port 443 or 8443."),
        AddressRefusal.PRIVATE: gettext("The address is in a private network, so we cannot send anything to it."),
        AddressRefusal.REDIRECTS: gettext("The address answered with a redirect. We do not follow redirects."),
    }[code]


def no_reply_words(late: bool) -> str:
    """Why there was no answer."""
    if late:
        return gettext("No answer within %(n)s seconds.", n=round(SECONDS))
    return gettext("No connection, or it was lost before an answer arrived.")


PORTS = (8443,)  # in addition to 443
LISTED = 20
OVERLAP = timedelta(days=1)  # how long an earlier key signs as well
ADDRESS_LENGTH = 1000
AT_ONCE = 5  # tests and resends that may wait, so that the portal cannot be used to flood an address
ENDED = (Delivery.SENT, Delivery.DEAD)


def address_policy() -> AddressPolicy:
    """The addresses that a webhook may have: https on the internet, and the networks that the operator allows."""
    return AddressPolicy(current_app.config["WEBHOOKS_ALLOW_PRIVATE"], PORTS, https_only=True)


def choose_address(user_id: int, address: str, now: datetime) -> None:
    """Save the address; an empty one switches the webhook off and keeps its key. Commits.

    Raises net.address_policy.AddressRefused for an address that can be refused by its text. What its name resolves to
    is checked at each delivery.
    """
    address = address.strip()
    if len(address) > ADDRESS_LENGTH:  # clipping it would make it a different address
        raise AddressRefused(AddressRefusal.HOST, "")
    if address:
        address_policy().check_text(address)
    secret = preferences_of(user_id).webhook_secret or (new_secret() if address else None)
    save_preferences(user_id, now, webhook_url=address or None, webhook_secret=secret, webhook_off_at=None)
    db.session.commit()


def renew_secret(user_id: int, now: datetime) -> None:
    """Replace the key; for a day, messages are signed with the earlier one too. Commits."""
    earlier = preferences_of(user_id).webhook_secret
    save_preferences(
        user_id, now, webhook_secret=new_secret(), webhook_old_secret=earlier, webhook_old_until=now + OVERLAP
    )
    db.session.commit()


def signing_keys(kept: NoticeSettings, now: datetime) -> list[str]:
    """Return the keys that sign a message now, the present one last."""
    earlier = kept.webhook_old_until is not None and now < kept.webhook_old_until
    return [key for key in (kept.webhook_old_secret if earlier else None, kept.webhook_secret or "") if key is not None]


def switch_off(user_id: int, address: str, now: datetime) -> None:
    """Switch the webhook off after its address answered 410 Gone, and notify the person. Commits."""
    own = (NoticeSettings.user_id == user_id, NoticeSettings.webhook_url == address)
    still_on = (*own, NoticeSettings.webhook_off_at.is_(None))
    if changed_rows(update(NoticeSettings).where(*still_on).values(webhook_off_at=now, updated_at=now)):
        host = urlsplit(address).hostname  # the rest may contain a key, and admins can read e-mails
        key = f"{NoticeKind.WEBHOOK_OFF.key}.{user_id}.{int(now.timestamp())}"
        write(key, NoticeKind.WEBHOOK_OFF, user_id, None, {"host": host}, now)
    db.session.commit()


def send_test(user_id: int, now: datetime) -> bool:
    """Queue a test message. False: the webhook is off, or too many messages are waiting. Commits."""
    if not webhook_is_on(user_id) or _waiting(user_id) >= AT_ONCE:
        return False
    key = f"{NoticeKind.WEBHOOK_TEST.key}.{user_id}.{int(now.timestamp())}.{secrets.token_hex(4)}"
    write(key, NoticeKind.WEBHOOK_TEST, user_id, None, {}, now, Channel.WEBHOOK)
    db.session.commit()
    return True


def send_again(user_id: int, notice_id: int, now: datetime) -> bool | None:
    """Resend one of the person's deliveries with the same id. None: it is not theirs. False: it is already being sent,
    or too many are waiting. Commits."""
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
    """The person's latest deliveries, newest first."""
    own = select(Notice).where(Notice.user_id == user_id, Notice.channel == Channel.WEBHOOK)
    return list(db.session.scalars(own.order_by(Notice.id.desc()).limit(LISTED)))


def _waiting(user_id: int) -> int:
    """How many of the deliveries on the person's page have not ended yet."""
    return sum(notice.state not in ENDED for notice in deliveries(user_id))
