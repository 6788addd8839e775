"""The journal of commits: triggers in the database that note every answer, and whose the job was when it was committed.

What the finished tables show is not enough: an answer that a late worker overwrote, and that was overwritten once more,
leaves no trace there. SQLite has one writer at a time, so its triggers see what holds at the commit. PostgreSQL's are
deferred: they run at the commit, and see what others have committed meanwhile.
"""

from sqlalchemy import text

from portal.database import db
from tests.support.world import World

_COLUMNS = "kind TEXT, job_id INTEGER, number_no INTEGER, attempt INTEGER, present INTEGER, outcome TEXT"
_INDEX = "CREATE INDEX ix_watched ON watched (job_id, kind)"
_ANSWER = (
    "INSERT INTO watched (kind, job_id, number_no, attempt, present, outcome) VALUES ('answer', NEW.job_id, NEW.no,"
    " NEW.attempt, (SELECT attempt FROM scraping_jobs WHERE id = NEW.job_id), NEW.outcome)"
)
# A job that no worker has must have no lease: only an attempt that lost it would still beat.
_LOOSE = "NEW.lease_until IS NOT NULL AND NEW.status <> 'processing'"
_BEAT = "INSERT INTO watched (kind, job_id, attempt, present) VALUES ('beat', NEW.id, NULL, NEW.attempt)"
_FUNCTION = "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$"
STATEMENTS = {
    "sqlite": (
        f"CREATE TABLE watched (seq INTEGER PRIMARY KEY AUTOINCREMENT, {_COLUMNS})",
        _INDEX,
        "CREATE TRIGGER watch_answers AFTER UPDATE OF outcome ON numbers"
        f" WHEN NEW.outcome <> 'waiting' BEGIN {_ANSWER}; END",
        f"CREATE TRIGGER watch_leases AFTER UPDATE OF lease_until ON scraping_jobs WHEN {_LOOSE} BEGIN {_BEAT}; END",
    ),
    "postgresql": (
        f"CREATE TABLE watched (seq BIGSERIAL PRIMARY KEY, {_COLUMNS})",
        _INDEX,
        _FUNCTION.format(name="watch_answer", body=_ANSWER),
        "CREATE CONSTRAINT TRIGGER watch_answers AFTER UPDATE OF outcome ON numbers DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW WHEN (NEW.outcome <> 'waiting') EXECUTE FUNCTION watch_answer()",
        _FUNCTION.format(name="watch_lease", body=_BEAT),
        "CREATE TRIGGER watch_leases AFTER UPDATE OF lease_until ON scraping_jobs"
        f" FOR EACH ROW WHEN ({_LOOSE}) EXECUTE FUNCTION watch_lease()",
    ),
}


def watch(world: World) -> None:
    """Begin to note."""
    for statement in STATEMENTS[db.engine.dialect.name]:
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
