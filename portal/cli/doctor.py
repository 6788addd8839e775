"""`doctor`: checks everything the portal needs, one line each, and says how to fix what is wrong.

It changes nothing, apart from a file that it writes and removes, and a test email if requested.
"""

import tempfile
from collections.abc import Callable

import click
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import format_decimal, gettext, ngettext
from sqlalchemy.exc import SQLAlchemyError

from portal import sources
from portal.accounts import AccountError
from portal.accounts.users import clean_email
from portal.cli.language import in_terminal_language
from portal.cli.terminal import echo
from portal.clock import skew_seconds, utcnow
from portal.database import db
from portal.database_clock import measure_clock
from portal.documents.reader import sandbox
from portal.documents.words import GB
from portal.jobs.health import processes
from portal.jobs.health.checks import SKEW_SECONDS, HealthState, finding
from portal.notices.email.smtp import answer_of, check_login, send_test
from portal.notices.errors import DeliveryFailed
from portal.sources import catalogue

OTHERS = 0o077  # the permissions of everybody but the owner


class CheckFailed(Exception):
    """A check failed; the message says what is wrong and how to fix it."""


@click.command(
    "doctor", help="Check everything the portal needs, and say how to fix it. Exit code 1 if anything is wrong."
)
@click.option("--mail-to", metavar="ADDRESS", default="", help="Also send a test email to this address.")
@with_appcontext
def doctor_command(mail_to: str) -> None:
    """Print one line for each check, with ✓ or ✗. Exit code 1 when a check fails."""
    with in_terminal_language():
        failures = 0
        for name, check in _checks(mail_to).items():
            try:
                echo(f"✓ {name}: {check()}")
            except CheckFailed as failure:
                failures += 1
                echo(f"✗ {name}: {failure}")
        if failures:
            raise click.exceptions.Exit(1)


def _checks(mail_to: str) -> dict[str, Callable[[], str]]:
    return {
        gettext("Database"): _database,
        gettext("Migrations"): _migrations,
        gettext("Clock"): _clock,
        "Redis": _redis,
        gettext("Storage"): _storage,
        gettext("Disk"): _disk,
        gettext("Reading of files"): _confinement,
        gettext("Sources"): _sources,
        gettext("Workers"): _workers,
        gettext("Maintenance"): _sweep,
        gettext("Messages"): _notices,
        gettext("Email"): lambda: _mail(mail_to),
    }


def _first_line(error: Exception) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else gettext("no answer")


def _database() -> str:
    facts = finding("database", utcnow()).facts
    if facts["size"] is None:
        why = _first_line(facts["error"])
        raise CheckFailed(gettext("it does not answer: %(why)s. Check DATABASE_URL.", why=why))
    return gettext("it answers (%(kind)s).", kind=db.engine.dialect.name)


def _tables() -> str | None:
    """Return the revision of the database's tables; None when there are none."""
    try:
        with db.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        raise CheckFailed(gettext("the database does not answer.")) from error


def _unread() -> CheckFailed:
    """Return why a table cannot be read: the database does not answer, or its tables are out of date."""
    _tables()
    return CheckFailed(gettext("the tables are missing or out of date; see Migrations."))


def _migrations() -> str:
    remedy = gettext("Run `flask --app app db upgrade`.")
    newest = ScriptDirectory.from_config(current_app.extensions["migrate"].migrate.get_config()).get_current_head()
    present = _tables()
    if present is None:
        sentence = gettext("the database does not have the portal’s tables yet.")
        raise CheckFailed(f"{sentence} {remedy}")
    if present != newest:
        sentence = gettext("the tables are at version %(here)s; the latest is %(newest)s.", here=present, newest=newest)
        raise CheckFailed(f"{sentence} {remedy}")
    return gettext("up to date (%(here)s).", here=present)


def _clock() -> str:
    try:
        with db.engine.connect() as connection:
            measure_clock(connection)
    except SQLAlchemyError as error:
        raise CheckFailed(gettext("the database does not answer.")) from error
    skew = skew_seconds()
    if abs(skew) > SKEW_SECONDS:
        raise CheckFailed(
            gettext("this machine’s clock is off by %(n)s s from the database’s. Set it, or let NTP do it.",
                    n=format_decimal(round(skew)))
        )  # fmt: skip
    return gettext("it agrees with the database’s.")


def _redis() -> str:
    found = finding("redis", utcnow())
    if found.state == HealthState.WELL:
        return gettext("it answers.")
    if policy := found.facts.get("policy"):
        raise CheckFailed(
            gettext("it may delete messages when it is full. Change maxmemory-policy from %(policy)s to noeviction.",
                    policy=policy)
        )  # fmt: skip
    if "refuses" in found.facts:
        raise CheckFailed(gettext("it answers, but refuses to store anything: it is full, or a read-only copy."))
    if current_app.config["EMBEDDED_VALKEY"]:
        raise CheckFailed(gettext("the built-in Valkey is not running. It starts with `make run`."))
    why = _first_line(found.facts["error"])
    raise CheckFailed(gettext("it does not answer: %(why)s. Check REDIS_URL.", why=why))


def _workers() -> str:
    try:
        now = utcnow()
        stuck = processes.hung(now)
        n = sum(processes.is_alive(one, now) for one in processes.workers(now))
    except SQLAlchemyError as error:
        raise _unread() from error
    if stuck:
        busy = ", ".join(f"{one.name} ({one.doing})" for one in stuck)
        raise CheckFailed(gettext("these do not respond: %(names)s. Restart them and check their log.", names=busy))
    return ngettext("%(n)s running.", "%(n)s running.", n, n=format_decimal(n))


def _storage() -> str:
    folder = current_app.config["PORTAL_DATA_DIR"]
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"well")
            file.flush()
    except OSError as error:
        sentence = gettext(
            "cannot write to %(folder)s: %(why)s. Check who owns the folder.", folder=folder, why=error.strerror
        )
        raise CheckFailed(sentence) from error
    if folder.stat().st_mode & OTHERS:
        raise CheckFailed(
            gettext(
                "other users of this machine can read %(folder)s, with everybody’s numbers. "
                "Run `chmod -R go= %(folder)s`.",
                folder=folder,
            )
        )
    try:
        current_app.extensions["storage"].check()
    except OSError as error:
        raise CheckFailed(
            gettext("the stored files cannot be reached: %(why)s. Check STORAGE_URL.", why=error)
        ) from error
    return gettext("%(folder)s is writable.", folder=folder)


def _disk() -> str:
    found = finding("disk", utcnow())
    gigabytes = format_decimal(round(found.facts["free"] / GB, 1))
    if found.state != HealthState.WELL:
        raise CheckFailed(gettext("only %(n)s GB free. Free some space for uploads and results.", n=gigabytes))
    return gettext("%(n)s GB free.", n=gigabytes)


def _confinement() -> str:
    abilities = sandbox.abilities()
    lacking = [name for key, name in (("landlock", "Landlock"), ("seccomp", "seccomp")) if not abilities[key]]
    if not lacking:
        return gettext("the process that reads an upload can open only that file and cannot use the network.")
    return gettext(
        "the process that reads an upload has limits of memory, time and size. This machine’s kernel lacks %(names)s, "
        "which would also keep it from other files and from the network. Linux 5.13 or newer has both.",
        names=", ".join(lacking),
    )


def _sources() -> str:
    broken = [one.path.name for one in catalogue.recipe_files() if not one.usable]
    if broken:
        listed = ", ".join(broken)
        raise CheckFailed(
            gettext("these recipes do not work: %(names)s. Run `flask --app app source test` to see why.", names=listed)
        )
    default = current_app.config["DEFAULT_SOURCE"]
    if default not in sources.names():
        raise CheckFailed(gettext("DEFAULT_SOURCE is %(name)s, but that source does not exist.", name=default))
    return ", ".join(sources.names()) + "."


def _sweep() -> str:
    found = finding("sweep", utcnow())
    if "error" in found.facts:
        raise _unread() from found.facts["error"]
    if found.state != HealthState.WELL:
        raise CheckFailed(
            gettext("it has not run recently. Start the portal, or its scheduler and its maintenance worker.")
        )
    return gettext("it is running.")


def _notices() -> str:
    facts = finding("notices", utcnow()).facts
    if "error" in facts:
        raise _unread() from facts["error"]
    if dead := facts["undelivered"]:
        raise CheckFailed(
            gettext("%(n)s could not be delivered. See Administration, Messages.", n=format_decimal(dead))
        )
    if refused := facts["refused"]:
        raise CheckFailed(
            gettext(
                "the mail server refused %(n)s addresses. See Administration, Messages, and correct them.",
                n=format_decimal(refused),
            )
        )
    if facts["since"]:
        raise CheckFailed(
            gettext("some have waited too long to be sent. Check the maintenance worker and the mail server.")
        )
    return gettext("all delivered or waiting.")


def _mail(mail_to: str) -> str:
    server = current_app.config["MAIL_SERVER"]
    if not server:
        if mail_to:
            raise CheckFailed(gettext("no test email was sent: MAIL_SERVER is empty."))
        return gettext("MAIL_SERVER is empty, so emails are saved as files in %(folder)s.",
                       folder=current_app.config["PORTAL_DATA_DIR"] / "mail")  # fmt: skip
    where = f"{server}:{current_app.config['MAIL_PORT']}"
    try:
        check_login()
        if mail_to:
            send_test(clean_email(mail_to), utcnow())
    except AccountError as error:
        raise CheckFailed(gettext("%(address)s is not an email address.", address=mail_to)) from error
    except DeliveryFailed as error:
        raise CheckFailed(
            gettext("%(server)s rejected the test email: %(why)s.", server=where, why=error.answer)
        ) from error
    except OSError as error:
        remedy = gettext("Check MAIL_SERVER, MAIL_PORT, MAIL_USE_TLS or MAIL_USE_SSL, MAIL_USERNAME and MAIL_PASSWORD.")
        sentence = gettext("%(server)s does not work: %(why)s.", server=where, why=answer_of(error))
        raise CheckFailed(f"{sentence} {remedy}") from error
    if mail_to:
        return gettext("%(server)s accepted a test email for %(address)s.", server=where, address=mail_to)
    return gettext(
        "%(server)s answers and accepts our login. To send a test email, add --mail-to ADDRESS.", server=where
    )


COMMANDS = [doctor_command]
