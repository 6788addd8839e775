"""Guess the country of numbers that have no prefix: from a column that names countries, from the language of the
headings, and from which countries the numbers are valid in. Pure.

Where two countries fit and nothing else decides, the guess names both, and the check page asks the person to look.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from phonenumbers import country_code_for_region

from portal.documents.reader.heading_words import countries_of
from portal.phone import Reason, parse
from portal.phone.country_names import country_of

TRIED = 16  # numbers
_FIRST = 5  # when none of them is valid in a country, it does not fit
_FITS = 0.8  # share of numbers that are valid in a country
_SURELY = 0.95  # share of numbers that are written as in the country of the headings
# In this order when they fit alike: in Italy and Germany, numbers of nearly all lengths are valid.
_LIKELY = (
    "ES", "PT", "FR", "GB", "US", "MX", "AR", "BR", "CO", "CL", "PE", "AD", "BO", "CR", "CU", "DO", "EC", "GT", "HN",
    "NI", "PA", "PY", "SV", "UY", "VE", "MA", "CH", "BE", "RO", "IT", "DE",
)  # fmt: skip
_ENOUGH = 3  # numbers that have to look alike before it is said
_LOOK_ALIKE = ("PT", "PE", "CL")  # whose mobile numbers look like Spanish landlines
_NAMED = 0.6  # share of a column's cells that name a country


class CountryFrom(StrEnum):
    """What a guessed country was taken from."""

    USUAL = "usual"  # the portal's own country: nothing speaks against it
    COLUMN = "column"  # one that names countries or their codes
    HEADINGS = "headings"  # their language
    NUMBERS = "numbers"  # they are valid there


class CountryGuess(NamedTuple):
    """The country of numbers without a prefix, and the others that fit as well."""

    country: str
    rivals: tuple[str, ...] = ()
    taken_from: CountryFrom = CountryFrom.USUAL


class NamedCountries(NamedTuple):
    """What a column that names countries says: the countries, the commonest first, and how many cells name one."""

    countries: tuple[str, ...]
    named: int


def countries_in(texts: Sequence[str]) -> NamedCountries | None:
    """Return what a column says; None when it does not name countries."""
    filled = [text for text in texts if text.strip()]
    found = Counter(country for text in filled if (country := country_of(text)))
    named = sum(found.values())
    if not named or named < _NAMED * len(filled):
        return None
    return NamedCountries(tuple(country for country, _ in found.most_common()), named)


def country_of_prefixes(numbers: Sequence[str], usual: str) -> CountryGuess:
    """Return the country of most numbers that have a prefix: it matters only for those that are added later."""
    found = Counter(parse(text, usual).country_code for text in numbers[:TRIED])
    code = max(found, key=lambda code: (found[code], code == country_code_for_region(usual)), default=None)
    if code is None or code == country_code_for_region(usual):
        return CountryGuess(usual)
    return CountryGuess(country_of(f"+{code}") or usual, (), CountryFrom.NUMBERS)


def guess_country(numbers: Sequence[str], languages: Sequence[str], usual: str) -> CountryGuess:
    """Guess the country of some numbers without a prefix. `languages` are those that the headings may be in, and
    `usual` is the portal's own country."""
    if not numbers:
        return CountryGuess(usual)
    spoken = countries_of(languages)
    tried = _Tried(numbers[:: max(1, len(numbers) // TRIED)][:TRIED], (usual, *spoken))
    own, at_home = tried.fit(usual), usual in spoken
    if at_home and own >= _FITS:  # the headings may be in another language as well
        own_language = countries_of(languages[:1])
        foreign = [country for country in spoken if country not in own_language]
        enough = len(set(tried.numbers)) >= _ENOUGH and all(text.lstrip()[:1] == "9" for text in tried.numbers)
        alike = _LOOK_ALIKE if enough else ()
        return CountryGuess(usual, tried.also(usual, [*foreign, *alike]))
    speaks = not at_home and bool(spoken) and "en" not in languages  # English headings are common everywhere
    enough = speaks and max(map(tried.fit, spoken)) >= _FITS
    candidates = tuple(dict.fromkeys((usual, *spoken, *(() if enough else _LIKELY))))
    best = max(candidates, key=lambda country: tried.fit(country) + 0.25 * (country in spoken))
    if best != usual and tried.fit(best) >= max(0.5, own - 0.3 if speaks and best in spoken else own + 0.2):
        taken_from = CountryFrom.HEADINGS if speaks and best in spoken else CountryFrom.NUMBERS
        # What the headings say is not enough for numbers that are written otherwise there, or have lost a 0.
        is_sure = taken_from is CountryFrom.HEADINGS and tried.as_written(best) >= _SURELY
        others = (usual, *spoken) if is_sure else dict.fromkeys((*candidates, *_LIKELY))
        return CountryGuess(best, tried.also(best, others, lost_zeros=True), taken_from)
    if at_home:  # some are not valid here, and all may be elsewhere
        return CountryGuess(usual, tuple(one for one in candidates if one != usual and tried.as_written(one) >= _FITS))
    return CountryGuess(usual, () if own < 0.5 else tried.also(usual, candidates, lost_zeros=bool(languages)))


class _Tried:
    """Some numbers, and in which countries they are valid. `expected` are the countries that something speaks for, the
    portal's own first."""

    def __init__(self, numbers: Sequence[str], expected: Sequence[str]) -> None:
        self.numbers, self.expected = numbers, expected
        self._fits: dict[str, tuple[float, float, float]] = {}

    def fit(self, country: str) -> float:
        """Return the share of numbers that are valid in the country, one with a lost 0 included."""
        return self._fit(country)[0]

    def as_written(self, country: str) -> float:
        """Return the share of numbers that are valid in the country as they are dialled there, with its 0."""
        return self._fit(country)[2]

    def also(self, best: str, others: Iterable[str], *, lost_zeros: bool = False) -> tuple[str, ...]:
        """Return the other countries that fit about as well as the best. Without `lost_zeros`, those in which a 0
        would be lost from most numbers only if the portal's own country does not fit best."""
        least = max(0.5, self.fit(best) - (0.1 if best == self.expected[0] else 0.3))
        found = dict.fromkeys(country for country in others if country != best)
        return tuple(country for country in found
                     if self._fit(country)[int(not lost_zeros)] >= least)  # fmt: skip

    def _fit(self, country: str) -> tuple[float, float, float]:
        if country not in self._fits:
            valid = plain = dialled = 0
            code = country_code_for_region(country)
            for n, text in enumerate(self.numbers):
                if n == _FIRST and not valid:
                    break
                phone = parse(text, country)
                if phone.reason is None and phone.country_code != code:  # 0034… is valid everywhere
                    continue
                valid += phone.reason is None or (phone.reason is Reason.LEADING_ZERO and text[0] != "0")
                if phone.reason is None:
                    digits = "".join(filter(str.isdigit, text))
                    dialled += phone.national == digits
                    plain += phone.national == digits or (phone.e164 or "")[1:] == digits
            count = len(self.numbers)
            self._fits[country] = (valid / count, plain / count, dialled / count)
        return self._fits[country]
