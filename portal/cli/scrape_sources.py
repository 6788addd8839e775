"""The further sources of `scrape`, as its options name them."""

from collections.abc import Callable, Sequence
from typing import Any

import click
from flask_babel import gettext

from portal import sources
from portal.cli.terminal import CommandFailed
from portal.jobs.core.step_tables import NextSource, StepRule
from portal.jobs.words.money import amount_typed
from portal.jobs.words.steps import RULES


def then_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options `--then`, `--then-mode` and `--then-cap`: the fields of the check page's form."""
    options = [
        click.option("--then", multiple=True, metavar="NAME", help="A further source, asked after the ones before it. "
                     "May be given up to three times."),
        click.option("--then-mode", multiple=True, type=click.Choice([str(rule) for rule in RULES]),
                     help="Which numbers the source of each --then, in their order, is asked about: those not found "
                     "before (the default), those not found or without an answer, or all, in columns of their own."),
        click.option("--then-cap", multiple=True, metavar="AMOUNT",
                     help="The most that the source of each --then, in their order, may cost, such as 25.00; an empty "
                     "one (\"\") is no limit."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def next_sources(then: Sequence[str], modes: Sequence[str], caps: Sequence[str]) -> list[NextSource]:
    """Return the further sources that the options name. Raises click.UsageError and CommandFailed."""
    for option, values in (("--then-mode", modes), ("--then-cap", caps)):
        if len(values) > len(then):
            raise click.UsageError(gettext("There are more values of %(option)s than of --then.", option=option))
    found = []
    for place, name in enumerate(then):
        require_source(name)
        rule = StepRule(modes[place]) if place < len(modes) else StepRule.NOT_FOUND
        found.append(NextSource(name, rule, _amount(caps[place]) if place < len(caps) else None))
    return found


def require_source(name: str) -> None:
    """Raise CommandFailed, with the sources that there are, if this is none of them."""
    if name not in sources.names():
        known = ", ".join(sources.names())
        said = gettext("The source %(source)s does not exist. Available: %(known)s", source=name, known=known)
        raise CommandFailed(said)


def _amount(text: str) -> int | None:
    try:
        return amount_typed(text)
    except ValueError:
        raise click.UsageError(gettext("Write the limit as an amount, such as 25.00.")) from None
