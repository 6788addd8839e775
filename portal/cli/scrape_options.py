"""Turns the options of `scrape` into the choice that a person would make on the check page."""

import re
from collections.abc import Sequence

from flask import current_app
from flask_babel import gettext

from portal import sources
from portal.accounts import User
from portal.cli.scrape_sources import require_source
from portal.cli.terminal import CommandFailed
from portal.documents.choice import SheetChoice
from portal.documents.intake import default_sheet
from portal.documents.models import Document
from portal.documents.preview import MOST_COLUMNS, TOO_MANY_COLUMNS
from portal.documents.reader.heading_words import normalised
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import column_letter
from portal.documents.words import problem_words
from portal.jobs.export import ColumnChoice, ColumnsRefused, choice_from, columns_of, kept_or_default
from portal.jobs.export.columns import CHANGE
from portal.jobs.words.statuses import cannot_start_words
from portal.phone import countries


def choice_of(
    document: Document, sheet: str | None, columns: Sequence[str], country: str | None, source: str
) -> SheetChoice:
    """Return the choice; missing options are guessed as on the check page.

    `sheet` is a sheet's name, each of `columns` a heading or Excel's letter. Raises CommandFailed, which lists what
    exists.
    """
    facts = _sheet(document, sheet)
    by_row = facts.country_column if country is None else None
    country = country or facts.country or current_app.config["DEFAULT_COUNTRY"]
    if country.upper() not in countries():
        said = gettext("The country %(country)s does not exist. Use two letters, such as ES.", country=country)
        raise CommandFailed(said)
    require_source(source)
    wanted = tuple(sorted({_column(facts, name) for name in columns})) or facts.proposed_columns
    if len(wanted) > MOST_COLUMNS:
        raise CommandFailed(cannot_start_words(TOO_MANY_COLUMNS))
    return SheetChoice(facts.index, facts.header_row, wanted, country.upper(), by_row, facts.left_out())


def columns_for(user: User, source: str, text: str | None) -> ColumnChoice:
    """Return the columns to add: those of the option, else those that the user has saved for the source (or for
    several, as `sources.several` names them), else the portal's. Raises CommandFailed."""
    if text is None:
        return kept_or_default(user.id, source)
    try:
        # A file that is looked up here is compared with no earlier list.
        known = [column for column in columns_of(sources.fields_of(source)) if column.id != CHANGE]
        return choice_from(text, known, source)
    except ColumnsRefused as error:
        raise CommandFailed(" ".join(error.problems.values())) from error


def _sheet(document: Document, name: str | None) -> SheetFacts:
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    if name is None:
        found = default_sheet(sheets)
    else:
        found = next((facts for facts in sheets if normalised(facts.name) == normalised(name)), None)
    if found is None:
        known = ", ".join(facts.name for facts in sheets)
        said = gettext("The sheet %(sheet)s does not exist. Available: %(known)s", sheet=name or "", known=known)
        raise CommandFailed(said)
    if found.problem is not None:
        raise CommandFailed(problem_words(found.problem, found.problem_facts))
    if not found.usable:
        raise CommandFailed(cannot_start_words("no_rows"))
    return found


def _column(facts: SheetFacts, name: str) -> int:
    """Find a column by heading, then by letter: a column may well have the heading "A". Raises CommandFailed."""
    for place, heading in enumerate(facts.header):
        if normalised(heading) == normalised(name) and normalised(name):
            return place
    letters = [column_letter(place) for place in range(facts.columns)]
    if re.fullmatch("[A-Za-z]{1,3}", name) and name.upper() in letters:
        return letters.index(name.upper())
    known = ", ".join(heading or letter for heading, letter in zip(_padded_headings(facts), letters, strict=False))
    raise CommandFailed(gettext("The column %(column)s does not exist. Available: %(known)s", column=name, known=known))


def _padded_headings(facts: SheetFacts) -> list[str]:
    """Return one heading for each column, empty where there is none."""
    return [*facts.header, *[""] * (facts.columns - len(facts.header))]
