"""Writing a notice down, in the transaction of what it tells. A second one with the same key is no error: it is
the same thing told twice, and is left out."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from portal.database import db
from portal.notices.models import Channel, Delivery, Notice


def write(
    dedupe: str,
    kind: str,
    user_id: int | None,
    job_id: int | None,
    facts: dict[str, Any],
    now: datetime,
    channel: Channel = Channel.MAIL,
    due_at: datetime | None = None,
) -> None:
    """Note that a person, or a room, is to be told, now or at `due_at`. Does not commit. The key is made different for
    each channel."""
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    if channel != Channel.MAIL:
        dedupe = f"{dedupe}.{channel}"
    db.session.execute(
        dialect.insert(Notice)
        .values(
            dedupe=dedupe, kind=kind, channel=channel, user_id=user_id, job_id=job_id, facts=facts,
            state=Delivery.DUE, tries=0, created_at=now, due_at=due_at or now,
        )
        .on_conflict_do_nothing(index_elements=["dedupe"])
    )  # fmt: skip
