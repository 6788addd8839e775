"""Reads what is too large for one transaction, in chunks."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select
from sqlalchemy.orm import InstrumentedAttribute

from portal.database.handle import db
from portal.database.opening import READ_ONLY


def chunks(
    query: Select[*tuple[Any, ...]], *in_order: InstrumentedAttribute[Any] | ColumnElement[Any], size: int
) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
    """Yield what a query finds in this order, about `size` rows at a time. Its first column, a positive number, is the
    first of the order: rows that have the same one come in one chunk, and must be fewer than `size`.

    Each chunk has a transaction of its own, so that workers can write in between, and no connection is held after it:
    who reads it may stop anywhere.
    """
    first, after = in_order[0], 0
    while True:
        chunk = query.where(first > after).order_by(*in_order).limit(size)
        with db.engine.connect().execution_options(**READ_ONLY) as connection:
            found = connection.execute(chunk).all()
        if len(found) < size:
            yield found
            return
        last = found[-1][0]
        yield [row for row in found if row[0] != last]
        after = last - 1
