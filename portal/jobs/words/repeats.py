"""The words for when a file is looked up again."""

from datetime import date, datetime

from babel import Locale
from flask_babel import format_time, get_locale, gettext

from portal.jobs.core.repeat_rule import LAST_DAY, Every, RepeatRule


def weekday_words(day: int) -> str:
    """The name of a day of the week, 0 is Monday."""
    return str((get_locale() or Locale("en")).days["format"]["wide"][day])


def rule_words(rule: RepeatRule) -> str:
    """When a file is looked up again, as words that stand after "It is looked up again"."""
    at = str(format_time(datetime.combine(date.min, rule.at), "short", rebase=False))
    place = rule.zone.rsplit("/", 1)[-1].replace("_", " ")
    if rule.every == Every.DAY:
        return gettext("every day at %(time)s (%(place)s time)", time=at, place=place)
    if rule.every == Every.WEEK:
        day = weekday_words(rule.day)
        return gettext("every %(weekday)s at %(time)s (%(place)s time)", weekday=day, time=at, place=place)
    if rule.day == LAST_DAY:
        return gettext("on the last day of each month at %(time)s (%(place)s time)", time=at, place=place)
    return gettext("on day %(day)s of each month at %(time)s (%(place)s time)", day=rule.day, time=at, place=place)
