"""Filters and globals for templates: words, counts and times. Knows no view and no table."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from babel.dates import format_skeleton
from babel.lists import format_list
from flask import Flask
from flask_babel import (
    LazyString,
    format_date,
    format_decimal,
    format_time,
    format_timedelta,
    get_locale,
    gettext,
    ngettext,
    to_user_timezone,
)
from flask_babel import lazy_gettext as _
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from portal.clock import utcnow
from portal.config import MAX_RETRIES, MAX_TIMEOUT_MINUTES
from portal.documents.shown_cells import shown_cell
from portal.jobs import queries
from portal.jobs.admin import words
from portal.jobs.admin.job_list import CappedCount
from portal.jobs.core import derived, retention
from portal.jobs.export import group_title
from portal.jobs.words import statuses
from portal.jobs.words.money import cap_words, money_words
from portal.jobs.words.steps import step_rule_words
from portal.sources.words import source_title, value_words, version_words

QUIET = timedelta(seconds=15)
FILTERS: dict[str, Callable[..., Any]] = {
    "status_word": statuses.status_words,
    "badge_word": lambda job: statuses.badge_words(job, utcnow()),
    "outcome_word": statuses.outcome_words,
    "outcome_count_word": statuses.outcome_count_words,
    "explain": statuses.explain,
    "reason_word": statuses.reason_words,
    "row_reason_word": statuses.row_reason_words,
    "event_word": statuses.event_words,
    "event_tone": statuses.event_tone,
    "attempt_end_word": statuses.attempt_end_words,
    "source_word": source_title,
    "version_word": version_words,
    "plain_day": format_date,
    "deleted_on": retention.deleted_on,
    "unstarted_deleted_on": retention.unstarted_deleted_on,
    "group_word": group_title,
}


def span_words(seconds: float) -> str:
    """A duration as people say it: 40 seconds, 12 minutes, 3 hours."""
    seconds = max(1.0, seconds)
    step = 5 if seconds > 20 else 1  # "45 seconds left" reads better than 43
    if seconds < 90:
        seconds = max(1, round(seconds / step) * step)
        return ngettext("%(n)s second", "%(n)s seconds", int(seconds), n=int(seconds))
    return format_timedelta(timedelta(seconds=round(seconds)), threshold=1.5)


def left_words(left: tuple[float, float] | None) -> str:
    """The time left as a range: "about 12 to 18 minutes left"."""
    if left is None:
        return ""
    sooner, later = (span_words(seconds) for seconds in left)
    if sooner == later:
        return gettext("about %(span)s left", span=later)
    first, _, unit = sooner.partition(" ")
    if unit and unit == later.partition(" ")[2]:  # the unit is written once
        sooner = first
    return gettext("about %(sooner)s to %(later)s left", sooner=sooner, later=later)


def most_left_words(seconds: float) -> str:
    """The longest time left: "at most 2 hours left"."""
    return gettext("at most %(span)s left", span=span_words(seconds))


def ago_words(at: datetime | None, now: datetime | None = None) -> str:
    """How long ago a moment was."""
    if at is None:
        return ""
    seconds = ((now or utcnow()) - at).total_seconds()
    return gettext("just now") if seconds < 2 else gettext("%(span)s ago", span=span_words(seconds))


def is_quiet(at: datetime) -> bool:
    """Whether a moment is so long ago that a reader wonders. static/live.js has the same span."""
    return utcnow() - at > QUIET


def in_words(at: datetime | None, now: datetime | None = None) -> str:
    """How long it is until a moment."""
    if at is None:
        return ""
    seconds = (at - (now or utcnow())).total_seconds()
    return gettext("in a moment") if seconds < 1 else gettext("in %(span)s", span=span_words(seconds))


def day_and_time(at: datetime | None) -> str:
    """A moment in the reader's time zone, as people say it: today and yesterday by name, the year only when it is
    another one."""
    if at is None:
        return ""
    local, today = to_user_timezone(at), to_user_timezone(utcnow()).date()
    time, day = format_time(at, "short"), local.date()
    if day == today:
        return str(gettext("today %(time)s", time=time))
    if day == today - timedelta(days=1):
        return str(gettext("yesterday %(time)s", time=time))
    if day == today + timedelta(days=1):
        return str(gettext("tomorrow %(time)s", time=time))
    if day.year == today.year:
        return f"{format_skeleton('MMMd', local, locale=get_locale())} {time}"
    return f"{format_date(at, 'medium')} {time}"


def whole(number: int | float) -> str:
    """A number with the separators of the reader's language."""
    return format_decimal(round(number))


def enumerated(texts: Iterable[Any]) -> Markup:
    """The texts in one phrase, as `a, b and c`; each is set off, so that a comma in one is no border."""
    return Markup(format_list([Markup("<b>{}</b>").format(text) for text in texts], locale=get_locale()))  # noqa: S704


def value_word(field: str, value: str) -> str:
    """One value of an answer in the reader's words; empty without one."""
    return value_words(field, value) if value else ""


def summary_word(job: Any) -> str:
    """The state of a job, and whether its owner has to do anything."""
    return statuses.summary_words(job, utcnow())


def _at_every_rendering(words_of: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that runs at every rendering. Jinja would evaluate it once for a constant, when it compiles the page,
    and everybody would get the word in the language of the first reader."""

    @pass_context
    def apply(_: Context, *given: Any, **more: Any) -> Any:
        return words_of(*given, **more)

    return apply


def waits_word(job: Any) -> str:
    """Why a job in a list is waiting."""
    return statuses.waits_words(job, utcnow())


def set_up(app: Flask) -> None:
    """Give every template the words."""
    filters: dict[str, Callable[..., Any]] = {
        **FILTERS,
        "span": span_words,
        "left": left_words,
        "most_left": most_left_words,
        "is_quiet": is_quiet,
        "ago": ago_words,
        "until": in_words,
        "whole": whole,
        "money": money_words,
        "step_rule_word": step_rule_words,
        "cap_word": cap_words,
        "day_and_time": day_and_time,
        "cell": shown_cell,
        "enumerated": enumerated,
        "summary": summary_word,
        "waits": waits_word,
        "value_word": value_word,
    }
    app.jinja_env.filters.update({name: _at_every_rendering(words_of) for name, words_of in filters.items()})
    app.jinja_env.tests["job_moving"] = derived.is_unfinished
    app.jinja_env.globals.update(
        job_actions=derived.actions,
        job_progress=lambda job: queries.progress_of(job, utcnow()),
        job_is_partial=derived.is_partial,
        job_version=derived.version_of_all,
        MAX_RETRIES=MAX_RETRIES,
        MAX_TIMEOUT_MINUTES=MAX_TIMEOUT_MINUTES,
    )


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
    "-updated": _("last changed first"),
    "updated": _("longest unchanged first"),
    "status": _("by status"),
    "-status": _("by status, backwards"),
    "name": _("by name, A to Z"),
    "-name": _("by name, Z to A"),
    "progress": _("least progress first"),
    "-progress": _("most progress first"),
}


def capped(count: CappedCount) -> str:
    """A count, with a + if there are more."""
    return format_decimal(count.n) + ("+" if count.more else "")


def sum_capped(counts: Iterable[CappedCount]) -> CappedCount:
    """The sum of several."""
    every = list(counts)
    return CappedCount(sum(one.n for one in every), any(one.more for one in every))


def set_up_admin(app: Flask) -> None:
    """Give the admin templates their words."""
    app.jinja_env.filters.update(
        within_word=lambda span: str(WITHIN[span]),
        order_word=lambda order: str(ORDERS[order]),
        capped=capped,
        sum_capped=sum_capped,
        verb_word=words.verb_words,
        state_word=words.state_words,
        skipped_word=words.skipped_words,
    )
