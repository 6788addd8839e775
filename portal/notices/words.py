"""The words for kinds, channels, delivery statuses and preferences."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Delivery

STATES: dict[Delivery, LazyString] = {
    Delivery.DUE: _("To be sent"),
    Delivery.SENDING: _("Sending"),
    Delivery.SENT: _("Sent"),
    Delivery.DEAD: _("Not delivered"),
    Delivery.FOLDED: _("In a digest"),
    Delivery.DROPPED: _("No longer needed"),
}

CHANNELS: dict[Channel, LazyString] = {
    Channel.MAIL: _("Email"),
    Channel.CHAT: _("Chat"),
    Channel.WEBHOOK: _("Webhook"),
}

KINDS: dict[NoticeKind, LazyString] = {
    NoticeKind.JOB_FAILED: _("A file stopped"),
    NoticeKind.JOB_FIXED: _("A stopped file is now complete"),
    NoticeKind.JOB_COMPLETED: _("A file is complete"),
    NoticeKind.FAILED_DIGEST: _("Several files stopped"),
    NoticeKind.GOOD_DIGEST: _("Several files are complete"),
    NoticeKind.SOURCE_STOPPED: _("A source has stopped working"),
    NoticeKind.SOURCE_BACK: _("A source is working again"),
    NoticeKind.MONEY_LOW: _("Money is running out"),
    NoticeKind.DAILY_SUMMARY: _("Daily summary"),
    NoticeKind.WORKERS_AWAY: _("Files are not being processed"),
    NoticeKind.WORKERS_BACK: _("Files are being processed again"),
    NoticeKind.WEBHOOK_TEST: _("Webhook test"),
    NoticeKind.WEBHOOK_OFF: _("Webhook switched off"),
    NoticeKind.MAIL_TEST: _("Test email"),
    NoticeKind.PASSWORD_RESET: _("Password reset"),
    NoticeKind.INVITE: _("Invitation"),
    NoticeKind.ACCOUNT_CHANGED: _("Account security"),
}

PREFERENCES: dict[str, LazyString] = {
    "tell_failed": _("when one of your files stops, and if it is completed later"),
    "tell_completed": _("when one of your files is complete"),
    "tell_sources": _("when a source stops responding"),
    "daily_summary": _("every morning with a summary of the day before"),
}


def kind_words(kind: str) -> str:
    """The title of a kind; the code itself for a kind that only a newer version of the portal knows."""
    return str(KINDS[NoticeKind(kind)]) if kind in tuple(NoticeKind) else kind
