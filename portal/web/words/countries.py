"""Country options of a select: names in the reader's language, the most used first. Knows nothing of documents."""

import unicodedata
from collections.abc import Sequence
from functools import cache

from babel import Locale
from phonenumbers import country_code_for_region

from portal.phone import countries


@cache
def _named(language: str) -> dict[str, str]:
    """Every country by its two-letter code, as `España (+34)`, sorted by name ignoring accents."""
    territories = Locale.parse(language).territories
    named = {code: f"{territories.get(code, code)} (+{country_code_for_region(code)})" for code in countries()}
    return dict(sorted(named.items(), key=lambda pair: _without_accents(pair[1])))


def country_name(code: str, language: str) -> str:
    """A country's name in this language, such as `España`; the code of an unknown one."""
    return str(Locale.parse(language).territories.get(code, code))


def _without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def country_options(language: str, first: Sequence[str]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs of code and name: first those in `first`, in that order, then all others by name."""
    named = _named(language)
    top = [code for code in dict.fromkeys(first) if code in named]
    return [(code, named[code]) for code in top], [pair for pair in named.items() if pair[0] not in top]
