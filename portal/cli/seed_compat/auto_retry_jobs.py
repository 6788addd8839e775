"""`auto-retry-jobs`: one complete pass of the sweep, with lines for cron's log. It has no steps of its own."""

from collections import defaultdict
from zoneinfo import ZoneInfo

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import gettext, ngettext

from portal.cli.language import CLI_ACTOR, command_output, with_seed_spelling
from portal.cli.seed_compat.job_lines import JobLine, is_sent
from portal.cli.terminal import CommandFailed, echo
from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep.steps import SweepReport, sweep


@click.command("auto-retry-jobs", help="Run the sweep once, for cron: it repairs what is late, lost or due.")
@with_appcontext
def auto_retry_jobs_command() -> None:
    """Exit code 1 and a sentence when the database does not answer or a step failed."""
    with command_output():
        echo(f"[{_stamp()}] " + gettext("Starting the automatic check of the jobs..."))
        now = utcnow()
        seen: dict[str, list[JobLine]] = defaultdict(list)

        def report(step: str, thing: object) -> None:
            # Printed only after the pass: no transaction is open then, and it is known which jobs Redis has.
            if isinstance(thing, ScrapingJob):
                seen[step].append(JobLine.of(thing, now))
                db.session.rollback()

        swept = sweep(now, report=report, actor=CLI_ACTOR)
        _print_jobs(seen)
        echo(f"[{_stamp()}] " + _summary(swept))
        if swept.faults:
            raise CommandFailed(gettext("Not every step could be done. The file logger.log says why."))


def _stamp() -> str:
    zone = ZoneInfo(current_app.config["DEFAULT_TIME_ZONE"])
    return f"{utcnow().astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _print_jobs(seen: dict[str, list[JobLine]]) -> None:
    for line in seen["lost"]:
        said = gettext("Worker lost: Job #%(id)s - %(file)s", id=line.id, file=line.file_name)
        returns = line.status == Status.RETRYING
        echo(f"  ⚠ {said}")
        echo("    → " + (gettext("Returned to the queue") if returns else gettext("Marked as FAILED")))
    for line in seen["timed_out"]:
        echo("  ⚠ " + gettext("Timeout detected: Job #%(id)s - %(file)s", id=line.id, file=line.file_name))
    for line in seen["retried"]:
        said = gettext("Retrying: Job #%(id)s - %(file)s (attempt %(n)s/%(max)s)", id=line.id, file=line.file_name,
                       n=line.retry_count, max=line.max_retries)  # fmt: skip
        echo(f"  🔄 {said}")
        if is_sent(line.id):
            echo("    ✓ " + gettext("Job sent again successfully"))
        else:
            echo("    → " + gettext("Without Redis: the sweep will send it"))


def _summary(swept: SweepReport) -> str:
    """Return the seed's two counts, then the other steps that did something."""
    lost, pushed, documents, notified = swept.lost, swept.pushed, swept.documents, swept.notified
    parts = [
        gettext("Check completed: %(timeouts)s timeouts, %(retries)s retries",
                timeouts=swept.timed_out, retries=swept.retried),
        ngettext("%(n)s taken back from a lost worker", "%(n)s taken back from lost workers", lost, n=lost)
        if lost else "",
        ngettext("%(n)s stopped waiting for its source", "%(n)s stopped waiting for their sources",
                 swept.stopped, n=swept.stopped) if swept.stopped else "",
        ngettext("%(n)s job sent to the queue", "%(n)s jobs sent to the queue", pushed, n=pushed) if pushed else "",
        ngettext("%(n)s file sent to be read", "%(n)s files sent to be read", documents, n=documents)
        if documents else "",
        ngettext("%(n)s notice sent", "%(n)s notices sent", notified, n=notified) if notified else "",
    ]  # fmt: skip
    return ", ".join(part for part in parts if part)


COMMANDS = with_seed_spelling(auto_retry_jobs_command)
