"""Several sources that answer for the same numbers: how they are named together, and whose each field is.

A text names them in the order in which they are asked, such as `hlr,directory`. In the answer for a number, the fields
of the first keep their names; those of a later one have its position behind them, such as `operator@2`. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence

BETWEEN, MARK = ",", "@"
SEVERAL = "+"
"""In the statistics, the name of those together that a file has."""
FOUND_BY = f"found_by{MARK}"
"""The field that names the sources which found something."""


def names_of(source: str) -> Sequence[str]:
    """The names of the sources in a text that names one or several."""
    return source.split(BETWEEN)


def joined(names: Iterable[str]) -> str:
    """The text that names these sources."""
    return BETWEEN.join(names)


def key_of(field: str, step: int) -> str:
    """A field of the source at this position, from 1, as an answer names it."""
    return field if step == 1 else f"{field}{MARK}{step}"


def base_of(field: str) -> str:
    """A field's name at its own source."""
    return field.partition(MARK)[0]


def step_of(field: str) -> int:
    """The position of the source whose field this is, from 1; 0 for `FOUND_BY`."""
    return 0 if field == FOUND_BY else int(field.partition(MARK)[2] or 1)


def source_of(field: str, source: str) -> str:
    """The one of these sources whose field this is; empty for a field of none."""
    names, step = names_of(source), step_of(field)
    return names[step - 1] if 0 < step <= len(names) else ""


def answer_with(before: Mapping[str, str] | None, step: int, fields: Mapping[str, str]) -> dict[str, str]:
    """What the sources have said of a number, with the answer of the one at this position in the place of an earlier
    one of its own."""
    kept = {name: value for name, value in (before or {}).items() if step_of(name) not in (0, step)}
    return {**kept, **{key_of(name, step): value for name, value in fields.items()}}
