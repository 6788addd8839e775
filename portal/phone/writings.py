"""Every way in which one telephone number may be written in a text, to find it there and to take it out. Pure.

Generous on purpose: what is looked for is to be erased. It finds the digits of the number with or without its country
code, with the usual marks between them, as a program writes large numbers, and in the digits of other scripts. Where
its promise ends: a number that is cut in two cells, is spelt in words, or is in a picture.
"""

import re
from decimal import Decimal, InvalidOperation

import phonenumbers

_MARK = r"[ \xa0\u2000-\u200f\u202a-\u202f\u2060-\u2069.\-\u2010-\u2015/·_()\[\]\\]|\xc2\xa0|&#160;|&#xA0;|&nbsp;"
_IN_LINES = rf"(?:{_MARK}){{0,5}}"
_IN_CELLS = rf"(?:{_MARK}|[\t\r\n]|,(?!\s)){{0,5}}"
_LONGEST_PREFIX = 24
_POWER = re.compile(r"\d[.,]\d{3,}[eE]\+?\d{1,2}(?!\d)")
# Each digit in ASCII, in full width, and in the two Arabic scripts.
_DIGITS = ["".join(chr(zero + digit) for zero in (0x30, 0xFF10, 0x660, 0x6F0)) for digit in range(10)]


def _spelt(digits: str, marks: str) -> str:
    return marks.join(f"[{_DIGITS[int(digit)]}]" for digit in digits)


class Writings:
    """The ways to write one number, which is given in E.164. Raises ValueError for anything else.

    In lines of text, commas, tabs and ends of lines are between cells (`in_lines`); else they may be in the number."""

    def __init__(self, e164: str, *, in_lines: bool = False) -> None:
        marks = _IN_LINES if in_lines else _IN_CELLS
        try:
            number = phonenumbers.parse(e164, None)
        except phonenumbers.NumberParseException as error:
            raise ValueError(e164) from error
        national, code = phonenumbers.national_significant_number(number), str(number.country_code)
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(
            phonenumbers.region_code_for_country_code(number.country_code or 0), None
        )
        trunk = (metadata.national_prefix or "") if metadata else ""
        self.national, self.international = national, code + national
        # The last digits are looked at once they are there; a zero of "612345678.0" goes with the number.
        self._core = re.compile(rf"{_spelt(national, marks)}(?!\d)(?:[.,]0+(?!\d))?")
        at_home = rf"(?:[(\[]?{re.escape(trunk)}[)\]]?{marks})?" if trunk else ""
        self._before = re.compile(
            rf"(?<!\d)(?:[(\[]?(?:\+|00|011)?{marks}{_spelt(code, marks)}{marks}(?:\(0\){marks})?)?{at_home}$"
        )
        self.like = "%" + "%".join(national) + "%"  # for SQL: each text with the number is like this, and some others

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where in the text the number is, each place with its end, in the order of the text."""
        found = []
        end = 0
        for match in self._core.finditer(text):
            start = match.start()
            before = self._before.search(text, max(end, start - _LONGEST_PREFIX), start)
            if before is None:  # in the middle of more digits: another number
                continue
            found.append((before.start(), match.end()))
            end = match.end()
        if "E" in text or "e" in text:
            powers = [match.span() for match in _POWER.finditer(text) if self._is_power(match.group())]
            # The digits before the E are found as a number as well.
            apart = [(start, end) for start, end in found if not any(a < end and start < b for a, b in powers)]
            found = sorted([*apart, *powers])
        return found

    def _is_power(self, text: str) -> bool:
        try:
            value = Decimal(text.replace(",", "."))
        except InvalidOperation:
            return False
        return value in (Decimal(self.national), Decimal(self.international))

    def is_in(self, text: str) -> bool:
        """Whether the number is in the text."""
        return bool(self.spans(text))

    def without(self, text: str, word: str) -> str:
        """Return the text with a word in each place of the number."""
        pieces, at = [], 0
        for start, end in self.spans(text):
            pieces += [text[at:start], word]
            at = end
        return "".join([*pieces, text[at:]])
