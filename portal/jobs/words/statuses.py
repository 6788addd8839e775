"""The codes of this room as words: statuses, outcomes, and what a job's page says of itself.

Causes stand in `causes`, the lines of the timeline in `story`. Nothing here asks the database.
"""

from datetime import datetime

from flask_babel import LazyString, format_decimal, gettext, lazy_pgettext, ngettext
from flask_babel import lazy_gettext as _

from portal.jobs.core.columns import JobColumns
from portal.jobs.core.derived import Summary, cause_of, retryable_numbers, summary_sentence
from portal.jobs.core.status import Status
from portal.jobs.core.tables import AttemptEnd
from portal.jobs.words.causes import Explained, Side, explain, reason_words
from portal.jobs.words.timeline import event_tone, event_words
from portal.sources.base import Outcome

__all__ = [
    "ATTEMPT_ENDS", "CANNOT_START", "OUTCOMES", "OUTCOME_COUNTS", "STATUSES", "Explained", "Side", "attempt_end_words",
    "cannot_start_words", "event_tone", "event_words", "explain", "outcome_count_words", "outcome_words",
    "reason_words", "status_words", "summary_words", "waits_words",
]  # fmt: skip

STATUSES: dict[Status, LazyString] = {
    Status.PENDING: _("Waiting"),
    Status.PROCESSING: _("In progress"),
    Status.COMPLETED: _("Completed"),
    Status.FAILED: _("Failed"),
    Status.TIMEOUT: _("Timed out"),
    Status.RETRYING: _("Retrying"),
    Status.CANCELLED: _("Cancelled"),
}

OUTCOMES: dict[Outcome, LazyString] = {
    Outcome.FOUND: _("Found"),
    Outcome.NOT_FOUND: _("Not found"),
    Outcome.INVALID: _("Not valid"),
    Outcome.REJECTED: _("Rejected"),
    Outcome.WAITING: _("To be looked up"),
    Outcome.FAILED: _("Not answered"),
}

# The name of a figure: Spanish and others have another word for many than for one.
OUTCOME_COUNTS: dict[Outcome, LazyString] = {
    Outcome.FOUND: lazy_pgettext("how many rows", "Found"),
    Outcome.NOT_FOUND: lazy_pgettext("how many rows", "Not found"),
    Outcome.INVALID: lazy_pgettext("how many rows", "Not valid"),
    Outcome.REJECTED: lazy_pgettext("how many rows", "Rejected"),
    Outcome.WAITING: lazy_pgettext("how many rows", "To be looked up"),
    Outcome.FAILED: lazy_pgettext("how many rows", "Not answered"),
}

ATTEMPT_ENDS: dict[AttemptEnd, LazyString] = {
    AttemptEnd.COMPLETED: _("completed"),
    AttemptEnd.FAILED: _("failed"),
    AttemptEnd.TIMEOUT: _("timed out"),
    AttemptEnd.LOST: _("lost its worker"),
    AttemptEnd.HANDED_BACK: _("handed back"),
    AttemptEnd.CANCELLED: _("cancelled"),
}

CANNOT_START: dict[str, LazyString] = {
    "not_ready": _("The file has not been read yet. Wait a moment and try again."),
    "sheet_unknown": _("The file has no such sheet. Choose one of those listed."),
    "column_unknown": _("The sheet has no such column. Choose one of those listed."),
    "header_unknown": _("The sheet has no such row. Choose the row with the headings again."),
    "country_unknown": _("This country is not known. Choose one of those listed."),
    "source_unknown": _("This source is not known. Choose one of those listed."),
    "too_many_rows": _("The sheet has more rows than a file may have. Split it into several files."),
    "files_spent": _(
        "You have started as many files today as you may. Go on tomorrow, or ask an administrator for more."
    ),
    "no_rows": _("There is no row below the headings. Choose another sheet or another row of headings."),
}


def status_words(status: Status | str) -> str:
    """One status in a word or two."""
    return str(STATUSES[Status(status)])


def outcome_words(outcome: Outcome | str) -> str:
    """One row's outcome in a word or two."""
    return str(OUTCOMES[Outcome(outcome)])


def outcome_count_words(outcome: Outcome | str) -> str:
    """One outcome as the name of a figure that says how many rows have it."""
    return str(OUTCOME_COUNTS[Outcome(outcome)])


def attempt_end_words(end: AttemptEnd | None) -> str:
    """How an attempt ended, in words that go on after "Attempt 2"."""
    return str(ATTEMPT_ENDS[end]) if end else gettext("in progress")


def cannot_start_words(code: str) -> str:
    """Why a job cannot be started, and what to do."""
    return str(CANNOT_START.get(code) or gettext("The file cannot be looked up with this choice."))


def summary_words(job: JobColumns, now: datetime) -> str:
    """Two or three short sentences: how it stands, why, and whether its owner has to do anything."""
    summary = summary_sentence(job, now)
    if summary in _AFTER_CAUSE:
        return f"{reason_words(cause_of(job, now))} {_AFTER_CAUSE[summary]}"
    plain = _PLAIN.get(summary)
    if plain is not None:
        return str(plain)
    if summary == Summary.DONE:
        return _done(job)
    ready = ngettext(
        "%(n)s row is ready.", "%(n)s rows are ready.", job.processed_numbers, n=format_decimal(job.processed_numbers)
    )
    if summary == Summary.STOPPED_FOR_ADMIN:
        after = gettext("An administrator needs to fix this. After that, press Retry.")
        return f"{reason_words(job.last_error)} {after} {ready}"
    left = retryable_numbers(job)
    if summary == Summary.CANCELLED:
        kept = ngettext("%(n)s row was not looked up.", "%(n)s rows were not looked up.", left, n=format_decimal(left))
        download = gettext("You can still download what is ready.")
        return f"{download} {ready} {kept}" if left else ready
    needs = ngettext("%(n)s row needs you.", "%(n)s rows need you.", left, n=format_decimal(left))
    stopped = ngettext(
        "Stopped after %(n)s attempt.", "Stopped after %(n)s attempts.", job.attempt, n=format_decimal(job.attempt)
    )
    return f"{stopped} {ready} {needs}"


def waits_words(job: JobColumns, now: datetime) -> str:
    """What keeps the job from going on, for its row in a list: one sentence, and nothing for a job that needs none."""
    return reason_words(cause_of(job, now)) if summary_sentence(job, now) in _SAID_IN_A_LIST else ""


def _done(job: JobColumns) -> str:
    total = job.total_numbers
    every = ngettext(
        "Done: the row of your file is accounted for. Nothing to do.",
        "Done: all %(n)s rows of your file are accounted for. Nothing to do.",
        total,
        n=format_decimal(total),
    )
    return every if total else gettext("Done: the file had no rows. Nothing to do.")


_PLAIN: dict[Summary, LazyString] = {
    Summary.QUEUED: _("Your file is safe and waits for its turn. Nothing to do; you can close this page."),
    Summary.STARTING: _("Starting. Nothing to do; you can close this page."),
    Summary.WORKING: _("Working. Nothing to do; you can close this page."),
    Summary.GOING_ON: _("Goes on in a moment from where it stopped. Nothing to do."),
    Summary.WORKER_AWAY: _("The worker is not answering. The portal takes the file back by itself. Nothing to do."),
    Summary.PAUSING: _("Pausing: what is under way is finished and saved."),
    Summary.PAUSED: _("Paused. It goes on when you press Resume; what is ready is kept."),
    Summary.RETRY_PLANNED: _("Some rows are still without an answer. The portal tries again by itself. Nothing to do."),
}

# What follows after the sentence that says what is the matter.
_AFTER_CAUSE: dict[Summary, LazyString] = {
    Summary.SOURCE_BUSY: _("Your file is safe and will continue automatically. You do not need to do anything."),
    Summary.SOURCE_REFUSES: _(
        "The administrators have been notified. Your file is safe and will continue automatically. You do not need to"
        " do anything."
    ),
    Summary.SOURCE_PAUSED: _("Your file is safe and waits until the source is resumed."),
    Summary.RETRY_FOR_ADMIN: _(
        "The administrators have been notified. Your file is safe and we will retry automatically. You do not need to"
        " do anything."
    ),
}
_SAID_IN_A_LIST = frozenset({*_AFTER_CAUSE, Summary.STOPPED_FOR_ADMIN})
