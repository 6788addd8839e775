"""A notice's cause and source in words, in the current language.

A notice stores codes and names. They are translated when the message is built, so a notice that is still waiting is
sent in today's words. Notices from before that hold their words by language, and are sent with those.
"""

from collections.abc import Mapping
from typing import Any

from flask_babel import force_locale, get_locale, gettext

from portal.causes import what_happened
from portal.config import LOCALES
from portal.sources.words import source_title

Facts = Mapping[str, Any]


def numbers_in(facts: Facts) -> tuple[int, int]:
    """How many numbers a file has and how many of them are ready: its cells without the blank ones."""
    blank = facts.get("blank", 0)
    return facts["total"] - blank, facts["ready"] - blank


def cause_words(facts: Facts) -> str:
    """The cause as a sentence; empty if there is none. `facts`: those of a notice, or of one cause or file in it."""
    if kept := facts.get("cause"):
        return _in_this_language(kept)
    happened = what_happened(facts.get("cause_code"))
    return gettext(happened) if happened else ""  # gettext("") would return the catalogue's header


def cause_in_every_language(facts: Facts) -> dict[str, str]:
    """The cause by language, for webhooks; empty if there is none."""
    words = {}
    for locale in LOCALES:
        with force_locale(locale):
            words[locale] = cause_words(facts)
    return {locale: text for locale, text in words.items() if text}


def source_words(facts: Facts) -> str:
    """The title of the notice's source."""
    return _in_this_language(facts.get("title") or {}) or source_title(facts["source"])


def _in_this_language(texts: Mapping[str, str]) -> str:
    return texts.get(str(get_locale()), "")
