"""Bulk operations in words: the verbs, an operation's state, and why a job was skipped."""

from flask_babel import LazyString, format_decimal, ngettext
from flask_babel import lazy_gettext as _

from portal.jobs.admin import bulk
from portal.jobs.core.bulk_tables import OperationState, Verb
from portal.jobs.core.status import Status
from portal.jobs.words.statuses import status_words

VERBS: dict[Verb, LazyString] = {
    Verb.RETRY: _("Retry"),
    Verb.TIME_OUT: _("Mark as timed out"),
    Verb.CANCEL: _("Cancel"),
    Verb.LIMITS: _("Change the limits"),
    Verb.SKIP_SOURCE: _("Go on with the next source"),
}
STATES: dict[OperationState, LazyString] = {
    OperationState.WAITING: _("Queued"),
    OperationState.RUNNING: _("In progress"),
    OperationState.DONE: _("Completed"),
    OperationState.STOPPED: _("Stopped"),
}
WHY_SKIPPED: dict[str, LazyString] = {
    bulk.GONE: _("deleted in the meantime"),
    bulk.MOVED_ON: _("retried in the meantime"),
    bulk.NOTHING_LEFT: _("nothing left to look up"),
    bulk.NOT_HELD_UP: _("does not wait for a source that has another behind it"),
    bulk.FAULT: _("could not be changed; see the log"),
}


def verb_words(verb: Verb | str) -> str:
    """Return a verb as it is on a button."""
    return str(VERBS[Verb(verb)])


def state_words(state: OperationState | str) -> str:
    """Return an operation's state in words."""
    return str(STATES[OperationState(state)])


def skipped_words(why: str) -> str:
    """Return why a job was skipped: its status at that time, or another reason."""
    return status_words(why) if why in tuple(Status) else str(WHY_SKIPPED.get(why, why))


def done_words(verb: Verb, done: int) -> str:
    """Return what was done, with the number of jobs."""
    n = format_decimal(done)
    if verb == Verb.RETRY:
        return ngettext("%(n)s file is being retried.", "%(n)s files are being retried.", done, n=n)
    if verb == Verb.TIME_OUT:
        return ngettext("%(n)s file was marked as timed out.", "%(n)s files were marked as timed out.", done, n=n)
    if verb == Verb.CANCEL:
        return ngettext("%(n)s file was cancelled.", "%(n)s files were cancelled.", done, n=n)
    if verb == Verb.SKIP_SOURCE:
        return ngettext(
            "%(n)s file goes on with its next source.", "%(n)s files go on with their next source.", done, n=n
        )
    return ngettext("The limits of %(n)s file were changed.", "The limits of %(n)s files were changed.", done, n=n)
