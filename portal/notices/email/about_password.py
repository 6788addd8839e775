"""What a person is told who may choose a password. The text is for them alone."""

from flask_babel import gettext, ngettext

from portal.accounts.models import User
from portal.accounts.password_links import VALID_FOR, Purpose, expires_at
from portal.database import reading
from portal.notices.email.content import EmailContent, EmailSection
from portal.notices.errors import DeliveryFailed
from portal.notices.models import Notice
from portal.notices.password_mails import address_of
from portal.notices.recipient import Recipient


def password_reset(notice: Notice, reader: Recipient, home: str) -> EmailContent:
    """Somebody asked for it at the sign-in, or an admin did."""
    hours = int(VALID_FOR[Purpose.RESET].total_seconds() // 3600)
    return EmailContent(
        subject=gettext("Choose a new password"),
        heading=gettext("Choose a new password"),
        tone="info",
        state=gettext("Your account"),
        lead=gettext("You can choose a new password for the portal."),
        then=ngettext(
            "The link works for %(n)s hour and once.", "The link works for %(n)s hours and once.", hours, n=hours
        ),
        parts=(_until(notice, reader, Purpose.RESET),),
        button=(gettext("Choose a new password"), _address(notice, Purpose.RESET)),
        notes=(gettext("If it was not you who asked, do nothing: your password stays as it is."),),
        why=gettext("You get this because somebody asked for a new password for this address at %(home)s.", home=home),
    )


def invite(notice: Notice, reader: Recipient, home: str) -> EmailContent:
    """An admin has made an account for them."""
    days = VALID_FOR[Purpose.INVITE].days
    return EmailContent(
        subject=gettext("You are invited to Masterfilter"),
        heading=gettext("Welcome to Masterfilter"),
        tone="ok",
        state=gettext("Invitation"),
        lead=gettext("Upload a list of telephone numbers and get it back complete."),
        then=ngettext(
            "Choose a password to begin. The link works for %(n)s day and once.",
            "Choose a password to begin. The link works for %(n)s days and once.",
            days,
            n=days,
        ),
        parts=(_until(notice, reader, Purpose.INVITE),),
        button=(gettext("Choose a password"), _address(notice, Purpose.INVITE)),
        why=gettext("You get this because an administrator of %(home)s has invited you.", home=home),
    )


def _until(notice: Notice, reader: Recipient, purpose: Purpose) -> EmailSection:
    end = expires_at(purpose, notice.created_at)
    return EmailSection(gettext("Until"), (f"{reader.moment(end)} ({reader.zone_words(end)})",))


def _address(notice: Notice, purpose: Purpose) -> str:
    with reading() as session:
        user = session.get(User, notice.user_id)
    if user is None or not user.is_active:
        raise DeliveryFailed("this person was shut out", final=True)
    return address_of(user, purpose, notice.created_at)
