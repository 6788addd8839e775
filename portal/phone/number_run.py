"""Read one run of a cell: digits with separators between them, which are one number, several, or none. Pure.

A run is read as a whole. What is none is cut in every way into numbers with nothing left over, and one way is certain
when it is the only one, or the one that a person sees by the marks.
"""

import re
from itertools import combinations, pairwise
from typing import NamedTuple

from portal.phone.dialling import LONGEST, SHORTEST, may_be_valid, read
from portal.phone.number_tables import code_of, trunk_of
from portal.phone.plain_reading import Phone, failed
from portal.phone.plain_text import digits_of
from portal.phone.reasons import Reason
from portal.phone.surroundings import follows_a_word, why_no_number

_MOST_GROUPS = 20  # of a run that is searched for several numbers
_MOST_WAYS = 8  # of cutting a run into numbers; with more of them it is not clear anyway
_MOST_MARKS = 4  # that differ, between the groups of a run

# A run: digits with separators between them. A comma before a space, words and other marks end it.
_BETWEEN = r"(?:,(?!\s)|[ \t\n\r.\-/·_()\[\]\\]){1,5}"
RUN = re.compile(rf"(\+[\s(\[+]*)?(\d+(?:{_BETWEEN}\d+)*)")
_GROUP = re.compile(r"\d+")
_ONLY_A_ZERO = re.compile(r"[(\[]\s*0\s*[)\]]")


class Piece(NamedTuple):
    """One of the numbers of a cell: its first group in the run, and how it is written: with its country's code, or with
    the prefix that is dialled at home."""

    phone: Phone
    start: int
    has_code: bool
    has_trunk: bool


class Run(NamedTuple):
    """Digits with separators between them, and what was read there. `poison`: why they are no telephone number.

    `pieces` are its numbers, one or several; none when they are not certain."""

    phone: Phone
    digits: int
    poison: Reason | None
    pieces: tuple[Piece, ...] = ()


class RunReader:
    """Reads the runs of cells. `country` is for numbers without a prefix."""

    def __init__(self, country: str) -> None:
        self.country = country

    def run_at(self, text: str, found: re.Match[str]) -> Run:
        """Read the run that was found in a text."""
        plus = found[1] is not None
        groups = _GROUP.findall(found[2])
        digits = "".join(groups)
        poison = why_no_number(text, found.start(), found.end())
        if len(digits) < 3:
            return Run(failed(Reason.TOO_SHORT), len(digits), poison)
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
        return Run(phone, len(digits), poison, pieces)

    def _read_run(self, run: str, groups: list[str], digits: str, plus: bool) -> tuple[Phone, tuple[Piece, ...]]:
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
        distinct = tuple(dict.fromkeys(filter(None, numbers)))
        if len(distinct) > 1:
            return several(distinct), () if whole.e164 else _clear_way(ways, seen, groups)
        if whole.e164:
            return whole, ()
        if distinct:  # the same number twice
            return read(distinct[0][1:], True, self.country), ()
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
            return several((first.e164, first.e164[: -len(ending[2])] + ending[2]))
        return None

    def _ways(self, groups: list[str], plus: bool) -> list[tuple[Piece, ...]]:
        """The ways of cutting the groups into two or more numbers with nothing left over."""
        ways: list[list[tuple[Piece, ...]]] = [[()], *([] for _ in groups)]
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

    def _ways_by_marks(self, groups: list[str], plus: bool, between: list[str]) -> list[tuple[Piece, ...]]:
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

    def _piece(self, phone: Phone, start: int, digits: str, *, plus: bool) -> Piece:
        trunk = trunk_of(self.country)
        return Piece(phone, start, plus or digits.startswith("00"), bool(trunk) and digits.startswith(trunk))

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


def several(offered: tuple[str, ...], numbers: tuple[str, ...] = ()) -> Phone:
    """Return the result for a cell with several numbers: `numbers` are those that are certain."""
    return Phone(None, None, Reason.SEVERAL_NUMBERS, offered, numbers)


def _clear_way(ways: list[tuple[Piece, ...]], seen: list[tuple[Piece, ...]], groups: list[str]) -> tuple[Piece, ...]:
    """The way of cutting groups into numbers that is certain: the one that a person sees by the marks, else the only
    one. Empty when there is none or several, and for groups of four digits, as cards and accounts are written."""
    if len(seen) != 1 and any(len(group) != 4 for group in groups):
        seen = ways
    return seen[0] if len(seen) == 1 else ()
