"""What a cell's format is for. Knows no file formats."""

from enum import StrEnum


class Shows(StrEnum):
    """The kinds of values that have a format of their own."""

    NUMBER = "number"
    DATE = "date"
