"""Headings of one language above numbers of a country where nobody speaks it: the country is right, or it is warned.

The beginnings of the numbers are written by hand; whether a number is valid as it is written is libphonenumber's word.
"""

import random
from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.parent import SheetFacts, add_guesses
from tests.documents.reader.made_lists import LANDLINES, MOBILE_HEADS, MOBILES, OTHERS, PHONE_HEADS
from tests.documents.sheets import written

LATIN_AMERICA = {  # mobiles and landlines: beginning, digits that follow
    "AR": [("11", 8), ("351", 7), ("9351", 7)], "CO": [("300", 7), ("315", 7), ("601", 7)], "CL": [("9", 8), ("2", 8)],
    "PE": [("9", 8), ("01", 7)], "VE": [("0412", 7), ("0212", 7)], "EC": [("098", 7), ("02", 7)],
    "UY": [("099", 6), ("2", 7)], "BO": [("7", 7), ("2", 7)], "CR": [("8", 7), ("2", 7)], "PA": [("6", 7), ("2", 6)],
    "GT": [("5", 7), ("2", 7)], "DO": [("809", 7)], "PY": [("0981", 6), ("021", 6)], "CU": [("5", 7)],
    "SV": [("7", 7), ("2", 7)], "HN": [("9", 7), ("2", 7)], "NI": [("8", 7), ("2", 7)],
}  # fmt: skip
NUMBERS = {country: [*MOBILES[country], *LANDLINES[country]] for country in MOBILES} | LATIN_AMERICA
LISTS = 4  # of each language and country


def is_valid(digits: str, country: str, *, as_written: bool) -> bool:
    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return False
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    same = "".join(filter(str.isdigit, national)) == digits
    return phonenumbers.is_valid_number(number) and (same or not as_written)


def made(chance: random.Random, language: str, country: str) -> list[list[Any]]:
    """A list of 3 to 40 people with numbers of one kind of this country."""
    start, more = chance.choice(NUMBERS[country])
    style = chance.choice(["plain", "int", "spaced"])
    phone = chance.choice((MOBILE_HEADS, PHONE_HEADS)[chance.random() < 0.5][language])
    rows: list[list[Any]] = [[OTHERS[language]["name"], phone, OTHERS[language]["city"]]]
    for _ in range(chance.choice([3, 12, 40])):
        digits = ""
        while not is_valid(digits, country, as_written=False):
            digits = start + "".join(chance.choices("0123456789", k=more))
        spaced = " ".join([digits[:3], digits[3:6], digits[6:]])
        cell = int(digits) if style == "int" else spaced if style == "spaced" else digits
        rows.append([chance.choice(["Ana", "Luis", "Eva"]), cell, chance.choice(["X", "Y"])])
    return rows


@pytest.mark.parametrize("language", OTHERS)
def test_the_country_is_right_or_warned(tmp_path: Path, language: str) -> None:
    silent = []
    for country in NUMBERS:
        for number in range(LISTS):
            rows = made(random.Random(f"{language} {country} {number}"), language, country)
            facts = SheetFacts(0, "Hoja1", rows=len(rows), columns=3)
            add_guesses(facts, written(tmp_path / "sheet", rows), ReadLimits(), "ES")
            assert facts.number_column == 1
            texts = ["".join(filter(str.isdigit, str(row[1]))) for row in rows[1:]]
            share = sum(is_valid(text, facts.country, as_written=True) for text in texts) / len(texts)
            # Numbers that are also written like this where the language is spoken are taken for those.
            if facts.country != country and not facts.rival_countries and share < 0.8:
                silent.append((country, facts.country, rows[:2]))
    assert silent == []
