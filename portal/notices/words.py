"""The codes of this room as words."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

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

KINDS: dict[str, LazyString] = {
    "job_failed": _("A file stopped"),
    "job_fixed": _("A file is complete after all"),
    "job_completed": _("A file is complete"),
    "failed_digest": _("Several files stopped"),
    "good_digest": _("Several files are complete"),
    "source_stopped": _("A source has stopped"),
    "source_back": _("A source is back"),
    "daily_summary": _("Daily summary"),
    "workers_away": _("No worker takes up files"),
    "workers_back": _("Workers take up files again"),
    "webhook_test": _("A test"),
    "webhook_off": _("A webhook was switched off"),
    "password_reset": _("A new password"),
    "invite": _("An invitation"),
}

WISHES: dict[str, LazyString] = {
    "tell_failed": _("when a file of yours has stopped, and when it is complete after all"),
    "tell_completed": _("when a file of yours is complete"),
    "tell_sources": _("when a source has stopped answering"),
    "daily_summary": _("every morning, how the day before went"),
}


def kind_words(kind: str) -> str:
    """What a notice tells; the code itself for one that has no words."""
    return str(KINDS.get(kind, kind))
