"""The facts of a notice in words: its cause and its source, in the language that is set.

A notice keeps codes and names. They become words when a message is written, so that a message which still waits is sent
in today's words. Notices written before that keep their words with them, by language, and are sent with those.
"""

from collections.abc import Mapping
from typing import Any

from flask_babel import force_locale, get_locale, gettext

from portal.causes import what_happened
from portal.config import LOCALES
from portal.sources.words import source_title

Facts = Mapping[str, Any]


def cause_words(facts: Facts) -> str:
    """Why, in a sentence; empty for no cause. `facts` are a notice's own, or those of one cause or one file in it."""
    if kept := facts.get("cause"):
        return _in_this_language(kept)
    happened = what_happened(facts.get("cause_code"))
    return gettext(happened) if happened else ""  # gettext has an answer for an empty text: the catalogue's head


def cause_in_every_language(facts: Facts) -> dict[str, str]:
    """The same by language, for a program; empty for no cause."""
    words = {}
    for locale in LOCALES:
        with force_locale(locale):
            words[locale] = cause_words(facts)
    return {locale: text for locale, text in words.items() if text}


def source_words(facts: Facts) -> str:
    """What the notice's source is called."""
    return _in_this_language(facts.get("title") or {}) or source_title(facts["source"])


def _in_this_language(texts: Mapping[str, str]) -> str:
    return texts.get(str(get_locale()), "")
