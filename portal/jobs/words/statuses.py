"""Words for the codes of this room: statuses, outcomes, and the summary on a job's page.

Causes are in `causes`, timeline sentences in `timeline`. Nothing here queries the database.
"""

from datetime import datetime

from flask_babel import LazyString, format_decimal, format_time, gettext, lazy_pgettext, ngettext
from flask_babel import lazy_gettext as _

from portal.jobs.core.derived import Summary, cause_of, cell_counts, cells_to_fix, retryable_numbers, summary_sentence
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.job_tables import AttemptEnd
from portal.jobs.core.status import CellStatus, Status
from portal.jobs.words.causes import Explained, Side, explain, list_words, reason_words, row_reason_words
from portal.jobs.words.timeline import event_tone, event_words
from portal.sources.base import Outcome

__all__ = [
    "ATTEMPT_ENDS", "CANNOT_START", "OUTCOMES", "OUTCOME_COUNTS", "STATUSES", "Explained", "Side", "attempt_end_words",
    "badge_words", "cannot_start_words", "event_tone", "event_words", "explain", "outcome_count_words", "outcome_words",
    "list_words", "reason_words", "row_reason_words", "status_words", "summary_words", "waits_words",
]  # fmt: skip

STATUSES: dict[Status, LazyString] = {
    Status.PENDING: _("Queued"),
    Status.PROCESSING: _("In progress"),
    Status.COMPLETED: _("Completed"),
    Status.FAILED: _("Incomplete"),
    Status.TIMEOUT: _("Interrupted"),
    Status.RETRYING: _("Waiting"),
    Status.CANCELLED: _("Cancelled"),
}

OUTCOMES: dict[CellStatus, LazyString] = {
    CellStatus.FOUND: _("Found"),
    CellStatus.NOT_FOUND: _("Not found"),
    CellStatus.INVALID: _("Invalid"),
    CellStatus.REJECTED: _("Rejected"),
    CellStatus.WAITING: _("To look up"),
    CellStatus.FAILED: _("No answer"),
    CellStatus.BLANK: _("Blank"),
}

# Labels of a count: Spanish and other languages use a plural here.
OUTCOME_COUNTS: dict[CellStatus, LazyString] = {
    CellStatus.FOUND: lazy_pgettext("how many rows", "Found"),
    CellStatus.NOT_FOUND: lazy_pgettext("how many rows", "Not found"),
    CellStatus.INVALID: lazy_pgettext("how many rows", "Invalid"),
    CellStatus.REJECTED: lazy_pgettext("how many rows", "Rejected"),
    CellStatus.WAITING: lazy_pgettext("how many rows", "To look up"),
    CellStatus.FAILED: lazy_pgettext("how many rows", "No answer"),
    CellStatus.BLANK: lazy_pgettext("how many rows", "Blank"),
}

ATTEMPT_ENDS: dict[AttemptEnd, LazyString] = {
    AttemptEnd.COMPLETED: _("completed"),
    AttemptEnd.FAILED: _("failed"),
    AttemptEnd.TIMEOUT: _("timed out"),
    AttemptEnd.LOST: _("stopped unexpectedly"),
    AttemptEnd.HANDED_BACK: _("returned to the queue"),
    AttemptEnd.CANCELLED: _("cancelled"),
}

CANNOT_START: dict[str, LazyString] = {
    "not_ready": _("The file is still being read. Wait a moment and try again."),
    "sheet_unknown": _("The file does not have that sheet. Choose one from the list."),
    "column_unknown": _("The sheet does not have that column. Choose one from the list."),
    "no_column": _("Tick at least one column with numbers."),
    "too_many_columns": _("You can tick up to 10 columns. Untick some of them."),
    "header_unknown": _("The sheet does not have that row. Choose the heading row again."),
    "country_unknown": _("That country is not in the list. Choose one from the list."),
    "too_many_sources": _("A file can be looked up at four sources at most. Remove some."),
    "source_twice": _("A source is chosen twice. Choose each one once."),
    "other_currency": _(
        "These sources charge in different currencies, so their costs cannot be added up. Choose sources with the same "
        "currency."
    ),
    "source_unknown": _("That source is not available. Choose one from the list."),
    "too_many_rows": _("The sheet has too many rows. Split it into several files."),
    "files_spent": _(
        "You have reached today’s limit of files. Remove one that you have not started, continue tomorrow, or ask an "
        "administrator to raise the limit."
    ),
    "merge_changed": _("The lists have to be compared again, because what is looked up has changed. Press the button."),
    "no_rows": _("There are no rows below the headings. Choose another sheet or another heading row."),
}


def status_words(status: Status | str) -> str:
    """A status in a word or two."""
    return str(STATUSES[Status(status)])


def badge_words(job: JobColumns, now: datetime) -> tuple[str, str]:
    """The one badge of a file: its tone and its words, made of the status and of what it waits for."""
    summary = summary_sentence(job, now)
    if summary == Summary.DONE:
        to_fix = cells_to_fix(job)
        completed = str(STATUSES[Status.COMPLETED])
        fix = ngettext("Completed, %(n)s to fix", "Completed, %(n)s to fix", to_fix, n=format_decimal(to_fix))
        return "ok", fix if to_fix else completed
    if summary in (Summary.RETRY_PLANNED, Summary.RETRY_FOR_ADMIN) and job.next_retry_at:
        return "soon", gettext("Incomplete, retries at %(time)s", time=format_time(job.next_retry_at, "short"))
    if summary in (Summary.STOPPED, Summary.STOPPED_FOR_ADMIN):
        return ("warn" if job.status == Status.TIMEOUT else "bad"), status_words(job.status)
    if summary in _BADGES:
        tone, words = _BADGES[summary]
        return tone, str(words)
    return "soon", gettext("Waiting")


def outcome_words(outcome: Outcome | CellStatus | str) -> str:
    """The outcome of one row, or the status of its cell, in a word or two."""
    return str(OUTCOMES[CellStatus(outcome)])


def outcome_count_words(outcome: Outcome | CellStatus | str) -> str:
    """An outcome as the label of a count of rows."""
    return str(OUTCOME_COUNTS[CellStatus(outcome)])


def attempt_end_words(end: AttemptEnd | None) -> str:
    """How an attempt ended, in words that follow "Attempt 2:"."""
    return str(ATTEMPT_ENDS[end]) if end else gettext("in progress")


def cannot_start_words(code: str) -> str:
    """Why a job cannot be started, and what to do about it."""
    return str(
        CANNOT_START.get(code) or gettext("The file cannot be looked up with these options. Change them and try again.")
    )


def summary_words(job: JobColumns, now: datetime) -> str:
    """Two or three short sentences: the state of the job, why, and whether its owner has to do anything."""
    summary = summary_sentence(job, now)
    if summary in _AFTER_CAUSE:
        return f"{reason_words(cause_of(job, now))} {_AFTER_CAUSE[summary]}"
    plain = _PLAIN.get(summary)
    if plain is not None:
        return str(plain)
    if summary == Summary.DONE:
        return _done(job)
    ready = ngettext(
        "%(n)s number is ready.",
        "%(n)s numbers are ready.",
        job.processed_numbers,
        n=format_decimal(job.processed_numbers),
    )
    if summary == Summary.STOPPED_FOR_ADMIN:
        after = gettext("Ask an administrator to fix this, then press Retry.")
        return f"{reason_words(job.last_error)} {after} {ready}"
    left = retryable_numbers(job)
    if summary == Summary.CANCELLED:
        kept = ngettext(
            "%(n)s number was not looked up.", "%(n)s numbers were not looked up.", left, n=format_decimal(left)
        )
        download = gettext("You can still download what is ready.")
        return f"{download} {ready} {kept}" if left else ready
    unanswered = ngettext(
        "%(n)s number has no answer yet. Press Retry to look it up again.",
        "%(n)s numbers have no answer yet. Press Retry to look them up again.",
        left,
        n=format_decimal(left),
    )
    stopped = ngettext(
        "Stopped after %(n)s attempt.", "Stopped after %(n)s attempts.", job.attempt, n=format_decimal(job.attempt)
    )
    if not job.attempt:
        stopped = gettext("The source could not be asked, and we have stopped waiting for it.")
    return f"{stopped} {ready} {unanswered}"


def waits_words(job: JobColumns, now: datetime) -> str:
    """Why the job is waiting, as one sentence for its row in a list; empty if there is nothing to explain."""
    return reason_words(cause_of(job, now)) if summary_sentence(job, now) in _EXPLAINED_IN_A_LIST else ""


def _done(job: JobColumns) -> str:
    blank = cell_counts(job)[CellStatus.BLANK]
    total = job.total_numbers - blank
    if not job.total_numbers:
        return gettext("Done: the file had no rows.")
    if not total:
        return gettext("Done: all cells are blank.")
    found = ngettext(
        "Done: %(found)s of %(n)s number has data.",
        "Done: %(found)s of %(n)s numbers have data.",
        total,
        found=format_decimal(job.found_count),
        n=format_decimal(total),
    )
    to_fix = cells_to_fix(job)
    fix = ngettext("%(n)s number to fix.", "%(n)s numbers to fix.", to_fix, n=format_decimal(to_fix))
    if job.more_columns:
        empty = ngettext("%(n)s row without a phone.", "%(n)s rows without a phone.", blank, n=format_decimal(blank))
    else:
        empty = ngettext("%(n)s blank cell.", "%(n)s blank cells.", blank, n=format_decimal(blank))
    return " ".join([found, *([fix] if to_fix else []), *([empty] if blank else [])])


_BADGES: dict[Summary, tuple[str, LazyString]] = {
    Summary.QUEUED: ("wait", STATUSES[Status.PENDING]),
    Summary.GOING_ON: ("wait", STATUSES[Status.PENDING]),
    Summary.STARTING: ("busy", STATUSES[Status.PROCESSING]),
    Summary.WORKING: ("busy", STATUSES[Status.PROCESSING]),
    Summary.WORKER_AWAY: ("busy", STATUSES[Status.PROCESSING]),
    Summary.PAUSING: ("warn", _("Paused")),
    Summary.PAUSED: ("warn", _("Paused")),
    Summary.FIRST_READY: ("warn", _("Paused")),
    Summary.CAP_REACHED: ("warn", _("Paused")),
    Summary.CANCELLED: ("off", STATUSES[Status.CANCELLED]),
}  # all others wait for a moment, a source or a turn
_PLAIN: dict[Summary, LazyString] = {
    Summary.QUEUED: _("The file is in the queue. You can close this page."),
    Summary.STARTING: _("Starting. You can close this page."),
    Summary.WORKING: _("Looking up the numbers. You can close this page."),
    Summary.GOING_ON: _("The lookup will continue in a moment from where it stopped."),
    Summary.GIVES_WAY: _(
        "It is the turn of other people’s files. Yours will continue automatically in a few minutes; "
        "you do not need to do anything."
    ),
    Summary.WORKER_AWAY: _(
        "The lookup has stopped responding. It will start again automatically in a moment; nothing is lost."
    ),
    Summary.PAUSING: _("Pausing. Numbers already being looked up will be finished and saved."),
    Summary.PAUSED: _("Paused. Press Resume to continue; what is ready is kept."),
    Summary.FIRST_READY: _(
        "The first numbers are ready: look at their answers below. Press Continue to look up the others; "
        "nothing is looked up until then."
    ),
    Summary.STARTS_LATER: _("The file will start automatically at the time you chose. You can close this page."),
    Summary.RETRY_PLANNED: _(
        "Some numbers have no answer yet. We will try again automatically; you do not need to do anything."
    ),
}

# Added after the sentence that explains the cause.
_AFTER_CAUSE: dict[Summary, LazyString] = {
    Summary.SOURCE_BUSY: _("The lookup will continue automatically; you do not need to do anything."),
    Summary.SOURCE_REFUSES: _(
        "The administrators have been notified. We will continue automatically once it is fixed; "
        "you do not need to do anything."
    ),
    Summary.SOURCE_PAUSED: _("The lookup will continue automatically once the source is resumed."),
    Summary.CAP_REACHED: _(
        "The file is paused and will continue automatically once it may spend more; nothing is lost."
    ),
    Summary.RETRY_FOR_ADMIN: _(
        "The administrators have been notified. We will try again automatically; you do not need to do anything."
    ),
}
_EXPLAINED_IN_A_LIST = frozenset({*_AFTER_CAUSE, Summary.STOPPED_FOR_ADMIN})


def no_worker_words() -> str:
    """Why no number can be tried: no worker can be reached."""
    return gettext("Redis is not responding, so you cannot try a number right now. Files in progress continue.")
