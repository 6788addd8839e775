"""What the check page says of a file that is a download of a job: which rows are whose, in sentences."""

from contextlib import suppress
from typing import Any

from flask import current_app
from flask_babel import LazyString, format_decimal, ngettext
from flask_babel import lazy_gettext as _
from flask_login import current_user

from portal.documents.models import Document
from portal.jobs.export.returned import ROWS_NAMED, Returned, ReturnState, returned_in

SENTENCES: dict[ReturnState, LazyString] = {
    ReturnState.GONE: _(
        "This file is a download of a file that has been deleted here, so its answers are not here any more. "
        "You can start it as a new file."
    ),
    ReturnState.OTHERS: _(
        "This file is a download of another person’s file, which only they can correct. You can start it as a new file."
    ),
    ReturnState.CHANGED: _(
        "This file is a download of %(name)s, but the columns with the numbers have another heading or are gone. "
        "Give them their headings back and upload it again, or start it as a new file."
    ),
    ReturnState.RUNNING: _(
        "This file is a download of %(name)s, which has not finished yet. Open this page again once it has, "
        "and you can go on in it; or start this as a new file."
    ),
}


def found_in(document: Document) -> Returned | None:
    """The document as a download of a job; None when it is none, or its rows are not here."""
    with suppress(OSError):
        return returned_in(document, current_user, current_app.extensions["storage"])
    return None


def returned_download(document: Document) -> dict[str, Any] | None:
    """The sentences of the page, and what its button does; None for a file that is no download."""
    found = found_in(document)
    if found is None:
        return None
    job = found.job
    name = job.file_name if job else ""
    if found.state is not ReturnState.READY:
        return {"found": found, "sentence": str(SENTENCES[found.state]) % {"name": name}, "notes": []}
    n = len(found.corrected)
    whole = {"theirs": format_decimal(found.theirs), "rows": format_decimal(found.rows), "name": name}
    sentence = ngettext(
        "%(theirs)s of %(rows)s rows belong to %(name)s, and %(n)s cell was corrected.",
        "%(theirs)s of %(rows)s rows belong to %(name)s, and %(n)s cells were corrected.",
        n,
        n=format_decimal(n),
        **whole,
    )
    return {"found": found, "sentence": sentence, "notes": _notes(found)}


def _notes(found: Returned) -> list[str]:
    """What is different besides the corrections, and what becomes of it."""
    notes = []
    if found.unreadable:
        named = ", ".join(map(format_decimal, found.unreadable[:ROWS_NAMED]))
        notes.append(
            ngettext(
                "%(n)s cell was changed and is still not a number: row %(rows)s of this file.",
                "%(n)s cells were changed and are still not numbers: rows %(rows)s of this file.",
                len(found.unreadable),
                n=format_decimal(len(found.unreadable)),
                rows=named if len(found.unreadable) <= ROWS_NAMED else f"{named}…",
            )
        )
    for count, words in (
        (found.already, _already),
        (found.answered, _answered),
        (found.added, _added),
        (found.missing, _missing),
    ):
        if count:
            notes.append(words(count))
    return notes


def _already(n: int) -> str:
    return ngettext(
        "%(n)s cell has this correction already.", "%(n)s cells have this correction already.", n, n=format_decimal(n)
    )


def _answered(n: int) -> str:
    return ngettext(
        "%(n)s changed cell has an answer already: it stays as it is in that file.",
        "%(n)s changed cells have an answer already: they stay as they are in that file.",
        n,
        n=format_decimal(n),
    )


def _added(n: int) -> str:
    return ngettext(
        "%(n)s row is new, or cannot be recognised: to look it up, start this as a new file.",
        "%(n)s rows are new, or cannot be recognised: to look them up, start this as a new file.",
        n,
        n=format_decimal(n),
    )


def _missing(n: int) -> str:
    return ngettext(
        "%(n)s row of that file is not in this one: it stays there as it is.",
        "%(n)s rows of that file are not in this one: they stay there as they are.",
        n,
        n=format_decimal(n),
    )
