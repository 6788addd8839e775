"""The numbers of an earlier job as they stand in its rows, read in chunks: each has its own short transaction, so that
workers can write in between."""

from collections.abc import Iterator

from sqlalchemy import select

from portal.database import READ_ONLY, db
from portal.documents.comparison.row_keys import NumberAt
from portal.jobs.core.job_tables import CellAnswer

CHUNK = 5000  # cells; a row has fewer


def numbers_of(job_id: int) -> Iterator[NumberAt]:
    """Yield the cells of a job's ledger in the order of its rows. A number that was erased is none."""
    cell = CellAnswer
    columns = (cell.row_no, cell.column, cell.e164, cell.text, cell.corrected)
    after = 0
    with db.engine.connect() as connection:
        connection.execution_options(**READ_ONLY)
        while True:
            chunk = select(*columns).where(cell.job_id == job_id, cell.row_no > after)
            in_order = chunk.order_by(cell.row_no, cell.column, cell.place)
            found = connection.execute(in_order.limit(CHUNK)).all()
            connection.rollback()
            last = found[-1].row_no if len(found) == CHUNK else None
            for row_no, column, e164, text, corrected in found:
                if row_no != last:
                    yield NumberAt(row_no, column, e164, corrected or text)
            if last is None:
                return
            after = last - 1
