"""The ids of rows, as people and programs send them in an address, a field or a search."""

MAX_INTEGER = 2**31 - 1  # the largest number that an integer column of PostgreSQL holds, so the largest id


def id_in(text: str) -> int | None:
    """The id that a text spells; None for any other text, and for a number that no column can hold."""
    return int(text) if text.isdecimal() and len(text) < 11 and int(text) <= MAX_INTEGER else None
