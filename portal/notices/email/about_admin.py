"""E-mails about a source to administrators, and about a webhook to its owner."""

from flask_babel import gettext

from portal.notices.email.content import EmailContent, EmailSection
from portal.notices.facts import cause_words, source_words
from portal.notices.models import Notice
from portal.notices.recipient import Recipient


def source_stopped(notice: Notice, reader: Recipient, home: str) -> EmailContent:
    """A source refuses the portal, and only an admin can put that right."""
    facts = notice.facts
    title = reader.name(source_words(facts))
    return EmailContent(
        subject=gettext("The source %(source)s has stopped", source=title),
        heading=title,
        tone="warn",
        state=gettext("The source has stopped"),
        lead=gettext("Files that are looked up there wait or are tried again later; none is lost."),
        parts=(
            EmailSection(gettext("Why"), (cause_words(facts),)),
            EmailSection(
                gettext("When"), (f"{reader.moment(notice.created_at)} ({reader.zone_words(notice.created_at)})",)
            ),
            EmailSection(
                gettext("What you can do"),
                (
                    gettext("Look at the source’s page, then put its access data, its credit or its recipe right."),
                    gettext(
                        "That is seen at once, without a restart. Files that wait go on by themselves within ten"
                        " minutes; those that have stopped go on when Retry is pressed."
                    ),
                ),
            ),
        ),
        button=(gettext("Open the sources"), f"{home}/admin/sources"),
        why=gettext("You get this because you are an administrator of this portal."),
    )


def webhook_off(notice: Notice, reader: Recipient, home: str) -> EmailContent:
    """The address has answered that it is gone for good, and nothing is sent there any more."""
    at = f"{reader.moment(notice.created_at)} ({reader.zone_words(notice.created_at)})"
    return EmailContent(
        subject=gettext("Your webhook was switched off"),
        heading=gettext("Your webhook was switched off"),
        tone="warn",
        state=gettext("Switched off"),
        lead=gettext("Its address answered that it is gone for good (410). Your files are not affected."),
        parts=(
            EmailSection(gettext("Address"), (reader.name(notice.facts["host"] or ""),)),
            EmailSection(gettext("When"), (at,)),
            EmailSection(
                gettext("What you can do"), (gettext("Save the address again on your account’s page, or another."),)
            ),
        ),
        button=(gettext("Open your webhook"), f"{home}/account/webhook"),
        why=gettext("You get this because a webhook of yours was switched off."),
    )
