"""E-mails about a person's own account: invitation and password reset, which only the recipient may read, and what has
changed about signing in."""

from flask import current_app
from flask_babel import gettext, ngettext

from portal.accounts.models import User
from portal.accounts.password_links import VALID_FOR, Purpose, expires_at
from portal.database import reading
from portal.notices.email.content import EmailContent, EmailSection
from portal.notices.errors import DeliveryFailed
from portal.notices.models import Notice
from portal.notices.password_mails import link_for
from portal.notices.recipient import Recipient


def password_reset(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """A person asked for a new password, or an admin did for them."""
    hours = int(VALID_FOR[Purpose.RESET].total_seconds() // 3600)
    return EmailContent(
        subject=gettext("Reset your password"),
        heading=gettext("Reset your password"),
        tone="info",
        state=gettext("Your account"),
        lead=gettext("Use the button to choose a new password."),
        then=ngettext("The link works once, for %(n)s hour.", "The link works once, for %(n)s hours.", hours, n=hours),
        parts=(_until(notice, recipient, Purpose.RESET),),
        button=(gettext("Choose a new password"), _address(notice, Purpose.RESET)),
        notes=(gettext("If you did not ask for this, ignore this email. Your password will not change."),),
        why=gettext(
            "You received this email because a new password was requested for this address at %(home)s.", home=home
        ),
    )


def invite(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """An admin has created an account for them."""
    days = VALID_FOR[Purpose.INVITE].days
    return EmailContent(
        subject=gettext("You are invited to Masterfilter"),
        heading=gettext("Welcome to Masterfilter"),
        tone="ok",
        state=gettext("Invitation"),
        lead=gettext("Upload a list of telephone numbers and get it back complete."),
        then=ngettext(
            "Choose a password to get started. The link works once, for %(n)s day.",
            "Choose a password to get started. The link works once, for %(n)s days.",
            days,
            n=days,
        ),
        parts=(_until(notice, recipient, Purpose.INVITE),),
        button=(gettext("Choose a password"), _address(notice, Purpose.INVITE)),
        why=gettext("You received this email because an administrator of %(home)s invited you.", home=home),
    )


def account_changed(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """Tell the owner what changed about signing in, in case it was somebody else."""
    subject, lead = {
        "two_step_on": (
            gettext("Two-step sign-in is on"),
            gettext("From now on, signing in asks for a code from your app after your password."),
        ),
        "two_step_off": (
            gettext("Two-step sign-in is off"),
            gettext("From now on, signing in asks only for your password."),
        ),
    }.get(
        str(notice.facts.get("what")),
        (
            gettext("Your password has been changed"),
            gettext("Your password has been changed, and you have been signed out on every other device."),
        ),
    )
    moment = f"{recipient.moment(notice.created_at)} ({recipient.zone_words(notice.created_at)})"
    return EmailContent(
        subject=subject,
        heading=subject,
        tone="info",
        state=gettext("Your account"),
        lead=lead,
        then=gettext("If it was you, ignore this email."),
        parts=(EmailSection(gettext("When"), (moment,)),),
        button=(gettext("Choose a new password"), f"{current_app.config['PUBLIC_URL']}/forgot"),
        notes=(gettext("If it was not you, choose a new password now and contact your administrator."),),
        why=gettext("You received this email because this address has an account at %(home)s.", home=home),
    )


def _until(notice: Notice, recipient: Recipient, purpose: Purpose) -> EmailSection:
    end = expires_at(purpose, notice.created_at)
    return EmailSection(gettext("Link expires"), (f"{recipient.moment(end)} ({recipient.zone_words(end)})",))


def _address(notice: Notice, purpose: Purpose) -> str:
    with reading() as session:
        user = session.get(User, notice.user_id)
    if user is None or not user.is_active:
        raise DeliveryFailed("the account is deactivated", final=True)
    return link_for(user, purpose, notice.created_at)
