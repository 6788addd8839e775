"""`flask --app app source list|test|try|save|forget`: list the sources, test their recipes, look up one number for
real, and keep recipes for machines without a folder.

The output never holds a secret: `portal.sources` has blanked them out.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import phonenumbers
from flask import current_app
from flask.cli import AppGroup
from flask_babel import gettext, ngettext
from sqlalchemy.exc import OperationalError

from portal import sources
from portal.cli.language import in_terminal_language
from portal.cli.terminal import CommandFailed, echo
from portal.clock import utcnow
from portal.jobs.core.spending_tables import NOBODY
from portal.jobs.trials import source_trial
from portal.jobs.words.money import money_words
from portal.jobs.words.statuses import outcome_words, reason_words
from portal.sources import catalogue, exclusions
from portal.sources.catalogue import read_file
from portal.sources.http.source import facts_of
from portal.sources.recipe_store import RecipeStore
from portal.sources.recipes.folder import EXAMPLES, RecipeFile
from portal.sources.recipes.model import Recipe
from portal.sources.recipes.words import difference_words, mistake_words
from portal.sources.selftest import TestResult, run_tests
from portal.sources.trial import Trial, try_number
from portal.sources.words import field_label, sample_words, source_pace, source_title

group = AppGroup("source", help="The sources: list them, test their recipes, try one number.")


@group.command("list", help="List all sources, and what is wrong with a recipe that does not work.")
def list_command() -> None:
    """Exit code 0, even when recipes do not work."""
    with in_terminal_language():
        for name in sources.names():
            parts = (name, source_title(name), source_pace(name))
            echo("  ".join(part for part in parts if part))
        for found in catalogue.recipe_files():
            for line in _why_not(found):
                echo(line)
        echo(gettext("Folder with the recipes: %(folder)s", folder=current_app.config["SOURCES_DIR"]), err=True)


@group.command("test", help="Run the tests of recipes against their saved answers. No request is sent.")
@click.argument("recipe", required=False)
def test_command(recipe: str | None) -> None:
    """RECIPE is a file or a source's name; without it, test the recipes in the folder and the bundled examples. Exit
    code 1 when a test fails."""
    with in_terminal_language():
        failed = sum([_test(path) for path in _paths(recipe)])
        if failed:
            said = ngettext("%(num)s recipe failed its tests.", "%(num)s recipes failed their tests.", failed)
            raise CommandFailed(said)


@group.command("try", help="Look up one number at a source, and show the request and the response.")
@click.argument("name")
@click.argument("number")
def try_command(name: str, number: str) -> None:
    """NAME is a source or a recipe's file. Exit code 1 when there is no answer."""
    with in_terminal_language():
        try:
            parsed = phonenumbers.parse(number, current_app.config["DEFAULT_COUNTRY"])
        except phonenumbers.NumberParseException as error:
            raise CommandFailed(gettext("%(number)s is not a telephone number.", number=number)) from error
        e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        found = _read(_paths(name)[0]) if name != "offline" else None
        if found is None:
            answer = sources.get(name).lookup(e164)
            trial = Trial(e164, answer=answer, reason=answer.reason)
        elif found.recipe is None or not found.usable:
            raise CommandFailed("\n".join(_why_not(found)))
        else:
            trial = _tried(found.recipe, e164)
        _show(trial, name)
        if trial.answer is None or trial.answer.outcome == "failed":
            raise SystemExit(1)


@group.command("save", help="Keep a recipe's text in the database, for machines that have no folder of recipes.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def save_command(file: Path) -> None:
    """FILE is a recipe; one of the same file name is replaced. Exit code 1 when it has a mistake."""
    with in_terminal_language():
        found = read_file(file)
        if found.recipe is None:
            raise CommandFailed("\n".join(_why_not(found)))
        _keep({file.name: found.recipe.text}, ())
        echo(gettext("%(file)s was saved. Machines without a folder of recipes use it within two minutes.",
                     file=file.name))  # fmt: skip


@group.command("forget", help="Delete a recipe's text from the database.")
@click.argument("file")
def forget_command(file: str) -> None:
    """FILE is the recipe's file name, without a folder."""
    with in_terminal_language():
        _keep({}, (file,))
        echo(gettext("%(file)s was deleted from the database.", file=file))


def _tried(recipe: Recipe, number: str) -> Trial:
    """Try a number, which costs money like any lookup: nobody's on the server, where no one is signed in."""
    try:
        return source_trial.paid_for(
            facts_of(recipe), recipe.name, number, NOBODY, lambda: try_number(recipe, number), utcnow()
        )
    except exclusions.ListUnreadable as error:
        raise CommandFailed(str(error)) from error
    except OperationalError as error:
        raise CommandFailed(gettext("the database does not answer.")) from error


def _keep(texts: dict[str, str], gone: Sequence[str]) -> None:
    if not RecipeStore(current_app.config["SQLALCHEMY_DATABASE_URI"]).keep(texts, gone, utcnow()):
        raise CommandFailed(gettext("the database does not answer."))


def _paths(wanted: str | None) -> list[Path]:
    """Return the recipe files that `wanted` names, or all of them. Raises CommandFailed."""
    mine = [found.path for found in catalogue.recipe_files()]
    if wanted is None:
        return [*mine, *sorted(EXAMPLES.glob("*.toml"))]
    if Path(wanted).is_file():
        return [Path(wanted)]
    for found in [*catalogue.recipe_files(), *map(read_file, sorted(EXAMPLES.glob("*.toml")))]:
        if wanted in (found.name, found.path.name):
            return [found.path]
    raise CommandFailed(gettext("The recipe %(recipe)s does not exist.", recipe=wanted))


def _read(path: Path) -> RecipeFile:
    """A recipe's file, or what the database keeps under that name where there is no folder."""
    kept = next((one for one in catalogue.recipe_files() if one.path == path), None)
    return kept if kept is not None and not path.is_file() else read_file(path)


def _test(path: Path) -> bool:
    """Test one recipe and print the result; return whether it failed. A missing secret is not a failure."""
    found = _read(path)
    if found.recipe is None:
        for line in _why_not(found):
            echo(line)
        return True
    proofs = run_tests(found.recipe)
    passed = sum(proof.passed for proof in proofs)
    facts = {"file": path.name, "passed": passed, "total": len(proofs)}
    echo(gettext("%(file)s: %(passed)s of %(total)s tests pass.", **facts))
    for nth, proof in enumerate(proofs, 1):
        for line in _failures(nth, proof):
            echo(line)
    if not proofs:
        echo("  " + gettext("This recipe has no tests yet. Save an answer beside it and add a [[test]]."))
    return passed < len(proofs)


def _failures(nth: int, proof: TestResult) -> list[str]:
    place = gettext("test %(nth)s, %(number)s", nth=nth, number=proof.case.number)
    place += f", {proof.case.place}" if proof.case.place else ""
    return [f"  {place}: {difference_words(one)}" for one in proof.differences]


def _why_not(found: RecipeFile) -> list[str]:
    lines = [mistake_words(mistake) for mistake in found.mistakes]
    for name in found.missing:
        said = gettext(
            "%(file)s: the secret %(name)s is missing. Set it with `flask --app app secret set`, or in secrets.env.",
            file=found.path.name,
            name=name,
        )
        lines.append(said)
    return lines


def _show(trial: Trial, name: str) -> None:
    for exchange in trial.exchanges:
        echo(f"> {exchange.method} {exchange.url}")
        for header, value in exchange.headers:
            echo(f"> {header}: {value}")
        if exchange.body:
            echo(f">\n> {exchange.body}")
        status = exchange.status if exchange.status is not None else gettext("no answer")
        echo(f"< {status}  {exchange.seconds:.2f} s")
        for header, value in exchange.answer_headers:
            echo(f"< {header}: {value}")
        echo(exchange.answer_body + "\n")
    if trial.answer is None:
        echo(reason_words(trial.reason))
        return
    reason = sample_words(trial.why) if trial.why else reason_words(trial.reason)
    echo(" · ".join(filter(None, (trial.number, str(outcome_words(trial.answer.outcome)), reason))))
    if trial.cost:
        echo(gettext("Cost: %(amount)s", amount=money_words(trial.cost, trial.currency)))
    for field, value in trial.answer.fields.items():
        echo(f"  {field_label(field, name)}: {value}")


COMMANDS = [group]
