"""`flask --app app ready`: what /readyz says, for a machine that serves no pages."""

import time

import click
from flask.cli import with_appcontext

from portal.cli.terminal import echo
from portal.clock import utcnow
from portal.database import db
from portal.jobs.health.checks import parts_missing

LOOK_SECONDS = 0.2


@click.command("ready", help="Print what this machine lacks for its work. Exit code 1 if it is anything.")
@click.option("--wait", "seconds", type=float, default=0.0, help="Wait up to so many seconds until it lacks nothing.")
@with_appcontext
def ready_command(seconds: float) -> None:
    """Print nothing when all is there. The names are those of /readyz."""
    deadline = time.monotonic() + seconds
    while (missing := parts_missing(utcnow())) and time.monotonic() < deadline:
        db.session.remove()  # what the other processes write meanwhile is in the next transaction
        time.sleep(LOOK_SECONDS)
    for part in missing:
        echo(part)
    if missing:
        raise SystemExit(1)


COMMANDS = [ready_command]
