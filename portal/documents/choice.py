"""What a person chooses on the check page of a sheet: where its numbers are, and how they are read. Pure.

The same choice is previewed, counted, corrected, remembered for the next file and started as a job. It must not know
sources: which one is asked is no matter of the sheet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import LeftOut
from portal.phone import PARSER_VERSION


@dataclass(frozen=True)
class SheetChoice:
    """Which cells of which sheet are looked up."""

    sheet: int  # position in the document, from 0
    header_row: int  # as Excel counts; 0 = no header
    columns: tuple[int, ...]  # those with the numbers, from 0, in the sheet's order
    country: str  # two letters: of numbers without a prefix
    country_column: int | None = None  # that names the country of each row's numbers
    left: LeftOut = LeftOut()

    @property
    def key(self) -> str:
        """The key in Document.checks under which its counts are kept. Counts of an earlier parser have other keys, so
        that the check page promises what the start will do."""
        by_row = "" if self.country_column is None else f"@{self.country_column}"
        places = "+".join(map(str, self.columns))
        parts = (self.sheet, self.header_row, places, self.country + by_row, PARSER_VERSION, self.left.code)
        return ":".join(map(str, parts)).rstrip(":")

    def fields(self) -> dict[str, str | list[str]]:
        """The choice as the form's fields have it."""
        return {
            "sheet": str(self.sheet), "header_row": str(self.header_row), "column": list(map(str, self.columns)),
            "country": self.country,
            **({} if self.country_column is None else {"country_column": str(self.country_column)}),
            **({"hidden_rows": "leave"} if self.left.hidden else {}),
            **({} if self.left.numbers else {"total_rows": "take"}),
        }  # fmt: skip


def guessed(facts: SheetFacts, country: str) -> SheetChoice:
    """Return what is proposed for a sheet. `country` is used where the sheet says nothing about it."""
    return SheetChoice(
        facts.index,
        facts.header_row,
        facts.proposed_columns,
        facts.country or country,
        facts.country_column,
        facts.left_out(),
    )


def kept(choice: SheetChoice) -> dict[str, Any]:
    """Return a choice as values that a JSON column can keep, and that `restored` takes."""
    return {
        "sheet": choice.sheet, "header_row": choice.header_row, "columns": list(choice.columns),
        "country": choice.country, "country_column": choice.country_column, "left": choice.left.code,
    }  # fmt: skip


def restored(
    sheets: Iterable[Mapping[str, Any]],
    sheet: int,
    header_row: int,
    columns: Iterable[int],
    country: str,
    country_column: int | None,
    left: str,
) -> SheetChoice:
    """Return a choice that was kept as these values. `sheets` are the facts of the document's; `left` is the code of
    the rows that are left alone, whose numbers the sheet's facts have."""
    facts = next(SheetFacts.from_dict(dict(one)) for one in sheets if one["index"] == sheet)
    rows = facts.left_out("hidden" in left, "totals" in left)
    return SheetChoice(sheet, header_row, tuple(columns), country, country_column, rows)


def left_out(facts: SheetFacts, fields: Mapping[str, str]) -> LeftOut:
    """Return the rows that the form leaves alone: totals unless they are taken, hidden ones if they are left."""
    return facts.left_out(fields.get("hidden_rows") == "leave", fields.get("total_rows") != "take")
