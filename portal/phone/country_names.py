"""The country that a cell names: by its name in one of seven languages, its letters, or its telephone code. Pure."""

import re
import unicodedata
from functools import cache, lru_cache

from babel import Locale
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS

from portal.phone.cell_words import COUNTRIES

LANGUAGES = ("es", "en", "pt", "fr", "it", "de", "ca")
_CODE = re.compile(r"(?:\+|00)?\s?(\d{1,3})")
_CODE_BESIDE = re.compile(r"\(?(?:\+|00)\s?(\d{1,3})\)?")
_NO_LETTER = re.compile(r"[^a-z ]+")
_LETTERS = {"UK": "GB", "ESP": "ES", "PRT": "PT", "FRA": "FR", "DEU": "DE", "ITA": "IT", "GBR": "GB", "USA": "US",
            "MEX": "MX", "ARG": "AR", "BRA": "BR", "COL": "CO", "CHL": "CL", "PER": "PE", "AND": "AD", "MAR": "MA",
            "IRL": "IE", "NLD": "NL", "BEL": "BE", "CHE": "CH", "AUT": "AT", "EEUU": "US"}  # fmt: skip
_LONGEST = 60


@lru_cache(maxsize=2048)
def country_of(text: str) -> str | None:
    """Return the two letters of the country that a text names, such as PT for `Portugal`, `+351`, `351` or `pt`; None
    when it names none. A code that several countries share is that of the largest: +1 is US."""
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    if code := _CODE.fullmatch(text):
        return _country_with(code[1])
    letters = text.upper().replace(".", "").replace(" ", "")
    if letters in _LETTERS or letters in SUPPORTED_REGIONS:
        return _LETTERS.get(letters, letters)
    plain = _plain(text)
    found = COUNTRIES.get(plain) or _names().get(plain)
    if found is None and (beside := _CODE_BESIDE.search(text)):  # Portugal (+351)
        return _country_with(beside[1])
    return found


def _country_with(code: str) -> str | None:
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code), ())
    return regions[0] if regions and regions[0] in SUPPORTED_REGIONS else None


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.lower())
    return " ".join(_NO_LETTER.sub(" ", "".join(c for c in letters if not unicodedata.combining(c))).split())


@cache
def _names() -> dict[str, str]:
    """Every country's names. Loaded once a process, and only for files that name countries."""
    named: dict[str, str] = {}
    for language in LANGUAGES:
        for code, name in Locale.parse(language).territories.items():
            if code in SUPPORTED_REGIONS:
                named.setdefault(_plain(name), code)
    return named
