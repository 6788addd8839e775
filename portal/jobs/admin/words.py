"""Bulk operations in words: the verbs, how an operation stands, and why a job was passed over."""

from flask_babel import LazyString, format_decimal, ngettext
from flask_babel import lazy_gettext as _

from portal.jobs.admin import bulk
from portal.jobs.core.bulk_tables import OperationState, Verb
from portal.jobs.core.status import Status
from portal.jobs.words.statuses import status_words

VERBS: dict[Verb, LazyString] = {
    Verb.RETRY: _("Retry"),
    Verb.TIME_OUT: _("End as timed out"),
    Verb.CANCEL: _("Cancel"),
    Verb.LIMITS: _("Change the limits"),
}
STATES: dict[OperationState, LazyString] = {
    OperationState.WAITING: _("Waiting for its turn"),
    OperationState.RUNNING: _("In progress"),
    OperationState.DONE: _("Done"),
    OperationState.STOPPED: _("Stopped"),
}
WHY_SKIPPED: dict[str, LazyString] = {
    bulk.GONE: _("deleted meanwhile"),
    bulk.MOVED_ON: _("tried again meanwhile"),
    bulk.NOTHING_LEFT: _("nothing left to look up"),
    bulk.FAULT: _("could not be changed; the log says why"),
}


def verb_words(verb: Verb | str) -> str:
    """One verb, as a button has it."""
    return str(VERBS[Verb(verb)])


def state_words(state: OperationState | str) -> str:
    """How an operation stands."""
    return str(STATES[OperationState(state)])


def skipped_words(why: str) -> str:
    """Why a job was passed over: the status that it stood in, or a reason of its own."""
    return status_words(why) if why in tuple(Status) else str(WHY_SKIPPED.get(why, why))


def done_words(verb: Verb, done: int) -> str:
    """What was done, with the count of jobs."""
    n = format_decimal(done)
    if verb == Verb.RETRY:
        return ngettext("%(n)s file is being retried.", "%(n)s files are being retried.", done, n=n)
    if verb == Verb.TIME_OUT:
        return ngettext("%(n)s attempt was ended.", "%(n)s attempts were ended.", done, n=n)
    if verb == Verb.CANCEL:
        return ngettext("%(n)s file was cancelled.", "%(n)s files were cancelled.", done, n=n)
    return ngettext("The limits of %(n)s file were changed.", "The limits of %(n)s files were changed.", done, n=n)
