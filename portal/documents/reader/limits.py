"""The limits for a file, and the reasons to refuse one. Pure: codes and numbers, no sentences."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

MIB = 1024 * 1024
MACHINE_FAILED = 75  # EX_TEMPFAIL: the reading process's exit code for a fault of the machine and not of the file

CONVERTED = "converted.xlsx"  # the file that the reading process makes of an old workbook


class FileProblem(StrEnum):
    """Why a file cannot be used. `documents.words` has a sentence for each."""

    EMPTY = "empty"  # no bytes at all
    NO_ROWS = "no_rows"  # readable, but no sheet has a row below its header
    WRONG_TYPE = "wrong_type"  # not a spreadsheet, whatever its name says
    ENCRYPTED = "encrypted"  # needs a password
    DAMAGED = "damaged"  # begins like a spreadsheet, but cannot be read to the end
    UNSAFE = "unsafe"  # reading it exceeded the limits of memory, time or compression
    MACHINE = "machine"  # for a day, the portal's machine could not read it: a full disk, a file that is not there
    TOO_MANY_ROWS = "too_many_rows"  # facts: rows, limit
    TOO_MANY_COLUMNS = "too_many_columns"  # facts: columns, limit
    TOO_MANY_SHEETS = "too_many_sheets"  # facts: sheets, limit
    TOO_LARGE = "too_large"  # its unpacked content is too large; facts: limit (whole megabytes)


class Unreadable(Exception):
    """The file (or one sheet of it) cannot be used. `facts` are the numbers for the sentence."""

    def __init__(self, problem: FileProblem, facts: dict[str, Any] | None = None) -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.facts = facts or {}


@dataclass(frozen=True)
class ReadLimits:
    """How large a file may be and what reading it may use.

    A real workbook of a million rows is compressed eightfold and needs about 400 MB to read, so the limits that grow
    with `max_rows` grow by 1 kB a row.
    """

    max_rows: int = 5000  # data rows: the header and the rows above it do not count
    max_columns: int = 256
    max_sheets: int = 100
    max_entries: int = 1000  # files in the zip
    max_ratio: int = 200  # unpacked size / packed size of one entry
    base_unpacked_bytes: int = 200 * MIB
    base_memory_bytes: int = 512 * MIB
    base_output_bytes: int = 64 * MIB
    cpu_seconds: int = 60
    wall_seconds: int = 120
    header_allowance: int = field(default=50)  # rows allowed above the data

    @property
    def max_unpacked_bytes(self) -> int:
        """Unpacked bytes of all entries of the zip together."""
        return self.base_unpacked_bytes + 1024 * self.max_rows

    @property
    def memory_bytes(self) -> int:
        """Address space of the reading process, in bytes."""
        return self.base_memory_bytes + 1024 * self.max_rows

    @property
    def output_bytes(self) -> int:
        """Bytes of all sheet files of one document together."""
        return self.base_output_bytes + 1024 * self.max_rows

    @property
    def max_lines(self) -> int:
        """Rows of one sheet that are written; those after them are only counted."""
        return self.max_rows + self.header_allowance

    def to_json(self) -> str:
        """Return the limits as JSON, for the reading process's command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ReadLimits":
        """Rebuild the limits from what `to_json` returned."""
        return cls(**json.loads(text))
