"""E-mails to administrators about money: the credit at a source is low, or a spending cap is nearly reached."""

from decimal import Decimal

from flask_babel import gettext

from portal.notices.email.content import EmailContent, EmailSection
from portal.notices.facts import source_words
from portal.notices.models import Notice
from portal.notices.recipient import Recipient

BILLIONTHS = 10**9


def money_low(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """Sent before money ends, so that nobody's file has to wait."""
    facts = notice.facts
    unit = facts["currency"]
    if "source" in facts:
        title = recipient.name(source_words(facts))
        subject = gettext("The credit at %(source)s is running out", source=title)
        lead = gettext("%(amount)s are left. Files wait once it has run out.", amount=f"{facts['amount']} {unit}")
        todo = gettext("Top up the credit with the provider.")
    else:
        subject = gettext("A spending limit is nearly reached")
        used, cap = (f"{Decimal(facts[name]) / BILLIONTHS:.2f} {unit}" for name in ("used", "cap"))
        lead = gettext("%(used)s of %(cap)s are spent this month. Files pause at the limit.", used=used, cap=cap)
        todo = gettext("Raise the limit on the page of spending, or let files wait for the next month.")
    return EmailContent(
        subject=subject,
        heading=subject,
        tone="warn",
        state=gettext("Low"),
        lead=lead,
        parts=(EmailSection(gettext("What you can do"), (todo,)),),
        button=(gettext("Open the spending"), f"{home}/admin/spending"),
        why=gettext("You received this email because you are an administrator of this portal."),
    )
