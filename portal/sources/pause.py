"""Pauses a source on an administrator's request: no worker takes its jobs until it is resumed.

Stored in the database, so that a pause survives restarts and the loss of Redis. Must not know any job. These functions
do not commit; their callers do.
"""

from datetime import datetime

from sqlalchemy import Select, delete, select

from portal.database import changed_rows, db
from portal.sources.models import SourcePause


def pause(source: str, actor: str, why: str | None, now: datetime) -> bool:
    """Pause a source, and return whether this call did it."""
    if db.session.get(SourcePause, source) is not None:
        return False
    db.session.add(SourcePause(source=source, paused_at=now, paused_by=actor, why=why))
    db.session.flush()
    return True


def resume(source: str) -> bool:
    """Resume a source, and return whether this call did it."""
    return changed_rows(delete(SourcePause).where(SourcePause.source == source)) > 0


def pauses() -> dict[str, SourcePause]:
    """All paused sources by name."""
    return {one.source: one for one in db.session.scalars(select(SourcePause))}


def paused_source_names() -> Select[tuple[str]]:
    """The names of paused sources, as a subquery. Of the table, not of the class: compiling the statement around one of
    a class changes it, and with it where the compiled form of the next statement is looked for."""
    return select(SourcePause.__table__.c.source)
