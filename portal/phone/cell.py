"""Take a cell's text apart, and decide whether it has one clear number. Pure.

The way: make the text plain, set aside what is certainly no telephone number (dates, addresses, amounts), cut the rest
into runs of digits with separators, read each run, and look at what was read. One number is the result, and so are
several that can be told apart in one way only; what is not certain is offered.
"""

import re
from itertools import combinations, pairwise
from typing import NamedTuple

from phonenumbers import country_code_for_region

from portal.phone.cell_words import LABELS
from portal.phone.dialling import LONGEST, SHORTEST, Phone, code_of, failed, may_be_valid, read, trunk_of
from portal.phone.plain_text import digits_of, folded, plain_text
from portal.phone.reasons import Reason
from portal.phone.surroundings import (
    MARKER,
    WORD,
    follows_a_word,
    is_masked,
    named_country,
    set_aside_text,
    why_no_number,
    with_digits_for_letters,
)
from portal.phone.whole_value import SPACED_DATE, offers, whole_value

# Raise it with every change of what `parse` returns: counts that were made with another version are counted again.
PARSER_VERSION = 6

_LONGEST_TEXT = 200  # characters, as many as are kept of a cell; a longer one is prose
_MOST_DIGITS = 60  # of a cell
_MOST_GROUPS = 20  # of a run that is searched for several numbers
_FEWEST = 3  # digits of a text with words that are worth a look
_MOST_WAYS = 8  # of cutting a run into numbers; with more of them it is not clear anyway
_MOST_MARKS = 4  # that differ, between the groups of a run
_ASIDE = 5  # digits beside a number that are left aside: a postcode, a floor, an hour


# A run: digits with separators between them. A comma before a space, words and other marks end it.
_BETWEEN = r"(?:,(?!\s)|[ \t\n\r.\-/·_()\[\]\\]){1,5}"
_RUN = re.compile(rf"(\+[\s(\[+]*)?(\d+(?:{_BETWEEN}\d+)*)")
_GROUP = re.compile(r"\d+")
_SIMPLE = re.compile(r"\+?\d{2,3}(?: \d{2,4}){1,5}|\d{2,3}(?:[.-]\d{2,3}){2,3}|\+\d{8,15}")
_ONLY_A_ZERO = re.compile(r"[(\[]\s*0\s*[)\]]")


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
            return _several(tuple(dict.fromkeys(str(half.e164) for half in halves)))
    return phone


class _Piece(NamedTuple):
    """One of the numbers of a cell: its first group in the run, and how it is written: with its country's code, or with
    the prefix that is dialled at home."""

    phone: Phone
    start: int
    has_code: bool
    has_trunk: bool


class _Run(NamedTuple):
    """Digits with separators between them, and what was read there. `poison`: why they are no telephone number.

    `pieces` are its numbers, one or several; none when they are not certain."""

    phone: Phone
    digits: int
    poison: Reason | None
    pieces: tuple[_Piece, ...] = ()


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
                return _several(tuple(dict.fromkeys((*whole.numbers, *without.numbers))))
            if without.e164 is None and not without.numbers:
                return whole
        return without

    def _of(self, text: str) -> Phone:
        runs = [self._run(text, found) for found in _RUN.finditer(text)]
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
            return _several(tuple(offered), numbers if is_clear else ())
        return self._without_number(text, runs, clean)

    def _are_whole(self, pieces: list[_Piece]) -> bool:
        """Whether no number borrows its beginning from another: in +351 912345678 / 913456789 the second one may be
        Portuguese too, and in 030 2345678 / 2345679 it may be one of the same town."""
        bare = [piece for piece in pieces if not piece.has_code]
        if not bare:
            return True
        codes = {piece.phone.country_code for piece in pieces}
        is_sure = len(codes) == 1 and (self.named is None or codes == {country_code_for_region(self.named)})
        return is_sure and len({piece.has_trunk for piece in bare}) == 1

    def _without_number(self, text: str, runs: list[_Run], clean: list[_Run]) -> Phone:
        """The reason when no run is a number, with what can be offered."""
        offering = [run for run in clean if run.phone.offered]
        if len(offering) > 1:
            offered = dict.fromkeys(e164 for run in offering for e164 in run.phone.offered)
            return _several(tuple(offered))
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

    def _run(self, text: str, found: re.Match[str]) -> _Run:
        plus = found[1] is not None
        groups = _GROUP.findall(found[2])
        digits = "".join(groups)
        poison = why_no_number(text, found.start(), found.end())
        if len(digits) < 3:
            return _Run(failed(Reason.TOO_SHORT), len(digits), poison)
        phone, pieces = self._read_run(found[2], groups, digits, plus)
        if (
            phone.e164
            and not plus
            and len(groups) > 1
            and len(groups[0].lstrip("0")) == len(groups[0]) <= 2
            and follows_a_word(text, found.start())
        ):
            rest = read("".join(groups[1:]), False, self.country)
            if rest.e164 and rest.e164 != phone.e164:  # Piso 3 030 1234567
                phone = failed(Reason.AMBIGUOUS, (rest.e164, phone.e164))
        if phone.e164:
            pieces = (self._piece(phone, 0, digits, plus=plus),)
        return _Run(phone, len(digits), poison, pieces)

    def _read_run(self, run: str, groups: list[str], digits: str, plus: bool) -> tuple[Phone, tuple[_Piece, ...]]:
        """Read a run; with it come the numbers into which it can clearly be cut, if it is several."""
        if (endings := self._endings(run, groups, plus)) is not None:
            return endings, ()
        if plus and (zero := _ONLY_A_ZERO.search(run)):
            phone = self._optional_zero(run[: zero.start()], run[zero.end() :])
            if phone is not None:
                return phone, ()
        whole = read(digits, plus, self.country, code_apart=plus and groups[0] == code_of(digits))
        if len(groups) == 1 or len(groups) > _MOST_GROUPS or (whole.e164 and len(digits) < 2 * SHORTEST):
            return whole, ()
        ways = self._ways(groups, plus)
        seen = self._ways_by_marks(groups, plus, _GROUP.split(run)[1:-1]) if ways else []
        numbers = (piece.phone.e164 for piece in (seen or ways)[0]) if ways else ()
        several = tuple(dict.fromkeys(filter(None, numbers)))
        if len(several) > 1:
            return _several(several), () if whole.e164 else _clear_way(ways, seen, groups)
        if whole.e164:
            return whole, ()
        if several:  # the same number twice
            return read(several[0][1:], True, self.country), ()
        return self._not_a_number(whole, groups, plus), ()

    def _not_a_number(self, whole: Phone, groups: list[str], plus: bool) -> Phone:
        """Why a run of groups is neither one number nor several."""
        if [len(group) for group in groups] == [4, 4, 4, 4]:  # a card
            return failed(Reason.IDENTIFIER)
        abroad = whole.offered and groups[0].lstrip("0") == code_of("".join(groups).lstrip("0"))
        if abroad or whole.reason is Reason.AMBIGUOUS:
            return whole
        if part := self._part(groups, plus):
            return failed(Reason.EXTRA_DIGITS, tuple(dict.fromkeys((part, *whole.offered))))
        return whole

    def _optional_zero(self, before: str, after: str) -> Phone | None:
        """Read +34 (0) 600…: the 0 is not dialled from abroad, but in Italy it belongs to the number."""
        bare, tail = (digits_of(part) for part in (before, after))
        found = [phone for phone in (read(bare + tail, True, self.country), read(f"{bare}0{tail}", True, self.country))
                 if phone.e164]  # fmt: skip
        numbers = tuple(dict.fromkeys(str(phone.e164) for phone in found))
        if len(numbers) > 1:
            return failed(Reason.AMBIGUOUS, numbers)
        return found[0] if found else None

    def _endings(self, run: str, groups: list[str], plus: bool) -> Phone | None:
        """Read 911234567/68, which is two numbers. None for all others."""
        ending = re.fullmatch(r"(.*\d[)\]]?)\s*/\s*(\d{1,3})", run, re.S)
        if ending is None:
            return None
        first, _ = self._read_run(ending[1], groups[:-1], "".join(groups[:-1]), plus)
        if first.e164 and len(first.e164) > len(ending[2]):
            return _several((first.e164, first.e164[: -len(ending[2])] + ending[2]))
        return None

    def _ways(self, groups: list[str], plus: bool) -> list[tuple[_Piece, ...]]:
        """The ways of cutting the groups into two or more numbers with nothing left over."""
        ways: list[list[tuple[_Piece, ...]]] = [[()], *([] for _ in groups)]
        for end in range(1, len(groups) + 1):
            digits = ""
            for start in range(end - 1, -1, -1):
                digits = groups[start] + digits
                if len(digits) > LONGEST or (start == 0 and end == len(groups)):
                    break
                if not ways[start] or not may_be_valid(digits, self.country):
                    continue
                has_plus = plus and start == 0
                phone = read(digits, has_plus, self.country)
                if phone.e164:
                    piece = self._piece(phone, start, digits, plus=has_plus)
                    ways[end] += [(*before, piece) for before in ways[start]]
            del ways[end][_MOST_WAYS:]
        return ways[-1]

    def _ways_by_marks(self, groups: list[str], plus: bool, between: list[str]) -> list[tuple[_Piece, ...]]:
        """The ways that a person sees: other marks stand between the numbers than inside them."""
        marks = [text.strip() or text for text in between]
        kinds = list(dict.fromkeys(marks))
        if len(kinds) > _MOST_MARKS:
            return []
        ways = []
        for count in range(1, len(kinds) + 1):
            for chosen in combinations(kinds, count):
                starts = [0, *(place for place, mark in enumerate(marks, start=1) if mark in chosen)]
                digits = ["".join(groups[start:end]) for start, end in pairwise([*starts, len(groups)])]
                if min(map(len, digits)) < SHORTEST or max(map(len, digits)) > LONGEST:
                    continue
                pieces = [
                    self._piece(read(text, plus and not start, self.country), start, text, plus=plus and not start)
                    for start, text in zip(starts, digits, strict=True)
                ]
                if all(piece.phone.e164 for piece in pieces):
                    ways.append(tuple(pieces))
        return ways

    def _piece(self, phone: Phone, start: int, digits: str, *, plus: bool) -> _Piece:
        trunk = trunk_of(self.country)
        return _Piece(phone, start, plus or digits.startswith("00"), bool(trunk) and digits.startswith(trunk))

    def _part(self, groups: list[str], plus: bool) -> str | None:
        """The number that all groups but the first or the last ones make."""
        for end in range(len(groups) - 1, 0, -1):
            digits = "".join(groups[:end])
            if len(digits) < SHORTEST:
                break
            if (plus or may_be_valid(digits, self.country)) and (phone := read(digits, plus, self.country)).e164:
                return phone.e164
        for start in range(1, len(groups)):
            digits = "".join(groups[start:])
            if len(digits) < SHORTEST:
                break
            if not plus and may_be_valid(digits, self.country) and (phone := read(digits, False, self.country)).e164:
                return phone.e164
        return None


def _several(offered: tuple[str, ...], numbers: tuple[str, ...] = ()) -> Phone:
    return Phone(None, None, Reason.SEVERAL_NUMBERS, None, offered, numbers)


def _clear_way(ways: list[tuple[_Piece, ...]], seen: list[tuple[_Piece, ...]], groups: list[str]) -> tuple[_Piece, ...]:
    """The way of cutting groups into numbers that is certain: the one that a person sees by the marks, else the only
    one. Empty when there is none or several, and for groups of four digits, as cards and accounts are written."""
    if len(seen) != 1 and any(len(group) != 4 for group in groups):
        seen = ways
    return seen[0] if len(seen) == 1 else ()
