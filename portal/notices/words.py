"""The codes of this room as words."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Delivery

STATES: dict[Delivery, LazyString] = {
    Delivery.DUE: _("To be sent"),
    Delivery.SENDING: _("Being sent"),
    Delivery.SENT: _("Sent"),
    Delivery.DEAD: _("Given up"),
    Delivery.FOLDED: _("In a digest"),
    Delivery.DROPPED: _("Not needed any more"),
}

CHANNELS: dict[Channel, LazyString] = {
    Channel.MAIL: _("E-mail"),
    Channel.CHAT: _("Chat"),
    Channel.WEBHOOK: _("Webhook"),
}

KINDS: dict[NoticeKind, LazyString] = {
    NoticeKind.JOB_FAILED: _("A file stopped"),
    NoticeKind.JOB_FIXED: _("A file is complete after all"),
    NoticeKind.JOB_COMPLETED: _("A file is complete"),
    NoticeKind.FAILED_DIGEST: _("Several files stopped"),
    NoticeKind.GOOD_DIGEST: _("Several files are complete"),
    NoticeKind.SOURCE_STOPPED: _("A source has stopped"),
    NoticeKind.SOURCE_BACK: _("A source is back"),
    NoticeKind.DAILY_SUMMARY: _("Daily summary"),
    NoticeKind.WORKERS_AWAY: _("No worker takes up files"),
    NoticeKind.WORKERS_BACK: _("Workers take up files again"),
    NoticeKind.WEBHOOK_TEST: _("A test"),
    NoticeKind.WEBHOOK_OFF: _("A webhook was switched off"),
    NoticeKind.PASSWORD_RESET: _("A new password"),
    NoticeKind.INVITE: _("An invitation"),
}

WISHES: dict[str, LazyString] = {
    "tell_failed": _("when a file of yours has stopped, and when it is complete after all"),
    "tell_completed": _("when a file of yours is complete"),
    "tell_sources": _("when a source has stopped answering"),
    "daily_summary": _("every morning, how the day before went"),
}


def kind_words(kind: str) -> str:
    """What a notice reports; the code itself for a kind that only a newer version of the portal knows."""
    return str(KINDS[NoticeKind(kind)]) if kind in tuple(NoticeKind) else kind
