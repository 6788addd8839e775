"""What the commands about jobs share: their language, both spellings of a name, and the database being away."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask_babel import gettext
from sqlalchemy.exc import SQLAlchemyError

from portal.cli.language import spoken

BY_COMMAND = "system (CLI)"  # who did it, on a job's timeline


@contextmanager
def speaking() -> Iterator[None]:
    """Speak the terminal's language. A database that does not answer is one sentence and exit code 1."""
    with spoken():
        try:
            yield
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            said = gettext(
                "The database does not answer as it should: %(reason)s. Check DATABASE_URL, and that "
                "`flask --app app db upgrade` has been run.",
                reason=reason.rstrip("."),
            )
            raise click.ClickException(said) from None


def both_spellings(command: click.Command) -> list[click.Command]:
    """A command under its name, and under the seed's with underscores, which the list of commands leaves out."""
    seeds = copy.copy(command)
    seeds.name, seeds.hidden = (command.name or "").replace("-", "_"), True
    return [command, seeds]
