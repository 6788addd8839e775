"""`flask --app app ready`: what /readyz says, for a machine that serves no pages."""

import click
from flask.cli import with_appcontext

from portal.cli.terminal import echo
from portal.clock import utcnow
from portal.jobs.health.checks import parts_missing


@click.command("ready", help="Print what this machine lacks for its work. Exit code 1 if it is anything.")
@with_appcontext
def ready_command() -> None:
    """Print nothing when all is there. The names are those of /readyz."""
    missing = parts_missing(utcnow())
    for part in missing:
        echo(part)
    if missing:
        raise SystemExit(1)


COMMANDS = [ready_command]
