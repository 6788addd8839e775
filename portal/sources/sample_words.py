"""Why an answer could not be used, as a sentence for the admin. What is not known here is said in general words."""

from flask_babel import LazyString, gettext
from flask_babel import lazy_gettext as _

WHY: dict[str, LazyString] = {
    "not JSON": _("The answer is no JSON."),
    "not a page": _("The answer is no page."),
    "longer than its limit": _("The answer is longer than the recipe allows."),
    "no rule for success holds": _("No rule of the recipe says that this is a good answer."),
}


def sample_words(why: str) -> str:
    """One sentence, with the place in the answer where it is known."""
    if why in WHY:
        return str(WHY[why])
    for beginning, place in (("no list at ", "list"), ("no ticket at ", "ticket"), ("no field ", "field")):
        if why.startswith(beginning):
            return _missing(place, why.removeprefix(beginning))
    return gettext("The answer could not be read.")


def _missing(place: str, name: str) -> str:
    if place == "list":
        return gettext("There is no list at %(path)s.", path=name)
    if place == "ticket":
        return gettext("There is no ticket at %(path)s.", path=name)
    return gettext("The required field %(field)s is missing.", field=name)
