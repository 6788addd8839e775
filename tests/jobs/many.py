"""Thousands of copies, made inside the database, of a job that the real verbs made."""

from typing import Any

from sqlalchemy import insert, literal, select

from portal.database import db
from portal.jobs.models import ScrapingJob


def copies(model: ScrapingJob, count: int, **changes: Any) -> list[int]:
    """Make so many copies of the job, and return their ids. They have no rows of their own, and the metrics have not
    counted their end yet."""
    changes.setdefault("ended_at", None)
    columns = [column for column in ScrapingJob.__table__.columns if column.name != "id"]
    numbers = select(literal(0).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < count - 1))
    values = [literal(changes[column.name], column.type) if column.name in changes else column for column in columns]
    rows = select(*values).select_from(ScrapingJob).join(numbers, literal(True)).where(ScrapingJob.id == model.id)
    before = db.session.scalar(select(ScrapingJob.id).order_by(ScrapingJob.id.desc()).limit(1))
    db.session.execute(insert(ScrapingJob).from_select([column.name for column in columns], rows))
    db.session.commit()
    return list(db.session.scalars(select(ScrapingJob.id).where(ScrapingJob.id > before).order_by(ScrapingJob.id)))
