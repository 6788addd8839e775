"""The numbers of an earlier job as they stand in its rows, read in chunks."""

from collections.abc import Iterator

from sqlalchemy import select

from portal.database import chunks
from portal.documents.comparison.row_keys import NumberAt
from portal.jobs.core.job_tables import CellAnswer

CHUNK = 5000  # cells; a row has fewer


def numbers_of(job_id: int) -> Iterator[NumberAt]:
    """Yield the cells of a job's ledger in the order of its rows. A number that was erased is none."""
    cell = CellAnswer
    columns = (cell.row_no, cell.column, cell.e164, cell.text, cell.corrected)
    of_job = select(*columns).where(cell.job_id == job_id)
    for chunk in chunks(of_job, cell.row_no, cell.column, cell.place, size=CHUNK):
        for row_no, column, e164, text, corrected in chunk:
            yield NumberAt(row_no, column, e164, corrected or text)
