"""The one door through which commands print: what a terminal would obey instead of showing is escaped.

A file's name, a recipe or a source's answer may hold control characters that move the cursor, change the colours or
hide what stands before them.
"""

import click

from portal.logs import printable


def echo(text: object = "", *, err: bool = False) -> None:
    """Print a line to standard output, or to standard error."""
    click.echo(printable(str(text)), err=err)


class CommandFailed(click.ClickException):
    """Ends a command with this sentence and exit code 1."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
