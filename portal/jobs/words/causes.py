"""Shows a cause in the reader's language: what happened, where, whether we retry, what to do, and the remedy.

The records are in `portal.causes`; the same words appear on the page, in the file and in messages. A code that has no
record was written by hand in the shell, and is shown as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from flask_babel import format_date, get_locale, gettext

from portal.causes import CORRECT, N_, NEVER, NO_CAUSE_REMEDY, SIDES, CauseCode, Side, cause_for, what_happened
from portal.documents.words import reason_words as why_not_a_number
from portal.phone import Reason, parse


@dataclass(frozen=True)
class Explained:
    """One cause in words. All parts are sentences, or words that stand alone; `todo` is empty for nothing, and
    `todo_when_stopped` takes its place once the file has stopped for good."""

    what: str
    side: str
    retried: str
    todo: str
    todo_when_stopped: str


# Why a cell is no number at all: documents.words says what is the matter.
_CELLS: dict[str, str] = {
    Reason.BLANK: N_("Fill in the number and upload the file again, or leave the row as it is."),
}


def explain(code: str | None) -> Explained | None:
    """A cause in words. None for no cause; a text written by hand is what happened, as it is."""
    if not code:
        return None
    if code in tuple(Reason):
        todo = gettext(_CELLS.get(code, CORRECT))
        return Explained(why_not_a_number(code), gettext(SIDES[Side.YOURS]), gettext(NEVER), todo, todo)
    cause = cause_for(code)
    return Explained(
        what=gettext(what_happened(code)),
        side=gettext(cause.where),
        retried=gettext(cause.retried),
        todo=gettext(cause.todo) if cause.todo else "",
        todo_when_stopped=gettext(cause.todo_when_stopped),
    )


def reason_words(code: str | None) -> str:
    """What happened with one row or one attempt; empty for no reason."""
    explained = explain(code)
    return explained.what if explained else ""


def row_reason_words(code: str | None, text: str, country: str, answer: Mapping[str, str] | None = None) -> str:
    """What happened with one row, with the numbers that its cell may mean when none was looked up, or with the list
    that its number is on. `country` is the job's. A reason that an earlier parser gave keeps its meaning, so nothing is
    added to it."""
    if code == CauseCode.EXCLUDED and answer and answer.get("list"):
        return gettext("Excluded: %(list)s", list=list_words(answer["list"], answer.get("dated", "")))
    if code not in tuple(Reason):
        return reason_words(code)
    phone = parse(text, country)
    return why_not_a_number(code, phone.offered if phone.reason == code else ())


def list_words(name: str, dated: str) -> str:
    """A list of excluded numbers: its name, and of which day (in ISO) it is."""
    try:
        day = date.fromisoformat(dated)
    except ValueError:
        return name
    locale = get_locale()
    style = "dd/MM/yyyy" if locale is not None and locale.language == "es" else "medium"
    return f"{name}, {format_date(day, style)}"


def remedy(code: str | None) -> str:
    """What usually helps, for an administrator: a sentence or two that begin with what to do."""
    return gettext(cause_for(code).remedy if code else NO_CAUSE_REMEDY)
