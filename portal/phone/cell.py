"""Take a cell's text apart, and decide whether it has one clear number. Pure.

The way: make the text plain, set aside what is certainly no telephone number (dates, addresses, amounts), cut the rest
into runs of digits with separators, read each run (`number_run`), and look at what was read. One number is the result,
and so are several that can be told apart in one way only; what is not certain is offered.
"""

import re

from phonenumbers import country_code_for_region

from portal.phone.cell_words import LABELS
from portal.phone.dialling import SHORTEST, read
from portal.phone.number_run import RUN, Piece, Run, RunReader, several
from portal.phone.number_tables import code_of
from portal.phone.plain_reading import Phone, failed
from portal.phone.plain_text import digits_of, folded, plain_text
from portal.phone.reasons import Reason
from portal.phone.surroundings import (
    MARKER,
    WORD,
    is_masked,
    named_country,
    set_aside_text,
    with_digits_for_letters,
)
from portal.phone.whole_value import SPACED_DATE, offers, whole_value

# Raise it with every change of what `parse` returns: counts that were made with another version are counted again.
PARSER_VERSION = 7

_LONGEST_TEXT = 200  # characters, as many as are kept of a cell; a longer one is prose
_MOST_DIGITS = 60  # of a cell
_FEWEST = 3  # digits of a text with words that are worth a look
_ASIDE = 5  # digits beside a number that are left aside: a postcode, a floor, an hour
_SIMPLE = re.compile(r"\+?\d{2,3}(?: \d{2,4}){1,5}|\d{2,3}(?:[.-]\d{2,3}){2,3}|\+\d{8,15}")


def parse(cell_text: str, country: str) -> Phone:
    """Parse a text. `country` (two letters, such as ES) is for numbers without a prefix such as +34. Never raises."""
    text = cell_text.strip()
    if (quick := _quick(text, country)) is not None:
        return quick
    text = plain_text(text)
    if not text:
        return failed(Reason.BLANK)
    if len(text) > _LONGEST_TEXT:
        return failed(Reason.LONG_TEXT)
    if text.isascii() and text.isdigit():
        return _read_digits(text, country)
    whole = whole_value(text, country)
    if whole is not None:
        return whole
    many = len(digits_of(text))
    if many < (_FEWEST if WORD.search(text) else 1):
        return failed(Reason.NOT_A_NUMBER)
    if many > _MOST_DIGITS:
        return failed(Reason.TOO_LONG)
    return _Cell(text, country).result()


def _quick(text: str, country: str) -> Phone | None:
    """Read the texts that most files are full of: digits alone, or with a few spaces. None for all others."""
    if not text.isascii():
        return None
    if text.isdigit():
        return _read_digits(text, country)
    if _SIMPLE.fullmatch(text) is None:
        return None
    digits, plus = digits_of(text), text[0] == "+"
    if country == "ES" and len(digits) == 9 and not plus:
        phone = read(digits, False, country)
        return phone if phone.e164 else None
    if len(digits) < 2 * SHORTEST and (plus or (" " in text and not SPACED_DATE.fullmatch(text))):
        phone = read(digits, plus, country, code_apart=plus and text.partition(" ")[0][1:] == code_of(digits))
        return phone if phone.e164 else None
    return None


def _read_digits(digits: str, country: str) -> Phone:
    """Read digits alone. Two numbers without a space between them are offered."""
    phone = read(digits, False, country)
    if phone.reason is Reason.TOO_LONG and not phone.offered and len(digits) % 2 == 0:
        halves = [read(half, False, country) for half in (digits[: len(digits) // 2], digits[len(digits) // 2 :])]
        if all(half.e164 for half in halves):
            return several(tuple(dict.fromkeys(str(half.e164) for half in halves)))
    return phone


class _Cell:
    """A text that is not one plain number."""

    def __init__(self, text: str, country: str) -> None:
        self.country = country
        self.has_words = any(len(word) > 1 and folded(word) not in LABELS for word in WORD.findall(text))
        self.masked = is_masked(text)
        self.named = named_country(text)
        self.text, self.aside = set_aside_text(text)

    def result(self) -> Phone:
        """Read the runs of the text, without the marker of a list (`1)`) when there is one."""
        marker = MARKER.match(self.text)
        if marker is None:
            return self._of(self.text)
        without = self._of(self.text[marker.end() :])
        if marker[0].startswith("(") or not marker[0].rstrip().endswith(")"):
            whole = self._of(self.text)
            if whole.e164 and whole.e164 != without.e164:
                return failed(Reason.AMBIGUOUS, (whole.e164, without.e164)) if without.e164 else whole
            if whole.numbers and without.numbers and whole.numbers != without.numbers:
                return several(tuple(dict.fromkeys((*whole.numbers, *without.numbers))))
            if without.e164 is None and not without.numbers:
                return whole
        return without

    def _of(self, text: str) -> Phone:
        reader = RunReader(self.country)
        runs = [reader.run_at(text, found) for found in RUN.finditer(text)]
        clean = [run for run in runs if run.poison is None]
        pieces = [piece for run in clean for piece in run.pieces]
        numbers = tuple(dict.fromkeys(piece.phone.e164 for piece in pieces if piece.phone.e164))
        # Digits that are no telephone number by their label or letters are left aside; others that may be one are not.
        others = [run for run in clean if not run.pieces and run.digits > _ASIDE]
        if len(numbers) == 1 and not others:
            return self._in_named_country(text, pieces[0].phone)
        if numbers:
            offered = dict.fromkeys(e164 for run in clean for e164 in (run.phone.e164, *run.phone.offered) if e164)
            is_clear = not others and self._are_whole(pieces)
            return several(tuple(offered), numbers if is_clear else ())
        return self._without_number(text, runs, clean)

    def _are_whole(self, pieces: list[Piece]) -> bool:
        """Whether no number borrows its beginning from another: in +351 912345678 / 913456789 the second one may be
        Portuguese too, and in 030 2345678 / 2345679 it may be one of the same town."""
        bare = [piece for piece in pieces if not piece.has_code]
        if not bare:
            return True
        codes = {piece.phone.country_code for piece in pieces}
        is_sure = len(codes) == 1 and (self.named is None or codes == {country_code_for_region(self.named)})
        return is_sure and len({piece.has_trunk for piece in bare}) == 1

    def _without_number(self, text: str, runs: list[Run], clean: list[Run]) -> Phone:
        """The reason when no run is a number, with what can be offered."""
        offering = [run for run in clean if run.phone.offered]
        if len(offering) > 1:
            offered = dict.fromkeys(e164 for run in offering for e164 in run.phone.offered)
            return several(tuple(offered))
        if offering:
            return offering[0].phone
        if self.masked:
            return failed(Reason.MASKED)
        if self.aside is Reason.IDENTIFIER:
            return failed(Reason.IDENTIFIER)
        if (plain := with_digits_for_letters(text)) is not None:
            phone = read(digits_of(plain), plain.startswith("+"), self.country)
            return failed(Reason.LETTERS, (phone.e164,) if phone.e164 else phone.offered)
        poisoned = sorted((run for run in runs if run.poison), key=lambda run: -run.digits)
        if poisoned and poisoned[0].poison and all(run.digits <= poisoned[0].digits for run in clean):
            phone = poisoned[0].phone
            return failed(poisoned[0].poison, (phone.e164,) if phone.e164 else phone.offered)
        longest = max(clean, key=lambda run: run.digits, default=None)
        if longest is None or (longest.digits < SHORTEST and self.has_words and longest.digits < SHORTEST - 1):
            return failed(Reason.DATE if self.aside and not self.has_words else Reason.NOT_A_NUMBER)
        if len(clean) > 1 and not self.has_words:
            digits = digits_of(text)
            if together := offers(digits, self.country):
                return failed(Reason.EXTRA_DIGITS, together)
        return longest.phone

    def _in_named_country(self, text: str, found: Phone) -> Phone:
        """Do not look up 912345678 as Spanish when the cell says Portugal."""
        named = self.named
        if named is None or found.country_code == country_code_for_region(named) or "+" in text:
            return found
        digits = digits_of(text)
        abroad = read(digits, False, named).e164
        offered = dict.fromkeys(e164 for e164 in (abroad, found.e164) if e164)
        return failed(Reason.OTHER_COUNTRY, tuple(offered))
