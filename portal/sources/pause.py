"""A source that a person has paused: nobody takes up a job of it until somebody resumes it.

It stands in the database, so that it outlives Redis and restarts. It must not know any job. These functions do not
commit; their callers do.
"""

from datetime import datetime

from sqlalchemy import Select, delete, select

from portal.database import changed_rows, db
from portal.sources.models import SourcePause


def pause(source: str, actor: str, why: str | None, now: datetime) -> bool:
    """Pause a source, and say whether this call did it."""
    if db.session.get(SourcePause, source) is not None:
        return False
    db.session.add(SourcePause(source=source, paused_at=now, paused_by=actor, why=why))
    db.session.flush()
    return True


def resume(source: str) -> bool:
    """Let a source go on, and say whether this call did it."""
    return changed_rows(delete(SourcePause).where(SourcePause.source == source)) > 0


def pauses() -> dict[str, SourcePause]:
    """All paused sources by name."""
    return {one.source: one for one in db.session.scalars(select(SourcePause))}


def names_paused() -> Select[tuple[str]]:
    """The names of paused sources, as a part of another question."""
    return select(SourcePause.source)
