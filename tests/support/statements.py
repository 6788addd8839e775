"""What a block asks of the database: how much work it is, without a clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import event

from portal.database import db


class Statement(NamedTuple):
    """A statement, and for how many rows of values it was executed."""

    text: str
    rows: int


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """Those that the block executes, in their order."""
    executed: list[Statement] = []

    def note(connection: Any, cursor: Any, text: str, given: Any, context: Any, many: bool) -> None:
        executed.append(Statement(text, len(given) if many else 1))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
