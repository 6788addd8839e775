"""`flask --app app seed`: creates example users, files and jobs, for a portal that is not in use yet."""

import secrets
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import gettext
from sqlalchemy import select

from portal.accounts import User, create_user
from portal.cli.language import command_output
from portal.cli.seed_examples import make_examples, sample_rows, upload, workbook
from portal.cli.terminal import CommandFailed, echo
from portal.clock import utcnow
from portal.database import db
from portal.jobs.words.statuses import status_words

ANA, LUIS, ADA = "ana@example.com", "luis@example.com", "ada@example.com"
NOT_A_SPREADSHEET = b"\x89PNG\r\n\x1a\n" + bytes(64)


@click.command("seed", help="Create example users, a sample spreadsheet and a job in every status.")
@click.option("--again", is_flag=True, help="Create another set of files and jobs, even if the examples exist.")
@with_appcontext
def seed_command(again: bool) -> None:
    """Exit code 1 and a sentence when the examples already exist."""
    with command_output():
        now = utcnow()
        if db.session.scalar(select(User.id).where(User.email == ANA)) is not None and not again:
            raise CommandFailed(gettext("The examples already exist. Use --again to create another set."))
        db.session.rollback()
        sample = _write_sample()
        for email in (ADA, ANA, LUIS):
            _print_user(email, _create_user(email))
        ana, luis = _get_user(ANA), _get_user(LUIS)
        for what, job in make_examples(ana, luis, now):
            echo(f"  #{job.id}  {job.file_name}: {status_words(job.status)} ({what})")
        upload(ana, "Sin empezar.xlsx", workbook(sample_rows(45, now.microsecond)), now)
        upload(ana, "foto.xlsx", NOT_A_SPREADSHEET + str(now).encode(), now)
        echo(gettext("A sample spreadsheet to upload: %(path)s", path=str(sample)))


def _create_user(email: str) -> str | None:
    """Create a user and return the password; None when the user already exists."""
    if _find_user(email) is not None:
        return None
    password = secrets.token_urlsafe(12)  # random: a password in the source code is public
    create_user(email, password, admin=email == ADA, now=utcnow())
    return password


def _print_user(email: str, password: str | None) -> None:
    if password is None:
        echo(gettext("%(email)s already exists and keeps the same password.", email=email))
    else:
        echo(gettext("%(email)s can sign in with the password %(password)s", email=email, password=password))


def _find_user(email: str) -> User | None:
    found = db.session.scalar(select(User).where(User.email == email))
    db.session.commit()
    return found


def _get_user(email: str) -> User:
    found = _find_user(email)
    if found is None:
        raise CommandFailed(gettext("The user %(email)s does not exist.", email=email))
    return found


def _write_sample() -> Path:
    path = Path(current_app.config["PORTAL_DATA_DIR"]) / "clientes-de-ejemplo.xlsx"
    path.write_bytes(workbook(sample_rows(250, 1_357_911)))
    return path


COMMANDS = [seed_command]
