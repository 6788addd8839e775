"""What the check page says about a guess that a person should look at. Knows no forms and no database."""

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from portal.documents.preview import PickedColumns, Preview
from portal.documents.reader.country_guess import CountryFrom
from portal.documents.words import problem_words
from portal.web.words.countries import country_name

_HINTS = {
    CountryFrom.COLUMN: _("One of the columns says so."),
    CountryFrom.HEADINGS: _("The headings are in its language."),
    CountryFrom.NUMBERS: _("The numbers are valid there."),
}


def country_hint(picked: PickedColumns) -> str:
    """Where the country was taken from; empty when it is the portal's own, or the person's choice."""
    taken = _HINTS.get(picked.country.taken_from)
    return str(taken) if taken and picked.choice.country == picked.country.country else ""


def warnings_of(look: Preview, language: str, *, sure: bool) -> list[str]:
    """The sentences about what may be another country or another sheet. `sure`: the person chose this country for the
    last file of this shape."""
    picked, sheet, said = look.picked, look.picked.sheet, []
    guess, choice = picked.country, picked.choice
    if not sure and guess.rivals and choice.country == guess.country and choice.country_column is None:
        names = [country_name(code, language) for code in guess.rivals[:3]]
        said.append(
            gettext(
                "Without their country code, these numbers are valid in %(country)s and also in %(others)s. They will "
                "be looked up as numbers of %(country)s. If that is not right, choose another country.",
                country=country_name(choice.country, language),
                others=", ".join(names),
            )  # fmt: skip
        )
    for other in look.sheets:
        if other.problem is not None and other.numbers > sheet.numbers:
            why = problem_words(other.problem, other.problem_facts)
            said.append(gettext("The sheet “%(sheet)s” cannot be used. %(why)s", sheet=other.name, why=why))
    return said
