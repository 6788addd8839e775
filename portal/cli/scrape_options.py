"""The names that somebody typed in a terminal → the choice that the check page would have made by mouse."""

import re

import click
from flask_babel import gettext

from portal import sources
from portal.documents.intake import first_choice
from portal.documents.models import Document
from portal.documents.reader.header_guess import plain
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import column_letter
from portal.documents.words import problem_words
from portal.jobs.commands import Choice
from portal.phone import countries


def chosen(document: Document, sheet: str | None, column: str | None, country: str, source: str) -> Choice:
    """The choice; what was not named is guessed as on the check page. Raises ClickException, which lists what there is.

    `sheet` is a sheet's name, `column` a heading or a letter as Excel counts.
    """
    facts = _sheet(document, sheet)
    if country.upper() not in countries():
        said = gettext("There is no country %(country)s. Use two letters, as in ES.", country=country)
        raise click.ClickException(said)
    if source not in sources.names():
        known = ", ".join(sources.names())
        said = gettext("There is no source %(source)s. There is: %(known)s", source=source, known=known)
        raise click.ClickException(said)
    place = facts.number_column if column is None else _column(facts, column)
    return Choice(facts.index, facts.header_row, place, country.upper(), source)


def _sheet(document: Document, name: str | None) -> SheetFacts:
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    if name is None:
        found = first_choice(sheets)
    else:
        found = next((facts for facts in sheets if plain(facts.name) == plain(name)), None)
    if found is None:
        known = ", ".join(facts.name for facts in sheets)
        said = gettext("There is no sheet %(sheet)s. There is: %(known)s", sheet=name or "", known=known)
        raise click.ClickException(said)
    if found.problem is not None:
        raise click.ClickException(problem_words(found.problem, found.problem_facts))
    return found


def _column(facts: SheetFacts, name: str) -> int:
    """A heading comes first: a column may well be called "A"."""
    for place, heading in enumerate(facts.header):
        if plain(heading) == plain(name) and plain(name):
            return place
    letters = [column_letter(place) for place in range(facts.columns)]
    if re.fullmatch("[A-Za-z]{1,3}", name) and name.upper() in letters:
        return letters.index(name.upper())
    known = ", ".join(heading or letter for heading, letter in zip(_filled(facts), letters, strict=False))
    raise click.ClickException(gettext("There is no column %(column)s. There is: %(known)s", column=name, known=known))


def _filled(facts: SheetFacts) -> list[str]:
    """A heading for each column, empty where it has none."""
    return [*facts.header, *[""] * (facts.columns - len(facts.header))]
