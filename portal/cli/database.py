"""`flask --app app db-move`: brings an installation on SQLite over to PostgreSQL."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import gettext, ngettext
from flask_migrate import upgrade
from sqlalchemy import Engine, create_engine, func, inspect, select

from portal.cli.language import command_output
from portal.cli.terminal import CommandFailed, echo
from portal.clock import utcnow
from portal.database import READ_ONLY, db, engine_options
from portal.database_move import MoveRefused, Refusal, move, require_empty
from portal.jobs.health.processes import SILENT_AFTER, WorkerProcess


@click.command("db-move", help="Move everything from SQLite to the empty PostgreSQL database in DATABASE_URL.")
@click.option(
    "--from", "path", type=click.Path(path_type=Path), help="SQLite's file. By default the one in the data folder."
)
@with_appcontext
def move_command(path: Path | None) -> None:
    """Exit code 1 and a sentence when nothing was moved. SQLite's file stays as it is."""
    with command_output():
        path = path or current_app.config["PORTAL_DATA_DIR"] / "masterfilter.db"
        if db.engine.dialect.name != "postgresql":
            raise CommandFailed(gettext("DATABASE_URL is not a PostgreSQL database. Set it to a new, empty one first."))
        if not path.is_file():
            raise CommandFailed(gettext("There is no SQLite database at %(path)s.", path=str(path)))
        with _portal_stopped(current_app.config["PORTAL_DATA_DIR"]):
            source = create_engine(f"sqlite:///{path}", **engine_options("sqlite:"))
            try:
                _move(source)
            except MoveRefused as refused:
                raise CommandFailed(_sentence(refused)) from None
            finally:
                source.dispose()
        echo(gettext("Every row is as it was. The SQLite file stays at %(path)s: keep it as a backup.", path=str(path)))
        echo(gettext("Start the portal again with this DATABASE_URL."))


def _move(source: Engine) -> None:
    if _is_worked_on(source):
        raise CommandFailed(gettext("The portal is running, or was until a moment ago. Stop it, and wait two minutes."))
    require_empty(db.engine)
    upgrade()
    for table, rows in move(source, db.engine, db.metadata.sorted_tables):
        if rows:
            count = ngettext("%(num)d row", "%(num)d rows", rows)
            echo(f"{table}: {count}")


def _is_worked_on(source: Engine) -> bool:
    """Whether a worker process of any machine has reported a moment ago."""
    alive = select(func.count()).where(
        WorkerProcess.ended_at.is_(None), WorkerProcess.seen_at > utcnow() - SILENT_AFTER
    )
    with source.connect().execution_options(**READ_ONLY) as connection:
        return inspect(connection).has_table(WorkerProcess.__tablename__) and bool(connection.scalar(alive))


@contextmanager
def _portal_stopped(data_dir: Path) -> Iterator[None]:
    """Hold the lock that `make run` holds, so that the portal cannot start here meanwhile."""
    lock = os.open(data_dir / "running.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandFailed(gettext("The portal is running here. Stop it first.")) from None
        yield
    finally:
        os.close(lock)


def _sentence(refused: MoveRefused) -> str:
    table = refused.table
    match refused.refusal:
        case Refusal.NOT_EMPTY:
            why = gettext("The PostgreSQL database is not empty (table %(table)s). Create a new one.", table=table)
        case Refusal.OTHER_VERSION:
            why = gettext(
                "The SQLite database is of another version of the portal. Run "
                "`DATABASE_URL= flask --app app db upgrade` first."
            )
        case Refusal.UNKNOWN_TABLE:
            why = gettext("The SQLite database has a table that the portal does not know: %(table)s.", table=table)
        case Refusal.ROW_REFUSED:
            reason = refused.reason.rstrip(".")
            why = gettext("PostgreSQL refused a row of %(table)s: %(reason)s.", table=table, reason=reason)
        case Refusal.DIFFERENT:
            why = gettext("The rows of %(table)s came out different.", table=table)
    nothing = gettext("Nothing was moved.")
    return f"{why} {nothing}"


COMMANDS = [move_command]
