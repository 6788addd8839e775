"""Every code of this room as words: what a source is called, its fields, and the codes that stand in its answers.

The one file here that knows Flask-Babel. What is no code of ours, such as an operator's name, is shown as it is.
"""

from flask_babel import LazyString, get_locale
from flask_babel import lazy_gettext as _

TITLES: dict[str, LazyString] = {
    "offline": _("Numbering plan (offline)"),
}

DESCRIPTIONS: dict[str, LazyString] = {
    "offline": _(
        "Checks each number against the world's numbering plans, without network and at no cost: line type, country, "
        "province of fixed lines, the operator that the range was first given to, and time zone."
    ),
}

FIELDS: dict[str, LazyString] = {
    "e164": _("International number"),
    "national": _("National number"),
    "line_type": _("Line type"),
    "country": _("Country"),
    "province": _("Province"),
    "original_operator": _("Original operator (range)"),
    "time_zone": _("Time zone"),
}

LINE_TYPES: dict[str, LazyString] = {
    "mobile": _("mobile"),
    "fixed": _("fixed line"),
    "fixed_or_mobile": _("fixed line or mobile"),
    "toll_free": _("toll-free"),
    "premium": _("premium rate"),
    "shared_cost": _("shared cost"),
    "voip": _("internet telephony"),
    "personal": _("personal number"),
    "pager": _("pager"),
    "company": _("company-wide number"),
    "voicemail": _("voicemail"),
}


CODED = frozenset({"line_type", "country"})  # the fields whose values are codes, and have words


def source_title(name: str) -> str:
    """What a source is called, in the reader's language."""
    return str(TITLES.get(name, name))


def source_description(name: str) -> str:
    """One or two sentences about a source, in the reader's language; empty for one that has none."""
    return str(DESCRIPTIONS.get(name, ""))


def field_label(field: str) -> str:
    """The head of a field's column, in the reader's language."""
    return str(FIELDS.get(field, field.replace("_", " ")))


def value_words(field: str, value: str) -> str:
    """One value of an answer as the reader should see it: the codes of line types and countries become words."""
    if field == "line_type":
        return str(LINE_TYPES.get(value, value))
    if field == "country":
        locale = get_locale()
        return str(locale.territories.get(value, value)) if locale else value
    return value
