"""E-mails about a source to administrators, and about a webhook to its owner."""

from flask_babel import gettext

from portal.notices.email.content import EmailContent, EmailSection
from portal.notices.facts import cause_words, source_words
from portal.notices.models import Notice
from portal.notices.recipient import Recipient


def source_stopped(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """A source refuses the portal, and only an admin can fix it."""
    facts = notice.facts
    title = recipient.name(source_words(facts))
    return EmailContent(
        subject=gettext("The source %(source)s has stopped working", source=title),
        heading=title,
        tone="warn",
        state=gettext("Not working"),
        lead=gettext("Files that use it are waiting or will be retried later. Nothing is lost."),
        parts=(
            EmailSection(gettext("Why"), (cause_words(facts),)),
            EmailSection(
                gettext("When"), (f"{recipient.moment(notice.created_at)} ({recipient.zone_words(notice.created_at)})",)
            ),
            EmailSection(
                gettext("What you can do"),
                (
                    gettext("Open the source’s page and fix its access details, its credit or its configuration."),
                    gettext(
                        "Changes take effect at once, without a restart. Files that are waiting continue within ten"
                        " minutes. For files that have stopped, press Retry."
                    ),
                ),
            ),
        ),
        button=(gettext("Open the sources"), f"{home}/admin/sources"),
        why=gettext("You received this email because you are an administrator of this portal."),
    )


def mail_test(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """An administrator asked whether emails arrive."""
    return EmailContent(
        subject=gettext("Test email"),
        heading=gettext("Emails arrive"),
        tone="ok",
        state=gettext("Test"),
        lead=gettext("The portal can send email. You do not need to do anything."),
        button=(gettext("Open the overview"), f"{home}/admin"),
        why=gettext("You received this email because you asked for a test at %(home)s.", home=home),
    )


def webhook_off(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """The address answered 410 Gone, so its webhook was switched off."""
    at = f"{recipient.moment(notice.created_at)} ({recipient.zone_words(notice.created_at)})"
    return EmailContent(
        subject=gettext("Your webhook was switched off"),
        heading=gettext("Your webhook was switched off"),
        tone="warn",
        state=gettext("Switched off"),
        lead=gettext("Its address answered that it no longer exists (410). Your files are not affected."),
        parts=(
            EmailSection(gettext("Address"), (recipient.name(notice.facts["host"] or ""),)),
            EmailSection(gettext("When"), (at,)),
            EmailSection(
                gettext("What you can do"),
                (gettext("To switch it on again, save this address or another one on your webhook’s page."),),
            ),
        ),
        button=(gettext("Open your webhook"), f"{home}/account/webhook"),
        why=gettext("You received this email because your webhook was switched off."),
    )
