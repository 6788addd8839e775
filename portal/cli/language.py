"""In which language a command speaks: the terminal's, where the portal has it, else the portal's own.

It must not know any command.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import current_app
from flask_babel import force_locale

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
