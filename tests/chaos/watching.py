"""The journal of commits: triggers in the database that note every answer in the order in which it was committed.

SQLite has one writer at a time, so the order of the notes is the order of the commits. What the finished tables show
is not enough: an answer that a late worker overwrote, and that was overwritten once more, leaves no trace there.
"""

from sqlalchemy import text

from portal.database import db
from tests.support.world import World

STATEMENTS = (
    "CREATE TABLE watched (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, job_id INTEGER, number_no INTEGER,"
    " attempt INTEGER, present INTEGER, outcome TEXT, at REAL DEFAULT (julianday('now') * 86400))",
    "CREATE INDEX ix_watched ON watched (job_id, kind)",
    "CREATE TRIGGER watch_answers AFTER UPDATE OF outcome ON numbers WHEN NEW.outcome <> 'waiting' BEGIN"
    " INSERT INTO watched (kind, job_id, number_no, attempt, present, outcome) VALUES ('answer', NEW.job_id, NEW.no,"
    " NEW.attempt, (SELECT attempt FROM scraping_jobs WHERE id = NEW.job_id), NEW.outcome); END",
    # A job that no worker has must have no lease: only an attempt that lost it would still beat.
    "CREATE TRIGGER watch_leases AFTER UPDATE OF lease_until ON scraping_jobs"
    " WHEN NEW.lease_until IS NOT NULL AND NEW.status <> 'processing' BEGIN"
    " INSERT INTO watched (kind, job_id, attempt, present) VALUES ('beat', NEW.id, NULL, NEW.attempt); END",
)


def watch(world: World) -> None:
    """Begin to note."""
    for statement in STATEMENTS:
        db.session.execute(text(statement))
    db.session.commit()


def late_answers(world: World) -> int:
    """Answers that an older attempt committed after a newer one had claimed the job."""
    return int(world.query("SELECT count(*) FROM watched WHERE kind = 'answer' AND attempt < present")[0][0])


def late_beats(world: World) -> int:
    """Leases that an attempt renewed when the job was no longer its own."""
    return int(world.query("SELECT count(*) FROM watched WHERE kind = 'beat'")[0][0])


def answered_twice(world: World) -> int:
    """Rows that were given a final answer more than once."""
    return len(
        world.query(
            "SELECT job_id, number_no FROM watched WHERE kind = 'answer' AND outcome <> 'failed'"
            " GROUP BY job_id, number_no HAVING count(*) > 1"
        )
    )
