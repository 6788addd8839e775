"""The sentence for each mistake in a recipe, and for what its tests find. Knows Flask-Babel and nothing of reading."""

from flask_babel import LazyString, gettext
from flask_babel import lazy_gettext as _

from portal.sources.recipes.model import Difference
from portal.sources.recipes.toml_table import Mistake

SENTENCES: dict[str, LazyString] = {
    "not_toml": _("This is not TOML: %(why)s"),
    "not_readable": _("The file cannot be read."),
    "missing": _("This is missing."),
    "unknown_key": _("This is not known here. Known are: %(known)s."),
    "not_text": _("This has to be a text between quotes."),
    "not_texts": _("This has to be a table of texts."),
    "not_yes_no": _("This has to be true or false."),
    "not_table": _("This has to be a table."),
    "not_tables": _("This has to be a list of tables."),
    "not_one_of": _("This has to be one of: %(known)s."),
    "not_between": _("This has to be a number from %(low)s to %(high)s."),
    "bad_name": _("A name has small letters, digits and hyphens, 40 at most."),
    "name_taken": _("Another source has this name."),
    "bad_address": _("An address starts with http:// or https:// and a host, and has no placeholder in the host."),
    "bad_placeholder": _("There is no placeholder “%(name)s” here. Known are: %(known)s."),
    "no_number": _("The number stands nowhere in this request. Put one of these into it: %(known)s."),
    "key_needs_poll": _("The placeholder batch_key is for sources that answer later: [batch.poll] is missing."),
    "secret_is_setting": _("%(name)s is a setting of the portal and not a secret for a source."),
    "bad_size": _("This takes a size such as 500 kB or 1 MB, 20 MB at most."),
    "bad_rate": _("This takes a pace such as 10/s, 600/min or 5000/h."),
    "bad_days": _("This takes a time such as 30 days."),
    "bad_status": _("This takes a list of status numbers from 100 to 599."),
    "bad_path": _("This is not a JMESPath expression."),
    "bad_css": _("This is not a CSS selector."),
    "bad_xpath": _("This is not an XPath expression."),
    "bad_regex": _("This is not a regular expression."),
    "no_rule": _("A rule needs one of status, json, css and text."),
    "html_only": _("This is for sources of kind html only."),
    "json_only": _("This is for sources of kind json or batch only."),
    "one_selector": _("A field needs exactly one of path, css and xpath."),
    "no_fields": _("A source needs at least one field."),
    "sample_missing": _("There is no file %(file)s beside the recipe."),
    "unknown_field": _("There is no field %(name)s in this recipe."),
    "body_with_get": _("A request with a body needs method = \"POST\"."),
    "bad_header": _("A header has no line breaks, and its name has no spaces."),
    "bad_number": _("This takes a number with its country, as in +34612345678."),
}  # fmt: skip


def mistake_words(mistake: Mistake) -> str:
    """One mistake as a sentence that names file, line and key."""
    known = SENTENCES.get(mistake.code)
    facts = {name: str(value) for name, value in mistake.facts.items()}
    said = (str(known) % facts if "%(" in str(known) else str(known)) if known else mistake.code
    place = gettext("%(file)s, line %(line)s", file=mistake.file, line=mistake.line)
    return f"{place}, {mistake.key}: {said}" if mistake.key else f"{place}: {said}"


DIFFERENCES: dict[str, LazyString] = {
    "field_missing": _("the field %(field)s is required and is not in the answer"),
    "field_differs": _("the field %(field)s is “%(found)s” and not “%(expected)s”"),
    "outcome_differs": _("the outcome is %(found)s and not %(expected)s"),
    "no_item": _("the answer has no item for %(expected)s"),
    "not_readable": _("the answer cannot be read as this kind of source"),
}


def difference_words(difference: Difference) -> str:
    """What a test found, as a part of a sentence."""
    facts = {"field": difference.field, "expected": difference.expected, "found": difference.found}
    return str(DIFFERENCES[difference.code]) % facts
