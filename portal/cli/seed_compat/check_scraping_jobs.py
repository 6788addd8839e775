"""`check-scraping-jobs`: the seed's report of late and failed jobs, which the sweep's own steps repair.

The dry run only calls the sweep's queries, so it changes nothing. The statistics do not count deleted jobs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import gettext, ngettext, pgettext

from portal.cli.language import CLI_ACTOR, command_output, with_seed_spelling
from portal.cli.seed_compat.job_lines import JobLine, RedisQueue, copied, moved
from portal.cli.terminal import echo
from portal.clock import utcnow
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.status_counts import count_by_status
from portal.jobs.sweep import overdue, steps

# Two of the signs are drawn one column narrower than terminals assume, so two spaces follow them, as in the seed.
SIGNS = {
    Status.PENDING: "📊 ", Status.PROCESSING: "⚙️  ", Status.COMPLETED: "✅ ", Status.FAILED: "❌ ",
    Status.TIMEOUT: "⏱️  ", Status.RETRYING: "🔄 ", Status.CANCELLED: "🚫 ",
}  # fmt: skip
LINE = "━" * 20


def print_statistics() -> None:
    """Print one line for each status, and the total."""
    names = {
        Status.PENDING: pgettext("how many jobs", "Pending:"),
        Status.PROCESSING: pgettext("how many jobs", "Processing:"),
        Status.COMPLETED: pgettext("how many jobs", "Completed:"),
        Status.FAILED: pgettext("how many jobs", "Failed:"),
        Status.TIMEOUT: pgettext("how many jobs", "Timeout:"),
        Status.RETRYING: pgettext("how many jobs", "Retrying:"),
        Status.CANCELLED: pgettext("how many jobs", "Cancelled:"),
    }
    total = pgettext("how many jobs", "Total:")
    counted = count_by_status()
    width = max(map(len, (*names.values(), total))) + 1
    for status, name in names.items():
        echo(f"  {SIGNS[status]}{name:<{width}}{counted[status]}")
    echo(f"  {LINE}")
    echo(f"  📈 {total:<{width}}{sum(counted.values())}")


RULE = "=" * 70


@click.command(
    "check-scraping-jobs", help="Mark jobs without progress as timed out, and print how many jobs have each status."
)
@click.option(
    "--retry-failed", is_flag=True, help="Also retry failed and timed-out jobs now, if they have retries left."
)
@click.option(
    "--timeout-minutes",
    type=click.IntRange(1, 10080),
    help="Minutes without a new row before a job times out, instead of each job's own limit.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")
@with_appcontext
def check_scraping_jobs_command(retry_failed: bool, timeout_minutes: int | None, dry_run: bool) -> None:
    """Exit code 1 and a sentence when the database does not answer; 2 for wrong usage."""
    with command_output():
        title = gettext("Checking scraping jobs...")
        if dry_run:
            title = gettext("Checking scraping jobs (DRY RUN: nothing is changed)...")
        echo(f"{RULE}\n{title}\n{RULE}\n")
        Check(utcnow(), timeout_minutes, dry_run).run(retry_failed)


@dataclass
class Check:
    """One run of the command."""

    now: datetime
    timeout_minutes: int | None
    dry_run: bool
    timed_out: list[JobLine] = field(default_factory=list)
    redis_queue: RedisQueue = field(default_factory=RedisQueue)

    def run(self, retry_failed: bool) -> None:
        self.find_timeouts()
        echo()
        self.retry() if retry_failed else self.print_retryable()
        echo()
        echo(gettext("3. General statistics:"))
        print_statistics()
        echo()
        echo("✓ " + gettext("Check completed"))

    def find_timeouts(self) -> None:
        """Print section 1. Lost jobs come first, as in the sweep: they did not time out, and may not cost a retry."""
        shown = self.timeout_minutes or current_app.config["SCRAPING_TIMEOUT_MINUTES"]
        echo(gettext("1. Checking for timed-out jobs (>%(minutes)s min)...", minutes=shown))
        lost = copied(overdue.lost_jobs(self.now), self.now)
        silent = copied(overdue.silent_jobs(self.now, self.timeout_minutes), self.now)
        if self.dry_run:
            self.timed_out = [line for line in silent if line.id not in {one.id for one in lost}]
        back = 0
        for line in lost if self.dry_run else moved(steps.take_back_lost(self.now, actor=CLI_ACTOR), self.now):
            back += self._print_lost(line)
        late = steps.time_out_silent(self.now, self.timeout_minutes, actor=CLI_ACTOR)
        for line in self.timed_out if self.dry_run else moved(late, self.now):
            self._print_timeout(line, shown)
            if not self.dry_run:
                self.timed_out.append(line)
        if back:
            echo("  → " + ngettext("%(n)s job returned to the queue", "%(n)s jobs returned to the queue",
                                         back, n=back))  # fmt: skip
        n = len(self.timed_out)
        if self.dry_run:
            said = ngettext("%(n)s job would be marked as timeout", "%(n)s jobs would be marked as timeout", n, n=n)
        else:
            said = ngettext("%(n)s job marked as timeout", "%(n)s jobs marked as timeout", n, n=n)
        echo("  → " + said)

    def _print_lost(self, line: JobLine) -> bool:
        said = gettext("Job #%(id)s (%(file)s) - User: %(user)s - Its worker stopped answering",
                       id=line.id, file=line.file_name, user=line.email)  # fmt: skip
        echo(f"  ⚠ {said}")
        returns = line.saved_something or line.retries_left if self.dry_run else line.status == Status.RETRYING
        if returns and not self.dry_run:
            self.redis_queue.send(line.id)
        self._print_done(gettext("Returned to the queue") if returns else gettext("Marked as FAILED"))
        return returns

    def _print_timeout(self, line: JobLine, shown: int) -> None:
        said = gettext("Job #%(id)s (%(file)s) - User: %(user)s - Elapsed time: %(minutes)s min",
                       id=line.id, file=line.file_name, user=line.email, minutes=f"{line.elapsed:.1f}")  # fmt: skip
        if line.silent is not None:
            said += " - " + gettext("%(minutes)s min since the last row", minutes=f"{line.silent:.1f}")
        if self.timeout_minutes is None and line.timeout_minutes != shown:
            said += " - " + gettext("this job's own limit: %(minutes)s min", minutes=line.timeout_minutes)
        echo(f"  ⚠ {said}")
        self._print_done(gettext("Marked as TIMEOUT"))

    def _print_done(self, done: str) -> None:
        echo(f"    → [DRY RUN] {done}" if self.dry_run else f"    → {done}")

    def _due(self) -> list[JobLine]:
        """Return the jobs to retry: those that failed, and those that section 1 marked (in a dry run: would mark)."""
        due = copied(overdue.due_jobs(self.now, at_once=True), self.now)
        marked = [line for line in self.timed_out if not line.paused] if self.dry_run else []
        return [line for line in (*due, *marked) if line.retries_left]

    def print_retryable(self) -> None:
        """Print section 2 without --retry-failed."""
        n = len(self._due())
        said = ngettext(
            "2. Failed jobs: %(n)s job can be retried (with --retry-failed)",
            "2. Failed jobs: %(n)s jobs can be retried (with --retry-failed)", n, n=n,
        )  # fmt: skip
        echo(said)

    def retry(self) -> None:
        """Print section 2 with --retry-failed."""
        echo(gettext("2. Retrying failed jobs..."))
        done = 0
        due = self._due()
        for line in due if self.dry_run else moved(self._retried(), self.now):
            done += 1
            said = gettext("Job #%(id)s (%(file)s) - User: %(user)s - Retry %(n)s/%(max)s", id=line.id,
                           file=line.file_name, user=line.email, n=line.retry_count + self.dry_run,
                           max=line.max_retries)  # fmt: skip
            echo(f"  🔄 {said}")
            sent = self.dry_run or self.redis_queue.send(line.id)
            away = gettext("Without Redis: the sweep will send it")
            self._print_done(gettext("Job sent again successfully") if sent else away)
        if self.dry_run:
            said = ngettext("%(n)s job would be retried", "%(n)s jobs would be retried", done, n=done)
        else:
            said = ngettext("%(n)s job retried", "%(n)s jobs retried", done, n=done)
        echo("  ✓ " + said)
        if len(due) >= overdue.BATCH:
            echo("  → " + gettext("There may be more: run the command again"))

    def _retried(self) -> Iterator[ScrapingJob]:
        return steps.retry_due(self.now, at_once=True, actor=CLI_ACTOR)


COMMANDS = with_seed_spelling(check_scraping_jobs_command)
