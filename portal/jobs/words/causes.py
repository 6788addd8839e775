"""The catalogue of causes: for each code what happened, whose side it is on, whether it is retried, what to do.

The same words appear on the page, in the file and in the e-mail; administrators also get a remedy. A code that is not
in the catalogue was written by hand in the shell, and is shown as it is.
"""

from dataclasses import dataclass
from enum import StrEnum

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from portal.documents.words import reason_words as why_not_a_number
from portal.phone import Reason


class Side(StrEnum):
    """Whose side a fault is on."""

    YOURS = "yours"
    SOURCE = "source"
    PORTAL = "portal"
    ADMIN = "admin"
    NOBODY = "nobody"


SIDES: dict[Side, LazyString] = {
    Side.YOURS: _("In the file"),
    Side.SOURCE: _("At the source"),
    Side.PORTAL: _("In the portal"),
    Side.ADMIN: _("With the administrators"),
    Side.NOBODY: _("Nobody’s: this is planned"),
}


@dataclass(frozen=True)
class Explained:
    """One cause in words. All four parts are sentences, or words that stand alone."""

    what: LazyString | str
    side: LazyString | str
    retried: LazyString | str
    todo: LazyString | str


def _cause(what: LazyString, side: Side, retried: LazyString, todo: LazyString) -> Explained:
    return Explained(what, SIDES[side], retried, todo)


_BY_ITSELF = _("The portal tries again by itself, each time after a longer wait, until its retries are spent.")
_NO_RETRY_USED = _("It goes on by itself, and uses no retry.")
_NOT_BEFORE = _("Not before an administrator has put it right.")
_WHEN_RIGHT = _("It waits, uses no retry, and goes on by itself once an administrator has put it right.")
_TOLD = _("Nothing. The administrators have been told.")
_NEVER = _("No. The answer would be the same.")
_NOTHING = _("You can press Retry at any time: only rows without an answer are looked up again.")
_TOLD_THEN_RETRY = _("The administrators have been told. Once it is put right, press Retry: what is ready is kept.")
_CORRECT = _("Download the rows that need correcting, put them right and upload that file.")

CAUSES: dict[str, Explained] = {
    # why an attempt ended
    "numbers_unanswered": _cause(
        _("The source did not answer for some of the numbers."), Side.SOURCE, _BY_ITSELF, _NOTHING
    ),
    "worker_lost": _cause(
        _("The process that was looking up the numbers stopped without a word."), Side.PORTAL, _BY_ITSELF, _NOTHING
    ),
    "no_progress": _cause(_("For too long, not a single answer came in."), Side.SOURCE, _BY_ITSELF, _NOTHING),
    "by_admin": _cause(
        _("An administrator stopped this attempt because it was not getting on."), Side.ADMIN, _BY_ITSELF, _NOTHING
    ),
    "source_unknown": _cause(
        _("The source that was chosen is no longer set up here."), Side.ADMIN, _BY_ITSELF, _TOLD_THEN_RETRY
    ),
    "restart": _cause(_("The portal was restarted."), Side.NOBODY, _NO_RETRY_USED, _("Nothing.")),
    "paused": _cause(
        _("Somebody paused the file."),
        Side.NOBODY,
        _("It goes on when it is resumed."),
        _("Press Resume when you like."),
    ),
    "source_busy": _cause(
        _("The source is busy or does not answer anybody just now."), Side.SOURCE, _NO_RETRY_USED, _("Nothing.")
    ),
    "source_down": _cause(
        _("The source does not answer anybody just now. It is tried again from time to time."),
        Side.SOURCE,
        _NO_RETRY_USED,
        _("Nothing."),
    ),
    "source_silent": _cause(
        _("The source did not answer a single question. The portal waits a little longer each time."),
        Side.SOURCE,
        _("It goes on by itself and uses no retry, up to eight times a day."),
        _("Nothing."),
    ),
    "not_ready": _cause(
        _("The source has taken the numbers and is still working on the answers."),
        Side.SOURCE,
        _NO_RETRY_USED,
        _("Nothing."),
    ),
    "source_paused": _cause(
        _("An administrator has paused the source."),
        Side.NOBODY,
        _("It goes on, and uses no retry, once the source is resumed."),
        _("Nothing."),
    ),
    # why a row has no answer
    "source_error": _cause(
        _("The source’s answer for this number could not be used."), Side.SOURCE, _BY_ITSELF, _NOTHING
    ),
    "never_ready": _cause(
        _("The source took this number and gave no answer in time."), Side.SOURCE, _BY_ITSELF, _NOTHING
    ),
    "temporary": _cause(_("The source did not answer for this number."), Side.SOURCE, _BY_ITSELF, _NOTHING),
    "rate_limited": _cause(_("The source asked to be asked less often."), Side.SOURCE, _NO_RETRY_USED, _("Nothing.")),
    "blocked": _cause(_("The source refuses this portal."), Side.ADMIN, _WHEN_RIGHT, _TOLD),
    "credentials": _cause(_("The source does not accept the portal’s access data."), Side.ADMIN, _WHEN_RIGHT, _TOLD),
    "no_credit": _cause(_("The credit at the source is used up."), Side.ADMIN, _WHEN_RIGHT, _TOLD),
    "page_changed": _cause(
        _("The source’s page has changed and can no longer be read."), Side.ADMIN, _NOT_BEFORE, _TOLD_THEN_RETRY
    ),
    "recipe_broken": _cause(
        _("The source does not understand how it is asked: its recipe has to be put right."),
        Side.ADMIN,
        _NOT_BEFORE,
        _TOLD_THEN_RETRY,
    ),
    "secret_missing": _cause(
        _("The portal’s access data for this source is not set up."), Side.ADMIN, _NOT_BEFORE, _TOLD_THEN_RETRY
    ),
    "address_refused": _cause(
        _("The source’s address is one that this portal may not ask."), Side.ADMIN, _NOT_BEFORE, _TOLD_THEN_RETRY
    ),
    "robots_refuse": _cause(
        _("The source does not want to be read by programs (robots.txt)."), Side.ADMIN, _NOT_BEFORE, _TOLD_THEN_RETRY
    ),
    "unsure": _cause(
        _("The source did not understand the question for this number."), Side.SOURCE, _BY_ITSELF, _NOTHING
    ),
    "rejected": _cause(
        _("The source refuses this number for good."), Side.SOURCE, _NEVER, _("Check the number, or leave it as it is.")
    ),
}

# Why a cell is no number at all: documents.words says what is the matter.
_CELLS: dict[str, LazyString] = {
    Reason.BLANK: _("Fill in the number and upload the file again, or leave the row as it is."),
}


def explain(code: str | None) -> Explained | None:
    """A cause with its four parts, in the reader's language. A text given by hand is what happened, as it stands."""
    if not code:
        return None
    if code in CAUSES:
        return CAUSES[code]
    if code in tuple(Reason):
        return Explained(why_not_a_number(code), SIDES[Side.YOURS], _NEVER, _CELLS.get(code, _CORRECT))
    return Explained(_unknown(code), SIDES[Side.PORTAL], _BY_ITSELF, _NOTHING)


def _unknown(code: str) -> LazyString | str:
    """A word of the program's own says nothing to a reader; a sentence does."""
    bare = code.isascii() and code.replace("_", "").isalnum() and code == code.lower() and "_" in code
    return _("Something unexpected happened.") if bare else code


def reason_words(code: str | None) -> str:
    """What happened with one row or one attempt; nothing for no reason."""
    explained = explain(code)
    return str(explained.what) if explained else ""


_LOOK_AT_SOURCE = _("Look at the source’s page: try one number there. Once it answers, retry these.")
_LOOK_AT_WORKERS = _("Look at the logs and at the machine’s memory: a worker was killed. Then retry these.")

REMEDIES: dict[str, LazyString] = {
    "numbers_unanswered": _("Most of these get through by themselves. If they stay, try one number at the source."),
    "worker_lost": _LOOK_AT_WORKERS,
    "no_progress": _("The source hangs, or its pace is too slow for the time allowed: look at it, or allow more."),
    "by_admin": _("An administrator ended these. Retry them once what was in the way is gone."),
    "source_unknown": _("Put the source’s recipe back in its folder and restart, or let the owners choose another."),
    "blocked": _("The source refuses us: make it slower in its recipe, or ask its owner. Then retry these."),
    "credentials": _("Put the source’s access data right in the environment and restart. Then retry these."),
    "no_credit": _("Top up the credit at the source. Then retry these."),
    "page_changed": _("The source’s page is read wrongly: put its recipe right and run its tests. Then retry these."),
    "recipe_broken": _("Put the source’s recipe right and run its tests. Then retry these."),
    "secret_missing": _("Set the source’s access data in the environment and restart. Then retry these."),
    "address_refused": _("The source is inside the network: allow it in the settings, if it is yours."),
    "robots_refuse": _("The source does not want programs: ask its owner, or use another source."),
}


def remedy(cause: str) -> str:
    """What usually helps, in a sentence or two."""
    if not cause:
        return str(
            _("Open one of them and read what happened when: it was probably changed by hand. Then retry these.")
        )
    return str(REMEDIES.get(cause) or _LOOK_AT_SOURCE)
