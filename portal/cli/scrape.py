"""`flask --app app scrape FILE -o OUT`: runs the same job as the pages in this process, with a progress bar.

It has no rules of its own: `documents` reads the file and `jobs` does the work. Run again, it continues.
"""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import format_datetime, format_decimal, gettext
from flask_migrate import upgrade
from sqlalchemy import inspect, select

from portal.accounts import User
from portal.cli.ctrl_c import Interrupt
from portal.cli.language import command_output
from portal.cli.scrape_options import choice_of, columns_for
from portal.cli.scrape_sources import next_sources, then_options
from portal.cli.terminal import CommandFailed, echo
from portal.clock import utcnow
from portal.database import db
from portal.documents import intake
from portal.documents.choice import SheetChoice
from portal.documents.models import Document, Reading
from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.parent import ReadingFailed
from portal.documents.storage import Storage, StorageAway, TooManyBytes
from portal.documents.words import problem_words
from portal.jobs import commands, run_in_terminal
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core import steps
from portal.jobs.core.step_tables import NextSource
from portal.jobs.export import OF_ENDING, ColumnChoice, NotTheirFormat, write_export
from portal.jobs.models import ScrapingJob, backoff
from portal.jobs.words.statuses import cannot_start_words, reason_words

_ALWAYS_WRITTEN = (".xlsx", ".csv")  # whatever the input is
INTERRUPTED = 130  # a shell's exit code for Ctrl-C


@click.command("scrape", help="Look up every number in a spreadsheet, and write a copy with the answers.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", "out", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="The file to write. Its extension sets the format: .xlsx, .csv, or that of FILE (.ods, .xlsm, .tsv, "
                   ".txt) for a copy of it with the answers.")  # fmt: skip
@click.option("--source", default="offline", show_default=True, help="Where the answers come from.")
@then_options
@click.option(
    "--column",
    "number_columns",
    multiple=True,
    help="A column with numbers: its heading or letter. May be given several times. Default: detected.",
)
@click.option("--sheet", help="The sheet with the numbers. Default: the first visible sheet.")
@click.option(
    "--country",
    help="The country of numbers without a prefix, such as ES. Default: what the file says, else DEFAULT_COUNTRY.",
)
@click.option("--columns", help="The columns to add, such as status,line_type=Kind; or all, or default. Default: those "
              "saved on the pages, else the portal's.")  # fmt: skip
@click.option("--again", is_flag=True, help="Look up all numbers again, even those that have an answer.")
@with_appcontext
def scrape_command(
    file: Path,
    out: Path,
    source: str,
    then: tuple[str, ...],
    then_mode: tuple[str, ...],
    then_cap: tuple[str, ...],
    number_columns: tuple[str, ...],
    sheet: str | None,
    country: str | None,
    columns: str | None,
    again: bool,
) -> None:
    """Exit codes: 0 every row has its answer; 1 not all rows, with the reason; 2 wrong usage; 130 interrupted."""
    with command_output(), _answering_storage(), Interrupt() as interrupt:
        _require_output(file, out)
        further = next_sources(then, then_mode, then_cap)
        _set_up_database()
        user = run_in_terminal.terminal_user(utcnow())
        document = _read(file, user, (country or current_app.config["DEFAULT_COUNTRY"]).upper())
        choice = choice_of(document, sheet, number_columns, country, source)
        added = columns_for(user, steps.names(source, further) or source, columns)
        job = _job_for(document, choice, source, further, user, again=again)
        if not run_in_terminal.is_done(job):
            _look_up(job, interrupt, user)
        _write(job, out, added)
        _print_result(job, out, interrupted=interrupt.is_set())


@contextmanager
def _answering_storage() -> Iterator[None]:
    """Raise CommandFailed when the stored files cannot be reached."""
    try:
        yield
    except StorageAway as error:
        sentence = gettext("The files cannot be reached right now. Run the same command again later.")
        raise CommandFailed(sentence) from error


def _storage() -> Storage:
    storage: Storage = current_app.extensions["storage"]
    return storage


def _require_output(file: Path, out: Path) -> None:
    own = file.suffix.lower()
    others = own.lstrip(".") in OF_ENDING and own not in _ALWAYS_WRITTEN
    if out.suffix.lower() not in (*_ALWAYS_WRITTEN, *([own] if others else [])):
        if others:
            raise click.UsageError(gettext("The output file must end in .xlsx, .csv or %(own)s.", own=own))
        raise click.UsageError(gettext("The output file must end in .xlsx or .csv."))
    if out.resolve() == file.resolve():
        raise click.UsageError(gettext("The output file would overwrite the input file. Choose another name."))
    if not out.parent.is_dir():
        raise click.UsageError(gettext("The folder %(folder)s does not exist.", folder=str(out.parent)))


def _set_up_database() -> None:
    """Create the tables if the portal was never started; an existing database is not migrated."""
    if not inspect(db.engine).has_table("scraping_jobs"):
        echo(gettext("The database is empty. Creating its tables…"), err=True)
        upgrade()


def _read(file: Path, user: User, country: str) -> Document:
    """Return the document with this content: the one read before, or a new one. Raises CommandFailed."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    document = run_in_terminal.known_document(user, digest)
    if document is None or not _storage().exists(document.storage_key):
        document = _store(file, user)
    if document.state == Reading.READING:
        limits = ReadLimits(max_rows=current_app.config["MAX_ROWS"])
        try:
            intake.read_document(document.id, _storage(), limits, utcnow(), country)
        except ReadingFailed as error:
            raise CommandFailed(gettext("We could not read the file just now. Try again.")) from error
        db.session.refresh(document)
    if document.state != Reading.READY:
        raise CommandFailed(problem_words(document.problem or "damaged", document.problem_facts))
    return document


def _store(file: Path, user: User) -> Document:
    limit = current_app.config["MAX_UPLOAD_MB"]
    try:
        with file.open("rb") as content:
            stored = _storage().put(content, max_bytes=limit * 1024 * 1024)
    except TooManyBytes as error:
        raise CommandFailed(gettext("The file is larger than %(limit)s MB.", limit=limit)) from error
    document = Document(
        user_id=user.id, file_name=file.name[:255], storage_key=stored.key, sha256=stored.sha256,
        size_bytes=stored.size_bytes, state=Reading.READING, created_at=utcnow(),
    )  # fmt: skip
    db.session.add(document)
    db.session.commit()
    return document


def _job_for(
    document: Document, choice: SheetChoice, source: str, then: Sequence[NextSource], user: User, *, again: bool
) -> ScrapingJob:
    """Return the job started before, ready to continue, or a new one. Raises CommandFailed."""
    job = run_in_terminal.known_job(user, document, choice, source, then)
    if job is None or (again and run_in_terminal.is_done(job)):
        try:
            return commands.start(document, choice, source, user, utcnow(), push=False, then=then)
        except commands.CannotStart as error:
            raise CommandFailed(cannot_start_words(error.code)) from error
    figures = {"ready": format_decimal(job.processed_numbers), "total": format_decimal(job.total_numbers)}
    if run_in_terminal.is_done(job):
        at = format_datetime(job.completed_at, "short")
        said = gettext("These numbers were looked up on %(at)s. Use --again to look them up again.", at=at)
        echo(said, err=True)
        return job
    echo(gettext("Continuing: %(ready)s of %(total)s numbers are ready.", **figures), err=True)
    run_in_terminal.raise_limits(job, then, user.email, utcnow())
    try:
        run_in_terminal.make_claimable(job, user.email, utcnow())
    except run_in_terminal.JobTaken as error:
        raise CommandFailed(gettext("The portal is working on this file. Run the command again later.")) from error
    except run_in_terminal.SourceNotReady as error:
        at = format_datetime(error.until, "short")
        raise CommandFailed(gettext("The source is busy. Run the command again after %(at)s.", at=at)) from error
    return job


def _look_up(job: ScrapingJob, interrupt: Interrupt, user: User) -> None:
    """Run an attempt in this process, at each of several sources. Ctrl-C pauses the job, so that no worker takes it."""
    label = gettext("Looking up")
    with click.progressbar(length=job.total_numbers, label=label, show_pos=True, file=sys.stderr) as bar:
        bar.update(job.processed_numbers)
        given = Conditions(
            worker=f"terminal@{current_app.config['PORTAL_MACHINE']}"[:80],
            lease_seconds=current_app.config["SCRAPING_LEASE_SECONDS"],
            backoff=backoff(),
            stopped=interrupt.is_set,
            on_saved=partial(_show, bar, job) if job.chain else bar.update,
        )
        step = 0
        while not step or (run_in_terminal.goes_on(job, step) and not interrupt.is_set()):
            step = job.step
            run(job.id, job.attempt, given)
            db.session.refresh(job)
    if interrupt.is_set() and not run_in_terminal.is_done(job):
        run_in_terminal.pause_for_terminal(job, user.email, utcnow())


def _show(bar: Any, job: ScrapingJob, _saved: int) -> None:
    """Show how many numbers are ready, as an answer after which another source is asked makes none."""
    ready = db.session.scalar(select(ScrapingJob.processed_numbers).where(ScrapingJob.id == job.id)) or 0
    db.session.commit()
    bar.update(max(0, ready - bar.pos))


def _write(job: ScrapingJob, out: Path, columns: ColumnChoice) -> None:
    try:
        download = write_export(job, _storage(), out, columns=columns)
    except NotTheirFormat as error:
        raise CommandFailed(
            gettext("This workbook cannot be changed. Choose an output file that ends in .xlsx.")
        ) from error
    if download.is_replacement:
        echo(gettext("Your workbook cannot be changed: the rows are in a new one."), err=True)


def _print_result(job: ScrapingJob, out: Path, *, interrupted: bool) -> None:
    figures = {"ready": format_decimal(job.processed_numbers), "total": format_decimal(job.total_numbers)}
    if run_in_terminal.is_done(job):
        echo(gettext("%(out)s: all %(total)s numbers are ready.", out=str(out), **figures), err=True)
        return
    echo(gettext("%(out)s: %(ready)s of %(total)s numbers are ready.", out=str(out), **figures), err=True)
    if interrupted:
        echo(gettext("Interrupted. Run the same command again to continue."), err=True)
        raise SystemExit(INTERRUPTED)
    if why := reason_words(job.last_error or job.wait_cause):
        echo(why, err=True)
    echo(gettext("Run the same command again to look up the remaining rows."), err=True)
    raise SystemExit(1)


COMMANDS = [scrape_command]
