"""The words for a new list that is merged with an earlier one: what a row is beside it, and why two lists cannot be
compared."""

from flask_babel import gettext

from portal.documents.comparison.two_lists import RowChange, RowKind
from portal.jobs.core.merge_tables import MergeProblem

BEFORE = "\0"  # stands in the words of a changed row where its telephone was


def kind_words(kind: RowKind, *, had_none: bool = False) -> str:
    """What a row is beside the earlier list. Of a changed one, BEFORE stands for its earlier telephone; `had_none`: it
    had none."""
    match kind:
        case RowKind.SAME:
            return gettext("Same phone")
        case RowKind.CHANGED:
            if had_none:
                return gettext("New phone: it had none")
            return gettext("Other phone: it was %(before)s", before=BEFORE)
        case RowKind.NEW:
            return gettext("New row")
        case RowKind.REPEATED:
            return gettext("Not compared: its key is repeated")
        case RowKind.NO_KEY:
            return gettext("Not compared: it has no key")
        case _:
            return gettext("No longer there")


def change_words(change: RowChange) -> str:
    """What a row is beside the earlier list, with the telephone that it had there."""
    is_known = change.kind != RowKind.CHANGED or change.before
    return kind_words(change.kind, had_none=not is_known).replace(BEFORE, change.before)


def kind_alone_words(kind: RowKind) -> str:
    """The same of all rows of a kind, whatever their telephones were."""
    return gettext("Other phone") if kind == RowKind.CHANGED else kind_words(kind)


def merge_problem_words(problem: MergeProblem | None) -> str:
    """Why two lists cannot be compared, and what to do."""
    match problem:
        case MergeProblem.EARLIER_GONE:
            return gettext("The earlier file was deleted. Choose another one, or start without it.")
        case MergeProblem.CONTENT_GONE:
            return gettext("The content of this file is no longer available. Upload it again.")
        case _:
            return gettext(
                "The two lists could not be compared. Choose another column, or start without the earlier list."
            )
