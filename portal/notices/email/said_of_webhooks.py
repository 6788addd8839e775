"""What a person is told of their own webhook."""

from flask_babel import gettext

from portal.notices.email.content import Part, Said
from portal.notices.models import Notice
from portal.notices.recipient import Reader


def webhook_off(notice: Notice, reader: Reader, home: str) -> Said:
    """The address has answered that it is gone for good, and nothing is sent there any more."""
    at = f"{reader.moment(notice.created_at)} ({reader.zone_words(notice.created_at)})"
    return Said(
        subject=gettext("Your webhook was switched off"),
        heading=gettext("Your webhook was switched off"),
        tone="warn",
        state=gettext("Switched off"),
        lead=gettext("Its address answered that it is gone for good (410). Your files are not affected."),
        parts=(
            Part(gettext("Address"), (reader.name(notice.facts["host"] or ""),)),
            Part(gettext("When"), (at,)),
            Part(gettext("What you can do"), (gettext("Save the address again on your account’s page, or another."),)),
        ),
        button=(gettext("Open your webhook"), f"{home}/account/webhook"),
        why=gettext("You get this because a webhook of yours was switched off."),
    )
