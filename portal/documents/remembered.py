"""What a person chose on the check page for files of one shape, so that the next such file opens with it.

The shape is the headings, kept as a hash; of a sheet without headings, how many columns it has and what is in them. A
file whose headings begin with the same ones has that shape too: the portal's own download, uploaded again, has more
columns behind them. A choice is recalled only where the heading of each chosen column is the same.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import JSON, ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, UtcDateTime, db, upsert
from portal.documents.choice import SheetChoice
from portal.documents.reader.heading_words import normalised
from portal.documents.reader.parent import SheetFacts

MOST_HEADINGS = 100  # of a shape


class Recalled(NamedTuple):
    """What a person chose last time."""

    choice: SheetChoice
    source: str


class RememberedChoice(Model):
    """One person's last choice for files of one shape."""

    __tablename__ = "remembered_choices"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    shape: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the sheet as it was guessed, or as chosen
    header_row: Mapped[int]  # as Excel counts; 0 = no header
    headings: Mapped[str] = mapped_column(String(64))  # the shape of the chosen header
    width: Mapped[int]  # how many headings that shape is of
    columns: Mapped[list[int]] = mapped_column(JSON)
    country: Mapped[str] = mapped_column(String(2))
    country_column: Mapped[int | None]
    source: Mapped[str] = mapped_column(String(40))
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)


def remember(
    user_id: int, facts: SheetFacts, header: Sequence[str], choice: SheetChoice, source: str, now: datetime
) -> None:
    """Keep a choice. `header` are the texts of the chosen header row. Which rows are left alone is not kept: the next
    file has others. Does not commit."""
    own = shape_of(facts, header)
    values = {
        "user_id": user_id, "header_row": choice.header_row, "headings": own, "width": len(_headings(header)),
        "columns": list(choice.columns), "country": choice.country, "country_column": choice.country_column,
        "source": source, "used_at": now,
    }  # fmt: skip
    replaced = tuple(name for name in values if name != "user_id")
    insert = upsert(RememberedChoice, ("user_id", "shape"), replace=replaced)
    # Two shapes: the next file may be guessed as this one was, or as it was chosen.
    db.session.execute(insert, [{**values, "shape": shape} for shape in sorted({own, shape_of(facts, facts.header)})])


def recall(user_id: int, facts: SheetFacts, header_of: Callable[[int], Sequence[str]]) -> Recalled | None:
    """Return what the person chose for the last file of this sheet's shape. `header_of` gives the texts of a row."""
    heads = _headings(facts.header)
    shapes = [shape_of(facts, heads[:count]) for count in range(len(heads), 0, -1)] or [shape_of(facts, [])]
    mine = (RememberedChoice.user_id == user_id, RememberedChoice.shape.in_(shapes))
    found = {kept.shape: kept for kept in db.session.scalars(select(RememberedChoice).where(*mine))}
    for kept in (found[shape] for shape in shapes if shape in found):
        for header_row in dict.fromkeys((kept.header_row, facts.header_row)):
            header = header_of(header_row) if header_row else []
            fits = shape_of(facts, _headings(header)[: kept.width]) == kept.headings
            places = [*kept.columns, *([] if kept.country_column is None else [kept.country_column])]
            if fits and facts.has_header_row(header_row) and all(map(facts.has_column, places)):
                columns, by_row = tuple(kept.columns), kept.country_column
                choice = SheetChoice(facts.index, header_row, columns, kept.country, by_row, facts.left_out())
                return Recalled(choice, kept.source)
    return None


def shape_of(facts: SheetFacts, header: Sequence[str]) -> str:
    """Return the shape of a sheet with these headings, as a hash that does not tell them."""
    heads = _headings(header)
    text = "\x1f".join(map(normalised, heads)) if heads else f"\x1e{facts.columns}:{_kinds(facts)}"
    return hashlib.sha256(text.encode()).hexdigest()


def _headings(header: Sequence[str]) -> list[str]:
    heads = [text.strip() for text in header[:MOST_HEADINGS]]
    while heads and not heads[-1]:
        heads.pop()
    return heads


def _kinds(facts: SheetFacts) -> str:
    """What is in each column of the first rows: digits, words or nothing."""
    kinds = []
    for place in range(min(facts.columns, MOST_HEADINGS)):
        texts = [row[place].strip() for row in facts.sample if place < len(row) and row[place].strip()]
        digits = sum(sum(map(str.isdigit, text)) * 2 > len(text) for text in texts)
        kinds.append("-" if not texts else "n" if digits * 2 > len(texts) else "t")
    return "".join(kinds)
