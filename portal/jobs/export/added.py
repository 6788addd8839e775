"""What is added to the person's file: the cells that follow the last used column of a row.

Knows no file formats and no database. `lines` makes added rows; the writers in place put them into a copy of the file.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

AddedCell = str | int | float | bool | datetime | None
"""Text stays text (`=1+1`, `+34…`, `007`), a datetime has no time zone and is shown as a date with time."""


class Tone(StrEnum):
    """How the cell with a row's status looks; all added cells of a heading look alike."""

    HEADING = "heading"
    FOUND = "found"
    NOT_FOUND = "not_found"
    TO_FIX = "to_fix"  # failed, invalid or rejected
    WAITING = "waiting"
    PLAIN = "plain"


class AddedRow(NamedTuple):
    """The cells to add to one row. Rows come in ascending `row_no`, and only those that get something."""

    row_no: int  # as Excel counts, from 1
    cells: Sequence[AddedCell]
    tone: Tone = Tone.PLAIN
    tone_at: int = 0  # which of the cells has the status
    more_tones: Mapping[int, Tone] = {}  # of the other cells with a status, when there are several columns of numbers
