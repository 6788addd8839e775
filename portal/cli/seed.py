"""`flask --app app seed`: people, files and jobs to look at, on a portal that nobody uses yet."""

import secrets
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import gettext
from sqlalchemy import select

from portal.accounts import User, create_user
from portal.cli.language import speaking
from portal.cli.seed_examples import make_examples, sample_rows, upload, workbook
from portal.clock import utcnow
from portal.database import db
from portal.jobs.words.statuses import status_words

ANA, LUIS, ADA = "ana@example.com", "luis@example.com", "ada@example.com"
NOT_A_SPREADSHEET = b"\x89PNG\r\n\x1a\n" + bytes(64)


@click.command("seed", help="Make people, a sample spreadsheet and a job in every status, to look at.")
@click.option("--again", is_flag=True, help="Also where this was done before: makes another set of files and jobs.")
@with_appcontext
def seed_command(again: bool) -> None:
    """Exit code 1 and a sentence when it was done before."""
    with speaking():
        now = utcnow()
        if db.session.scalar(select(User.id).where(User.email == ANA)) is not None and not again:
            raise click.ClickException(gettext("The examples are there already. --again makes another set."))
        db.session.rollback()
        sample = _write_sample()
        for email in (ADA, ANA, LUIS):
            _say_person(email, _make_person(email))
        ana, luis = _person(ANA), _person(LUIS)
        for what, job in make_examples(ana, luis, now):
            click.echo(f"  #{job.id}  {job.file_name}: {status_words(job.status)} ({what})")
        upload(ana, "Sin empezar.xlsx", workbook(sample_rows(45, now.microsecond)), now)
        upload(ana, "foto.xlsx", NOT_A_SPREADSHEET + str(now).encode(), now)
        click.echo(gettext("A spreadsheet to upload: %(path)s", path=str(sample)))


def _make_person(email: str) -> str | None:
    """The new person's password, or nothing where there is such a person already."""
    if _person_or_none(email) is not None:
        return None
    password = secrets.token_urlsafe(12)  # drawn: a password that stands in a program is everybody's
    create_user(email, password, admin=email == ADA, now=utcnow())
    return password


def _say_person(email: str, password: str | None) -> None:
    if password is None:
        click.echo(gettext("%(email)s was there already and keeps the password.", email=email))
    else:
        click.echo(gettext("%(email)s can sign in with the password %(password)s", email=email, password=password))


def _person_or_none(email: str) -> User | None:
    found = db.session.scalar(select(User).where(User.email == email))
    db.session.commit()
    return found


def _person(email: str) -> User:
    found = _person_or_none(email)
    if found is None:
        raise click.ClickException(gettext("There is no %(email)s.", email=email))
    return found


def _write_sample() -> Path:
    path = Path(current_app.config["PORTAL_DATA_DIR"]) / "clientes-de-ejemplo.xlsx"
    path.write_bytes(workbook(sample_rows(250, 1_357_911)))
    return path


COMMANDS = [seed_command]
