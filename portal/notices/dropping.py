"""What was to be told and is not true any more is left out, when nobody has been told of it yet."""

from datetime import datetime

from sqlalchemy import update

from portal.database import changed_rows
from portal.notices.models import Delivery, Notice


def drop_held(job_id: int, kind: str, now: datetime) -> int:
    """Drop the notices of this job and kind that a burst still holds back; how many. Does not commit. One that a
    sender has taken, or may take at any moment, is told all the same."""
    held = (
        Notice.job_id == job_id, Notice.kind == kind, Notice.state == Delivery.DUE, Notice.tries == 0,
        Notice.due_at > now,
    )  # fmt: skip
    return changed_rows(update(Notice).where(*held).values(state=Delivery.DROPPED))
