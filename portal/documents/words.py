"""The sentence for every code in this package: what happened, then what to do.

The only file here that uses Flask-Babel. A test checks that every code has a sentence.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import LazyString, format_decimal, gettext, ngettext
from flask_babel import lazy_gettext as _

from portal.documents.reader.limits import FileProblem
from portal.phone import REASONS, Reason

MB, GB = 1000**2, 1000**3

PROBLEMS: dict[FileProblem, LazyString] = {
    FileProblem.EMPTY: _("The file is empty. Save it again from the program that made it and upload it once more."),
    FileProblem.NO_ROWS: _("The file has no rows with data. Check that you chose the right file."),
    FileProblem.WRONG_TYPE: _(
        "This file is not a spreadsheet that we can read. Save it as Excel (.xlsx, .xls, .xlsb), OpenDocument (.ods) "
        "or text (.csv, .tsv) and upload it again."
    ),
    FileProblem.ENCRYPTED: _(
        "The file is protected with a password. Open it, save it without the password and upload it again."
    ),
    FileProblem.DAMAGED: _(
        "The file is damaged. Open it in your spreadsheet program, save it with a new name and upload the new file."
    ),
    FileProblem.UNSAFE: _(
        "We could not read the file safely. Copy the rows with the numbers into a new workbook and upload it."
    ),
    FileProblem.MACHINE: _(
        "We could not read the file for a whole day, because of a problem of this portal. Ask an administrator for "
        "help, then upload it again."
    ),
    FileProblem.TOO_MANY_ROWS: _(
        "The file has %(rows)s rows and the limit is %(limit)s. Split it into several files and upload them one by one."
    ),
    FileProblem.TOO_MANY_COLUMNS: _(
        "The data reaches column number %(columns)s and the limit is %(limit)s. Copy the columns you need into a new "
        "workbook and upload it."
    ),
    FileProblem.TOO_MANY_SHEETS: _(
        "The workbook has %(sheets)s sheets and the limit is %(limit)s. Copy the sheet with the numbers into a new "
        "workbook and upload it."
    ),
    FileProblem.TOO_LARGE: _(
        "The content of the file is larger than %(limit)s MB. Copy the rows with the numbers into a new workbook and "
        "upload it."
    ),
}


class _Values(dict[str, str]):
    """Values for a sentence. A missing one becomes a dash: a sentence with a gap is better than a broken page."""

    def __missing__(self, key: str) -> str:
        return "–"


def problem_words(problem: FileProblem | str, facts: Mapping[str, Any] | None = None) -> str:
    """Return why a file cannot be used, in the reader's language and number format."""
    values = {
        name: format_decimal(value) if isinstance(value, (int, float)) else str(value)
        for name, value in (facts or {}).items()
    }
    return str(PROBLEMS[FileProblem(problem)]) % _Values(values)


def reason_words(reason: Reason | str, offered: Sequence[str] = ()) -> str:
    """Return why a cell is not looked up, in the reader's language, with the numbers that can be read there."""
    return _with_offers(gettext(REASONS[Reason(reason)].sentence), offered)


def typed_reason_words(reason: Reason | str | None, offered: Sequence[str] = ()) -> str:
    """The same of a number that was typed without a file, where there is no cell and no column. None: the text has
    several numbers, each of which could be looked up."""
    text = REASONS[Reason(reason or Reason.SEVERAL_NUMBERS)]
    return _with_offers(gettext(text.typed or text.sentence), offered)


def _with_offers(sentence: str, offered: Sequence[str]) -> str:
    if not offered:
        return sentence
    read_there = gettext("We can read: %(numbers)s.", numbers=" · ".join(offered))
    return f"{sentence} {read_there}"


def fix_words(reason: Reason, cells: int) -> str:
    """The words of the button that accepts the offers of this reason."""
    match reason:
        case Reason.SEVERAL_NUMBERS:
            return ngettext("Take all numbers of the cell", "Take all numbers of the cell: %(num)s cells", cells)
        case Reason.LETTERS:
            return ngettext("Write digits for the letters", "Write digits for the letters: %(num)s cells", cells)
        case Reason.NEGATIVE:
            return ngettext("Undo the subtraction", "Undo the subtraction: %(num)s cells", cells)
        case Reason.OTHER_COUNTRY | Reason.UNKNOWN_COUNTRY:
            return ngettext("Write the country code", "Write the country code: %(num)s cells", cells)
        case Reason.EXTRA_DIGITS | Reason.TOO_LONG:
            return ngettext("Drop the digits too many", "Drop the digits too many: %(num)s cells", cells)
        case Reason.LEADING_ZERO:
            return ngettext("Correct the zero at the start", "Correct the zero at the start: %(num)s cells", cells)
    return ngettext("Take the number out of the text", "Take the number out of the text: %(num)s cells", cells)


def size_words(size: int) -> str:
    """Write `size` bytes in the reader's language, in kB, MB or GB."""
    for unit, name in ((GB, "GB"), (MB, "MB")):
        if size >= unit:
            return f"{format_decimal(size / unit, format='#,##0.#')} {name}"
    return f"{format_decimal(max(1, round(size / 1000)))} kB"
