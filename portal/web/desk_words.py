"""The words of the admins' desk for templates: spans, orders, counts that end early, and what operations say."""

from collections.abc import Iterable

from flask import Flask
from flask_babel import LazyString, format_decimal
from flask_babel import lazy_gettext as _

from portal.jobs.admin import words
from portal.jobs.admin.job_list import Capped

WITHIN: dict[str, LazyString] = {
    "1h": _("within 1 hour"),
    "3h": _("within 3 hours"),
    "24h": _("within 24 hours"),
    "7d": _("within 7 days"),
    "all": _("all"),
}
ORDERS: dict[str, LazyString] = {
    "-created": _("newest upload first"),
    "created": _("oldest upload first"),
    "-updated": _("latest change first"),
    "updated": _("longest unchanged first"),
    "status": _("by status"),
    "-status": _("by status, backwards"),
    "name": _("by name, A to Z"),
    "-name": _("by name, Z to A"),
    "progress": _("least progress first"),
    "-progress": _("most progress first"),
}


def capped(count: Capped) -> str:
    """A count; with a + where there are more."""
    return format_decimal(count.n) + ("+" if count.more else "")


def sum_capped(counts: Iterable[Capped]) -> Capped:
    """The sum of several."""
    every = list(counts)
    return Capped(sum(one.n for one in every), any(one.more for one in every))


def set_up(app: Flask) -> None:
    """Give every template the words."""
    app.jinja_env.filters.update(
        within_word=lambda span: str(WITHIN[span]),
        order_word=lambda order: str(ORDERS[order]),
        capped=capped,
        sum_capped=sum_capped,
        verb_word=words.verb_words,
        state_word=words.state_words,
        skipped_word=words.skipped_words,
    )
