"""Every code of this room as a sentence: what is the matter, and what to do about it.

The one file here that knows Flask-Babel. A test says that no code is without its words.
"""

from collections.abc import Mapping
from typing import Any

from flask_babel import LazyString, format_decimal
from flask_babel import lazy_gettext as _

from portal.documents.reader.limits import FileProblem
from portal.phone import Reason

PROBLEMS: dict[FileProblem, LazyString] = {
    FileProblem.EMPTY: _("The file is empty. Save it again from the program that made it and upload it once more."),
    FileProblem.NO_ROWS: _("There are no rows with data in the file. Check that you chose the right one."),
    FileProblem.WRONG_TYPE: _(
        "This is not a spreadsheet that can be read here. Save it as Excel (.xlsx, .xls, .xlsb), OpenDocument (.ods) "
        "or text (.csv, .tsv) and upload that file."
    ),
    FileProblem.ENCRYPTED: _(
        "The file is protected with a password. Open it, save it without the password and upload it again."
    ),
    FileProblem.DAMAGED: _(
        "The file is damaged and cannot be read to its end. Open it in your spreadsheet program, save it under a new "
        "name and upload that file."
    ),
    FileProblem.UNSAFE: _(
        "The file could not be read safely. Copy the rows with the numbers into a new, empty workbook and upload that."
    ),
    FileProblem.TOO_MANY_ROWS: _(
        "There are %(rows)s rows and a file may have %(limit)s. Split it into several files and upload them one by one."
    ),
    FileProblem.TOO_MANY_COLUMNS: _(
        "The data reaches column number %(columns)s and a sheet may have %(limit)s columns. Copy the columns that you "
        "need into a new sheet and upload that."
    ),
    FileProblem.TOO_MANY_SHEETS: _(
        "The workbook has %(sheets)s sheets and may have %(limit)s. Copy the sheet with the numbers into a new "
        "workbook and upload that."
    ),
    FileProblem.TOO_LARGE: _(
        "The content of the file comes to more than %(limit)s MB. Copy the rows with the numbers into a new, empty "
        "workbook and upload that."
    ),
}

REASONS: dict[Reason, LazyString] = {
    Reason.BLANK: _("The cell is blank. Nothing is looked up for it."),
    Reason.NOT_A_NUMBER: _("This is not a telephone number. Write the number alone in the cell."),
    Reason.TOO_SHORT: _("The number has too few digits. Complete it, and check that no leading zero was lost."),
    Reason.TOO_LONG: _("The number has too many digits. Check that it is a single number, written once."),
    Reason.UNKNOWN_RANGE: _("No such number has been given out in its country. Check its digits and the country."),
    Reason.UNKNOWN_COUNTRY: _("No country has this code. Check the digits after the + or 00."),
    Reason.EXCEL_DAMAGED: _(
        "Excel has shortened the number and its digits are lost. Format the column as text and enter the number again."
    ),
    Reason.SEVERAL_NUMBERS: _("There is more than one number in the cell. Put each in a row of its own."),
}


class _Figures(dict[str, str]):
    """A sentence without one of its figures is still better than no page."""

    def __missing__(self, key: str) -> str:
        return "–"


def problem_words(problem: FileProblem | str, facts: Mapping[str, Any] | None = None) -> str:
    """The sentence for why a file cannot be used, in the reader's language, its figures written their way."""
    figures = {
        name: format_decimal(value) if isinstance(value, (int, float)) else str(value)
        for name, value in (facts or {}).items()
    }
    return str(PROBLEMS[FileProblem(problem)]) % _Figures(figures)


def reason_words(reason: Reason | str) -> str:
    """The sentence for why a cell is not looked up, in the reader's language."""
    return str(REASONS[Reason(reason)])
