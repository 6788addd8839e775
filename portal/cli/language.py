"""Which language a command speaks, and what the commands about jobs share: option spellings and "the database is away".

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

from portal.config import LOCALES


def terminal_language(environ: Mapping[str, str], default: str) -> str:
    """The language of the first of LC_ALL, LC_MESSAGES and LANG that is set; `default` when the portal lacks it."""
    chosen = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    language = chosen[:2].lower()
    return language if language in LOCALES else default


@contextmanager
def spoken() -> Iterator[str]:
    """Everything within is said in the terminal's language."""
    language = terminal_language(os.environ, current_app.config["DEFAULT_LOCALE"])
    with force_locale(language):
        yield language


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
