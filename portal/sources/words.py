"""The words for every code of a source: its title, its fields, the codes in its answers, and why a response is
unusable.

Apart from `recipes.words`, the only module here that knows Flask-Babel. Other values, such as an operator's name, are
shown as they are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from flask_babel import LazyString, format_decimal, get_locale, gettext
from flask_babel import lazy_gettext as _

from portal.sources.base import SourceFacts
from portal.sources.registry import UnknownSource, facts_of, is_yes_no
from portal.sources.several import BETWEEN, FOUND_BY, SEVERAL, base_of, names_of, source_of

LONGEST_HEADING = 60  # characters; Excel takes 255, and a heading should be seen whole
SHORTEST_TITLE = 10  # characters of a source's title that are left in brackets

TITLES: dict[str, LazyString] = {
    "offline": _("Numbering plan (free, instant)"),
}

DESCRIPTIONS: dict[str, LazyString] = {
    "offline": _(
        "Looks up each number in the world’s numbering plans, instantly and free of charge. The operator is the one "
        "that first received the number range, so it may have changed. Only landlines have a province."
    ),
}

FIELDS: dict[str, LazyString] = {
    "e164": _("International number"),
    "national": _("National number"),
    "line_type": _("Line type"),
    "country": _("Country"),
    "province": _("Province"),
    "original_operator": _("Original operator (may have changed)"),
    "time_zone": _("Time zone"),
    base_of(FOUND_BY): _("Source"),
}

HEADINGS: dict[str, LazyString] = {"original_operator": _("Original operator")}  # shorter than the same field elsewhere

YES_NO: dict[str, LazyString] = {"yes": _("yes"), "no": _("no")}

LINE_TYPES: dict[str, LazyString] = {
    "mobile": _("mobile"),
    "fixed": _("landline"),
    "fixed_or_mobile": _("landline or mobile"),
    "toll_free": _("toll-free"),
    "premium": _("premium rate"),
    "shared_cost": _("shared cost"),
    "voip": _("internet telephony"),
    "personal": _("personal number"),
    "pager": _("pager"),
    "company": _("company-wide number"),
    "voicemail": _("voicemail"),
    "internet_access": _("internet access"),
    "m2m": _("machine to machine"),
    "commercial": _("commercial calls"),
}


CODED = frozenset({"line_type", "country", base_of(FOUND_BY)})  # fields whose values are codes with words of their own


def version_words(version: str) -> str:
    """The version of a source's data or configuration, as people may read it: without the word that sets a recipe's
    apart in the database."""
    return version.replace("recipe ", "")


def source_title(name: str) -> str:
    """A source's title in the reader's language, or its name; of several, their titles."""
    if name == SEVERAL:
        return gettext("Several sources")
    if BETWEEN in name:
        return " + ".join(map(source_title, names_of(name)))
    return str(TITLES.get(name) or _from_recipe(_facts(name), "title") or name)


def source_description(name: str) -> str:
    """Some sentences about a source in the reader's language; empty when it has no description."""
    return str(DESCRIPTIONS.get(name) or _from_recipe(_facts(name), "description"))


def field_label(field: str, source: str = "") -> str:
    """The column title of a field in the reader's language: from the source's recipe, or else ours. Of several
    sources, that of the one whose field it is."""
    field, source = base_of(field), source_of(field, source)
    facts = _facts(source)
    from_recipe = in_language(facts.labels.get(field, {})) if facts else ""
    return str(from_recipe or FIELDS.get(field, field.replace("_", " ")))


def heading_of(field: str, source: str = "") -> str:
    """The same, short, for the heading of a column in a file."""
    field, source = base_of(field), source_of(field, source)
    facts = _facts(source)
    return str((not (facts and facts.labels.get(field)) and HEADINGS.get(field)) or field_label(field, source))


def headings_of(fields: Sequence[str], source: str, taken: Iterable[str] = ()) -> dict[str, str]:
    """The headings of all these fields, with the source's title in brackets where two of several sources have the same
    one, or where it is among those that are `taken`."""
    found = {field: heading_of(field, source) for field in fields}
    many = Counter(map(_same, found.values())) if BETWEEN in source else Counter()
    many.update({_same(heading): 2 for heading in taken})
    return {
        field: _of_source(heading, source_of(field, source)) if many[_same(heading)] > 1 else heading
        for field, heading in found.items()
    }


def _same(heading: str) -> str:
    return " ".join(heading.split()).casefold()


def _of_source(heading: str, source: str) -> str:
    """A heading with the title of its source, cut so that all of it can be seen; as it is for a field of none."""
    if not source:
        return heading
    title, room = source_title(source), max(LONGEST_HEADING - len(heading) - len(" ()"), SHORTEST_TITLE)
    return f"{heading} ({title if len(title) <= room else f'{title[: room - 1].strip()}…'})"


def source_pace(name: str) -> str:
    """How many numbers a source may look up in a second or a minute; empty for one that works offline."""
    facts = _facts(name)
    if facts is None or not (facts.per_second or facts.batch > 1 or facts.concurrency > 1):
        return ""
    if facts.per_second is None:
        return gettext("As fast as the source allows.")
    numbers = facts.per_second * facts.batch
    if numbers >= 1:
        return gettext("Up to %(count)s numbers a second.", count=format_decimal(round(numbers, 1)))
    return gettext("Up to %(count)s numbers a minute.", count=format_decimal(round(numbers * 60, 1)))


def in_language(texts: Mapping[str, str]) -> str:
    """A recipe's text in the reader's language, else the one for all languages, else any."""
    locale = get_locale()
    language = locale.language if locale else ""
    return texts.get(language) or texts.get("") or texts.get("en") or next(iter(texts.values()), "")


def _facts(name: str) -> SourceFacts | None:
    try:
        return facts_of(name) if name else None
    except UnknownSource:
        return None


def _from_recipe(facts: SourceFacts | None, what: str) -> str:
    return in_language(getattr(facts, what)) if facts else ""


def value_words(field: str, value: str) -> str:
    """One value of an answer as the reader sees it: the codes of line types and countries become words."""
    if field == FOUND_BY:
        return source_title(value)
    field = base_of(field)
    if field == "line_type":
        return str(LINE_TYPES.get(value, value))
    if value in YES_NO and is_yes_no(field):
        return str(YES_NO[value])
    if field == "country":
        locale = get_locale()
        return str(locale.territories.get(value, value)) if locale else value
    return value


UNUSABLE: dict[str, LazyString] = {
    "not JSON": _("The answer is not JSON."),
    "empty": _("The answer is empty."),
    "not XML": _("The answer is not XML."),
    "not CSV": _("The answer is not CSV."),
    "not a text": _("The answer is a web page, and not the plain text or the CSV that the recipe expects."),
    "not a page": _("The answer is not a web page."),
    "not a form": _("The answer is not written as a form is sent (a=1&b=2)."),
    "not in its charset": _("The answer is not in the charset that it declares. Set [answer] charset in the recipe."),
    "longer than its limit": _("The answer is longer than the recipe allows."),
    "no field at all": _("The answer contains none of the fields."),
    "no rule for success holds": _("The answer meets none of the recipe’s success rules."),
}


# The same, where a part of it is known only then: by the beginning of `Sample.why`.
UNUSABLE_PARTS: dict[str, LazyString] = {
    "no list at ": _("The answer has no list at %(part)s."),
    "no ticket at ": _("The answer has no ticket at %(part)s."),
    "no field ": _("The answer does not contain the required field %(part)s."),
    "none of the numbers at ": _("None of the numbers at %(part)s is one that we asked about. Check [batch] key."),
    "unreadable characters in ": _("The field %(part)s has unreadable characters. Set [answer] charset in the recipe."),
    "compressed with ": _("The answer is compressed with %(part)s, which we did not ask for."),
    "status 3": _("The source leads to another address (status 3%(part)s). Correct the address, or set redirects."),
    "status 404": _("The source says that there is nothing at this address (status 404)."),
    "status ": _("The source answered with status %(part)s."),
}


def sample_words(why: str) -> str:
    """Why a response is unusable (`Sample.why`), as a sentence, with the place in the response where it is known."""
    if why in UNUSABLE:
        return str(UNUSABLE[why])
    for beginning, sentence in UNUSABLE_PARTS.items():
        if why.startswith(beginning):
            return str(sentence) % {"part": why.removeprefix(beginning)}
    return gettext("The answer could not be read.")
