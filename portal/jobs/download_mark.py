"""The mark of a download: which job it is of, signed with the portal's key, so that nobody can write one of a job.

It says nothing else but the heading of the column with the rows' numbers, where the file has one: people rename it.
"""

from typing import NamedTuple

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer


class Mark(NamedTuple):
    """What a mark says. `row_heading` is empty in a file with all rows."""

    job_id: int
    row_heading: str


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SIGNING_KEYS"], salt="download")


def written_mark(job_id: int, row_heading: str) -> str:
    """The mark as it is written into a file."""
    mark = str(_signer().dumps([job_id, row_heading]))
    return mark if len(mark) <= 200 else str(_signer().dumps([job_id, ""]))


def read_mark(text: str) -> Mark | None:
    """What a mark says; None for one that we did not sign."""
    try:
        job_id, row_heading = _signer().loads(text)
    except (BadSignature, TypeError, ValueError):
        return None
    return Mark(job_id, row_heading) if isinstance(job_id, int) and isinstance(row_heading, str) else None
