"""How much a file may ask of us, and the ways in which it can be refused. Pure: codes and figures, no sentences."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

MIB = 1024 * 1024


class FileProblem(StrEnum):
    """Why a file cannot be used. `documents.words` has the sentence for each."""

    EMPTY = "empty"  # no bytes at all
    NO_ROWS = "no_rows"  # readable, but no row below a header on any sheet
    WRONG_TYPE = "wrong_type"  # not a spreadsheet, whatever its name says
    ENCRYPTED = "encrypted"  # opens with a password only
    DAMAGED = "damaged"  # begins like a spreadsheet, but cannot be read to its end
    UNSAFE = "unsafe"  # reading it broke the limits of memory, time or compression
    TOO_MANY_ROWS = "too_many_rows"  # facts: rows, limit
    TOO_MANY_COLUMNS = "too_many_columns"  # facts: columns, limit
    TOO_MANY_SHEETS = "too_many_sheets"  # facts: sheets, limit
    TOO_LARGE = "too_large"  # facts: limit (whole megabytes), what the content comes to when unpacked


class Unreadable(Exception):
    """The file (or one sheet of it) cannot be used. `facts` are the figures for the sentence."""

    def __init__(self, problem: FileProblem, facts: dict[str, Any] | None = None) -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.facts = facts or {}


@dataclass(frozen=True)
class ReadLimits:
    """What a file may have and what its reading may use.

    A real workbook of a million rows packs eightfold and needs some 400 MB to read; what grows with the rows that
    are allowed therefore grows by 1 kB a row.
    """

    max_rows: int = 5000  # data rows, without the header and what stands above it
    max_columns: int = 256
    max_sheets: int = 100
    max_entries: int = 1000  # files within the zip
    max_ratio: int = 200  # unpacked / packed, of one entry
    base_unpacked_bytes: int = 200 * MIB
    base_memory_bytes: int = 1024 * MIB
    base_output_bytes: int = 64 * MIB
    cpu_seconds: int = 60
    wall_seconds: int = 120
    header_allowance: int = field(default=50)  # rows that may stand above the data

    @property
    def max_unpacked_bytes(self) -> int:
        """What all entries of the zip may come to."""
        return self.base_unpacked_bytes + 1024 * self.max_rows

    @property
    def memory_bytes(self) -> int:
        """The address space of the reading process."""
        return self.base_memory_bytes + 1024 * self.max_rows

    @property
    def output_bytes(self) -> int:
        """What all sheet files of one document may come to."""
        return self.base_output_bytes + 1024 * self.max_rows

    @property
    def max_lines(self) -> int:
        """How many rows of one sheet are written down before the rest is only counted."""
        return self.max_rows + self.header_allowance

    def to_json(self) -> str:
        """For the reading process's command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ReadLimits":
        """What `to_json` wrote."""
        return cls(**json.loads(text))
