"""The terminal's language, and what the commands share: the seed's command names and the message for a database error.

It must not know any command.
"""

import copy
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click
from flask import current_app
from flask_babel import force_locale, gettext
from sqlalchemy.exc import SQLAlchemyError

from portal.cli.terminal import CommandFailed
from portal.config import LOCALES


def terminal_language(environ: Mapping[str, str], default: str) -> str:
    """Return the language of the first of LC_ALL, LC_MESSAGES and LANG that is set; `default` if we lack it."""
    chosen = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    language = chosen[:2].lower()
    return language if language in LOCALES else default


@contextmanager
def in_terminal_language() -> Iterator[str]:
    """Print everything inside the block in the terminal's language."""
    language = terminal_language(os.environ, current_app.config["DEFAULT_LOCALE"])
    with force_locale(language):
        yield language


CLI_ACTOR = "system (CLI)"  # the actor on a job's timeline


@contextmanager
def command_output() -> Iterator[None]:
    """Print in the terminal's language, and turn a database error into one sentence and exit code 1."""
    with in_terminal_language():
        try:
            yield
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            said = gettext(
                "There is a problem with the database: %(reason)s. Check DATABASE_URL, and run "
                "`flask --app app db upgrade`.",
                reason=reason.rstrip("."),
            )
            raise CommandFailed(said) from None


def with_seed_spelling(command: click.Command) -> list[click.Command]:
    """Return the command twice: under its own name, and hidden under the seed's spelling with underscores."""
    seeds = copy.copy(command)
    seeds.name, seeds.hidden = (command.name or "").replace("-", "_"), True
    return [command, seeds]
