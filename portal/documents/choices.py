"""What a person asked for on the check page → a sheet, its header row, the number column and a country. Pure.

What was not asked for is guessed, and what cannot be is named by a code and guessed as well, so that nothing else of
the choice is lost. It knows neither sources nor jobs, nor the words for its codes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from portal.documents.reader.header_guess import plain
from portal.documents.reader.parent import SheetFacts
from portal.phone import countries

SHEET_UNKNOWN = "sheet_unknown"
HEADER_UNKNOWN = "header_unknown"
COLUMN_UNKNOWN = "column_unknown"
COUNTRY_UNKNOWN = "country_unknown"

HeaderOf = Callable[[SheetFacts, int], list[str]]


@dataclass(frozen=True)
class Picked:
    """A choice that the document has. `guessed` names the fields that stand where the reading put them."""

    sheet: SheetFacts
    header_row: int  # as Excel counts, 0 = none
    column: int  # from 0
    country: str
    header: list[str]
    guessed: frozenset[str] = frozenset()
    problems: tuple[str, ...] = field(default=())  # codes of what was asked for in vain
    sheet_changed: bool = False  # another sheet than the one whose rows and columns were on the page


def pick(
    sheets: Sequence[SheetFacts], first: SheetFacts, asked: Mapping[str, str], country: str, header_of: HeaderOf
) -> Picked:
    """The choice. `asked` may hold `sheet`, `header_row`, `column` and `country` as the form sends them; `first` is
    the sheet, and `country` the country, when none was asked for.

    `sheet` and `column` are positions from 0 or the name of a sheet or a head. `shown_sheet` says whose header rows
    and columns the person saw: positions that were meant for another sheet are guessed anew.
    """
    problems: list[str] = []
    facts = first
    if wanted := asked.get("sheet", "").strip():
        found = _sheet(sheets, wanted)
        if found is None:
            problems.append(SHEET_UNKNOWN)
        facts = found or first
    shown = asked.get("shown_sheet", "").strip()
    changed = shown.isdecimal() and int(shown) != facts.index

    header_row = facts.header_row
    wanted = "" if changed else asked.get("header_row", "").strip()
    if wanted:
        if wanted.isdecimal() and len(wanted) < 9 and int(wanted) < facts.rows:
            header_row = int(wanted)
        else:
            problems.append(HEADER_UNKNOWN)
    header = header_of(facts, header_row)

    column = facts.number_column
    named = asked.get("column", "").strip()
    if named and not (changed and named.isdecimal()):
        position = _column(facts, header, named)
        if position is None:
            problems.append(COLUMN_UNKNOWN)
        else:
            column = position

    chosen_country = country
    if wanted := asked.get("country", "").strip().upper():
        if wanted in countries():
            chosen_country = wanted
        else:
            problems.append(COUNTRY_UNKNOWN)
    guesses = {"sheet": facts is first, "header_row": header_row == facts.header_row,
               "column": column == facts.number_column}  # fmt: skip
    guessed = frozenset(name for name, stands in guesses.items() if stands)
    told_column = bool(named) and not named.isdecimal() and COLUMN_UNKNOWN not in problems
    return Picked(
        facts, header_row, column, chosen_country, header, guessed, tuple(problems), changed and not told_column
    )


def _sheet(sheets: Sequence[SheetFacts], wanted: str) -> SheetFacts | None:
    """The usable sheet at that position or, failing that, of that name."""
    usable = [facts for facts in sheets if facts.usable]
    if wanted.isdecimal():
        for facts in usable:
            if str(facts.index) == wanted:
                return facts
    exact = [facts for facts in usable if facts.name == wanted]
    alike = [facts for facts in usable if plain(facts.name) == plain(wanted) != ""]
    return next(iter(exact + alike), None)


def _column(facts: SheetFacts, header: list[str], wanted: str) -> int | None:
    """The column at that position or, failing that, under that head."""
    if wanted.isdecimal() and len(wanted) < 6 and int(wanted) < facts.columns:
        return int(wanted)
    for same in (lambda head: head.strip() == wanted, lambda head: plain(head) == plain(wanted) != ""):
        for position, head in enumerate(header):
            if same(head):
                return position
    return None
