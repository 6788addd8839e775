"""`doctor`: looks at everything the portal needs, one line each, with what to do about what is wrong.

It changes nothing, but for a file that it writes and removes, and the letter that it sends when it is asked to.
"""

import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta

import click
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import format_decimal, gettext
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portal import sources
from portal.accounts import AccountError
from portal.accounts.users import clean_email
from portal.cli.language import spoken
from portal.clock import utcnow
from portal.database import db
from portal.jobs import queries
from portal.notices.email.smtp import answer_of, check_login, send_test
from portal.notices.errors import DeliveryFailed
from portal.notices.log import undelivered_count
from portal.sources import catalogue

LOW_DISK_BYTES = 1024**3


class CheckFailed(Exception):
    """Something is not as it should be; the text says what, and what to do."""


@click.command(
    "doctor", help="Look at everything the portal needs, and say what to do. Exit code 1 when anything is wrong."
)
@click.option("--mail-to", metavar="ADDRESS", default="", help="Also send a test letter to this address.")
@with_appcontext
def doctor_command(mail_to: str) -> None:
    """One line for each thing, with ✓ or ✗."""
    with spoken():
        ill = 0
        for name, look in _looks(mail_to).items():
            try:
                click.echo(f"✓ {name}: {look()}")
            except CheckFailed as found:
                ill += 1
                click.echo(f"✗ {name}: {found}")
        if ill:
            raise click.exceptions.Exit(1)


def _looks(mail_to: str) -> dict[str, Callable[[], str]]:
    return {
        gettext("Database"): _database,
        gettext("Migrations"): _migrations,
        "Redis": _redis,
        gettext("Storage"): _storage,
        gettext("Disk"): _disk,
        gettext("Sources"): _sources,
        gettext("Sweep"): _sweep,
        gettext("Notices"): _notices,
        gettext("E-mail"): lambda: _mail(mail_to),
    }


def _first_line(error: Exception) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else gettext("no answer")


def _database() -> str:
    try:
        with db.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        raise CheckFailed(
            gettext("it does not answer: %(why)s. Check DATABASE_URL.", why=_first_line(error))
        ) from error
    return gettext("it answers (%(kind)s).", kind=db.engine.dialect.name)


def _tables() -> str | None:
    """The revision that the database's tables are at; None while there are none."""
    try:
        with db.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        raise CheckFailed(gettext("the database does not answer.")) from error


def _unread() -> CheckFailed:
    """Why a table could not be read: a database without the newest tables is not one that is away."""
    db.session.rollback()  # on SQLite, what failed still keeps everybody else waiting
    _tables()
    return CheckFailed(gettext("the tables are missing or not up to date; see Migrations."))


def _migrations() -> str:
    remedy = gettext("Run `flask --app app db upgrade`.")
    newest = ScriptDirectory(current_app.extensions["migrate"].directory).get_current_head()
    present = _tables()
    if present is None:
        sentence = gettext("the database has no tables of the portal yet.")
        raise CheckFailed(f"{sentence} {remedy}")
    if present != newest:
        sentence = gettext("the tables are at %(here)s, the newest is %(newest)s.", here=present, newest=newest)
        raise CheckFailed(f"{sentence} {remedy}")
    return gettext("up to date (%(here)s).", here=present)


def _redis() -> str:
    try:
        with Redis.from_url(current_app.config["REDIS_URL"], socket_timeout=3, socket_connect_timeout=3) as redis:
            redis.ping()
    except (RedisError, OSError) as error:
        if current_app.config["EMBEDDED_VALKEY"]:
            raise CheckFailed(gettext("the portal’s own Valkey does not run. It starts with `make run`.")) from error
        raise CheckFailed(gettext("it does not answer: %(why)s. Check REDIS_URL.", why=_first_line(error))) from error
    return gettext("it answers.")


def _storage() -> str:
    folder = current_app.config["PORTAL_DATA_DIR"]
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"well")
            file.flush()
    except OSError as error:
        sentence = gettext(
            "nothing can be written into %(folder)s: %(why)s. Check its owner.", folder=folder, why=error.strerror
        )
        raise CheckFailed(sentence) from error
    return gettext("files can be written into %(folder)s.", folder=folder)


def _disk() -> str:
    free = shutil.disk_usage(current_app.config["PORTAL_DATA_DIR"]).free
    gigabytes = format_decimal(round(free / 1024**3, 1))
    if free < LOW_DISK_BYTES:
        raise CheckFailed(gettext("only %(n)s GB are free. Make room: uploads and results need it.", n=gigabytes))
    return gettext("%(n)s GB are free.", n=gigabytes)


def _sources() -> str:
    broken = [one.path.name for one in catalogue.found() if not one.usable]
    if broken:
        listed = ", ".join(broken)
        raise CheckFailed(
            gettext("these recipes cannot be used: %(names)s. `flask --app app source test` says why.", names=listed)
        )
    default = current_app.config["DEFAULT_SOURCE"]
    if default not in sources.names():
        raise CheckFailed(gettext("DEFAULT_SOURCE is %(name)s, and there is no such source.", name=default))
    return ", ".join(sources.names()) + "."


def _sweep() -> str:
    try:
        last = queries.last_sweep(utcnow(), timedelta(minutes=current_app.config["SCRAPING_CHECK_INTERVAL"]))
    except SQLAlchemyError as error:
        raise _unread() from error
    finally:
        db.session.rollback()
    if last.late:
        raise CheckFailed(gettext("it has not run lately. Start the portal, or its scheduler and the sweep’s worker."))
    return gettext("it runs.")


def _notices() -> str:
    try:
        dead = undelivered_count()
    except SQLAlchemyError as error:
        raise _unread() from error
    finally:
        db.session.rollback()
    if dead:
        raise CheckFailed(
            gettext("%(n)s could not be delivered. They stand under Administration, Notices.", n=format_decimal(dead))
        )
    return gettext("none is given up.")


def _mail(mail_to: str) -> str:
    server = current_app.config["MAIL_SERVER"]
    if not server:
        if mail_to:
            raise CheckFailed(gettext("no test letter was sent: MAIL_SERVER is empty."))
        return gettext("MAIL_SERVER is empty, so letters lie as files in %(folder)s.",
                       folder=current_app.config["PORTAL_DATA_DIR"] / "mail")  # fmt: skip
    where = f"{server}:{current_app.config['MAIL_PORT']}"
    try:
        check_login()
        if mail_to:
            send_test(clean_email(mail_to), utcnow())
    except AccountError as error:
        raise CheckFailed(gettext("%(address)s is no e-mail address.", address=mail_to)) from error
    except DeliveryFailed as error:
        raise CheckFailed(
            gettext("%(server)s did not take the test letter: %(why)s.", server=where, why=error.answer)
        ) from error
    except OSError as error:
        remedy = gettext("Check MAIL_SERVER, MAIL_PORT, MAIL_USE_TLS or MAIL_USE_SSL, MAIL_USERNAME and MAIL_PASSWORD.")
        sentence = gettext("%(server)s cannot be used: %(why)s.", server=where, why=answer_of(error))
        raise CheckFailed(f"{sentence} {remedy}") from error
    if mail_to:
        return gettext("%(server)s took a test letter for %(address)s.", server=where, address=mail_to)
    return gettext("%(server)s answers and lets us in. Add --mail-to ADDRESS to send a test letter.", server=where)


COMMANDS = [doctor_command]
