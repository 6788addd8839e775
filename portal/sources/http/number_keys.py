"""Finds which of the requested numbers an item of an answer is about, however the source writes the number.

Knows `+34612345678`, `34612345678`, `0034 612 345 678`, `612 34 56 78`, `+44 (0)20 7946 0018`, `tel:+34-612-345-678`
and the same as a JSON number. What two requested numbers share, such as the national form in two countries, finds
neither.
"""

import re
from collections.abc import Iterable
from typing import Any

import phonenumbers

from portal.sources.recipes.placeholders import forms_of
from portal.sources.recipes.toml_table import plain

_SCHEME = re.compile(r"(?:tel|sms|msisdn|callto|whatsapp|sips?)\s*:\s*", re.IGNORECASE)
_PARAMETERS = re.compile(r"[;@].*", re.DOTALL)  # as in tel:+34612345678;ext=1 and sip:+34612345678@example.com
_OTHER = re.compile(r"[^\W\d_]")  # a letter: whatever that is, it is no telephone number
LONGEST = 60  # characters


class NumberKeys:
    """The requested numbers (E.164), by all their forms."""

    def __init__(self, numbers: Iterable[str]) -> None:
        self._international: dict[str, str] = {}
        self._any_form: dict[str, str | None] = {}
        for number in numbers:
            forms = forms_of(number)
            self._international[forms["digits"]] = number
            for form in {forms["digits"], forms["national"], _dialled(number)}:
                known = self._any_form.setdefault(form, number)
                self._any_form[form] = number if known == number else None
        # A number in JSON has lost the zero at its beginning.
        for form, known in list(self._any_form.items()):
            self._any_form.setdefault(form.lstrip("0"), known)

    def find(self, written: Any) -> str | None:
        """The requested number that is written so; None when it is another, or no number at all."""
        if isinstance(written, bool) or not isinstance(written, str | int | float):
            return None
        text = _PARAMETERS.sub("", _SCHEME.sub("", plain(written).strip(), count=1))
        if len(text) > LONGEST or _OTHER.search(text):
            return None
        digits = phonenumbers.normalize_digits_only(text)
        if "+" not in text and digits in self._any_form:
            return self._any_form[digits]
        if "+" not in text and not digits.startswith("00"):
            return None
        international = digits.removeprefix("00")
        return self._international.get(international) or self._international.get(_normalized(international))


def _dialled(e164: str) -> str:
    """The digits that one dials within the country, with the 0 that some countries have."""
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return e164.lstrip("+")
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return phonenumbers.normalize_digits_only(national)


def _normalized(international: str) -> str:
    """The digits without what has no place between country code and number, as in +44 (0)20 7946 0018."""
    try:
        number = phonenumbers.parse(f"+{international}", None)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
