"""`flask --app app scrape FILE -o OUT`: the same job through the same code, in this process, with a progress bar.

It has no rules of its own: what a file is, `documents` knows; what a job does, `jobs`. Run again, it goes on.
"""

import hashlib
import socket
import sys
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import format_datetime, format_decimal, gettext
from flask_migrate import upgrade
from sqlalchemy import inspect

from portal.accounts import User
from portal.cli.ctrl_c import Interrupt
from portal.cli.language import speaking
from portal.cli.scrape_options import chosen
from portal.clock import utcnow
from portal.database import db
from portal.documents import intake
from portal.documents.models import Document, Reading
from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.parent import ReadingFailed
from portal.documents.storage import LocalStorage, TooManyBytes
from portal.documents.words import problem_words
from portal.jobs import commands, terminal_runs
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.export import FileFormat, write_export
from portal.jobs.models import ScrapingJob, backoff
from portal.jobs.words.statuses import cannot_start_words, reason_words

INTERRUPTED = 130  # what a shell calls the end by Ctrl-C


@click.command("scrape", help="Look up every number of a spreadsheet, and write the same file with the answers.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", "out", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="The file to write; its ending, .xlsx or .csv, says which kind.")  # fmt: skip
@click.option("--source", default="offline", show_default=True, help="Where the answers come from.")
@click.option("--column", help="The column with the numbers: its heading, or its letter. Guessed without it.")
@click.option("--sheet", help="The sheet with the numbers. Without it, the first visible one.")
@click.option("--country", help="The country of numbers without +, as in ES. Without it, DEFAULT_COUNTRY.")
@click.option("--again", is_flag=True, help="Look the numbers up anew, although their answers are there already.")
@with_appcontext
def scrape_command(
    file: Path, out: Path, source: str, column: str | None, sheet: str | None, country: str | None, again: bool
) -> None:
    """Exit codes: 0 every row has its answer; 1 not so, with a sentence; 2 wrong use; 130 interrupted."""
    with speaking(), Interrupt() as interrupt:
        _require_output(file, out)
        _set_up_database()
        user = terminal_runs.terminal_user(utcnow())
        country = country or current_app.config["DEFAULT_COUNTRY"]
        document = _read(file, user, country.upper())
        choice = chosen(document, sheet, column, country, source)
        job = _job_for(document, choice, user, again=again)
        if not terminal_runs.is_done(job):
            _look_up(job, interrupt, user)
        write_export(job, _storage(), out)
        _say_how_it_ended(job, out, interrupted=interrupt.is_set())


def _storage() -> LocalStorage:
    storage: LocalStorage = current_app.extensions["storage"]
    return storage


def _require_output(file: Path, out: Path) -> None:
    kinds = [kind.value for kind in FileFormat]
    if out.suffix.lower().lstrip(".") not in kinds:
        raise click.UsageError(gettext("The file to write must end in .xlsx or .csv."))
    if out.resolve() == file.resolve():
        raise click.UsageError(gettext("The file to write would take the place of the one that is read."))
    if not out.parent.is_dir():
        raise click.UsageError(gettext("There is no folder %(folder)s.", folder=str(out.parent)))


def _set_up_database() -> None:
    """A portal that was never started has no tables yet; one that was is left as it is."""
    if not inspect(db.engine).has_table("scraping_jobs"):
        click.echo(gettext("The database is empty: its tables are being made."), err=True)
        upgrade()


def _read(file: Path, user: User, country: str) -> Document:
    """The document of this content: the one that was read before, or a new one. Raises ClickException."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    document = terminal_runs.known_document(user, digest)
    if document is None or not _storage().exists(document.storage_key):
        document = _put_away(file, user)
    if document.state == Reading.READING:
        limits = ReadLimits(max_rows=current_app.config["MAX_ROWS"])
        try:
            intake.read_document(document.id, _storage(), limits, utcnow(), country)
        except ReadingFailed as error:
            raise click.ClickException(gettext("The file could not be read just now. Try again.")) from error
        db.session.refresh(document)
    if document.state != Reading.READY:
        raise click.ClickException(problem_words(document.problem or "damaged", document.problem_facts))
    return document


def _put_away(file: Path, user: User) -> Document:
    limit = current_app.config["MAX_UPLOAD_MB"]
    try:
        with file.open("rb") as content:
            stored = _storage().put(content, max_bytes=limit * 1024 * 1024)
    except TooManyBytes as error:
        raise click.ClickException(gettext("The file has more than %(limit)s MB.", limit=limit)) from error
    document = Document(
        user_id=user.id, file_name=file.name[:255], storage_key=stored.key, sha256=stored.sha256,
        size_bytes=stored.size_bytes, state=Reading.READING, created_at=utcnow(),
    )  # fmt: skip
    db.session.add(document)
    db.session.commit()
    return document


def _job_for(document: Document, choice: commands.Choice, user: User, *, again: bool) -> ScrapingJob:
    """The job that was begun before, ready to go on, or a new one. Raises ClickException."""
    job = terminal_runs.known_job(user, document, choice)
    if job is None or (again and terminal_runs.is_done(job)):
        try:
            return commands.start(document, choice, user, utcnow(), push=False)
        except commands.CannotStart as error:
            raise click.ClickException(cannot_start_words(error.code)) from error
    figures = {"ready": format_decimal(job.processed_numbers), "total": format_decimal(job.total_numbers)}
    if terminal_runs.is_done(job):
        at = format_datetime(job.completed_at, "short")
        said = gettext("This was looked up on %(at)s; the answers are from then. --again asks anew.", at=at)
        click.echo(said, err=True)
        return job
    click.echo(gettext("Going on: %(ready)s of %(total)s rows are ready.", **figures), err=True)
    try:
        terminal_runs.take_up(job, user.email, utcnow())
    except terminal_runs.JobTaken as error:
        raise click.ClickException(gettext("A worker of the portal has this file. Run this again later.")) from error
    except terminal_runs.SourceNotReady as error:
        at = format_datetime(error.until, "short")
        raise click.ClickException(gettext("The source is busy. Run this again after %(at)s.", at=at)) from error
    return job


def _look_up(job: ScrapingJob, interrupt: Interrupt, user: User) -> None:
    """One attempt, in this process."""
    label = gettext("Looking up")
    with click.progressbar(length=job.total_numbers, label=label, show_pos=True, file=sys.stderr) as bar:
        bar.update(job.processed_numbers)
        given = Conditions(
            worker=f"terminal@{socket.gethostname()}"[:80],
            lease_seconds=current_app.config["SCRAPING_LEASE_SECONDS"],
            backoff=backoff(),
            stopped=interrupt.is_set,
            on_saved=bar.update,
        )
        run(job.id, job.attempt, given)
    db.session.refresh(job)
    if interrupt.is_set() and not terminal_runs.is_done(job):
        terminal_runs.put_by(job, user.email, utcnow())


def _say_how_it_ended(job: ScrapingJob, out: Path, *, interrupted: bool) -> None:
    figures = {"ready": format_decimal(job.processed_numbers), "total": format_decimal(job.total_numbers)}
    if terminal_runs.is_done(job):
        click.echo(gettext("%(out)s: all %(total)s rows are ready.", out=str(out), **figures), err=True)
        return
    click.echo(gettext("%(out)s: %(ready)s of %(total)s rows are ready.", out=str(out), **figures), err=True)
    if interrupted:
        click.echo(gettext("Interrupted. Run the same command again to go on."), err=True)
        raise SystemExit(INTERRUPTED)
    if why := reason_words(job.last_error):
        click.echo(why, err=True)
    click.echo(gettext("Run the same command again to look up what is left."), err=True)
    raise SystemExit(1)


COMMANDS = [scrape_command]
