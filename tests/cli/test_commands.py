"""What all commands have in common: their language, their answer when the database does not work, and that the
documentation names only what there is."""

import re
from collections.abc import Iterator

import click
import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from portal.config import ROOT
from portal.database import db

FLASKS_OWN = {"db", "routes", "run", "shell"}
RECIPE = "portal/sources/recipes/examples/operator-api.toml"
# Every command of the portal, with arguments that it accepts.
COMMANDS = {
    "auto-retry-jobs": "",
    "check-scraping-jobs": "--retry-failed",
    "create-user": "eva@example.com --password-stdin",
    "db-move": "",
    "doctor": "",
    "ready": "",
    "reset-two-step": "eva@example.com",
    "scrape": "nothing.xlsx -o out.xlsx",
    "secret delete": "KEY",
    "secret list": "",
    "secret renew": "",
    "secret set": "KEY --stdin",
    "seed": "",
    "setup-address": "",
    "source forget": "operator.toml",
    "source list": "",
    "source save": str(ROOT / RECIPE),
    "source test": str(ROOT / RECIPE),
    "source try": "offline 612345678",
}
ASK_THE_DATABASE = COMMANDS.keys() - {"db-move", "ready", "scrape", "source list", "source test", "source try"}
DATABASE = {"en_GB.UTF-8": "database", "es_ES.UTF-8": "base de datos"}
PAGES = ["README.md", "CHANGELOG.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that is not hidden, by its whole name."""
    here = click.Context(group)
    for name in group.list_commands(here):
        command = group.get_command(here, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        elif not command.hidden:
            yield f"{before}{name}", command


def own_commands(app: Flask) -> dict[str, click.Command]:
    """The portal's own."""
    return {name: command for name, command in commands(app.cli) if name.split()[0] not in FLASKS_OWN}


def test_the_list_has_every_command(app: Flask) -> None:
    assert own_commands(app).keys() == COMMANDS.keys()


def test_the_page_on_commands_has_every_command(app: Flask) -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    assert [name for name in own_commands(app) if not re.search(rf"`{name}[` ]", page)] == []


@pytest.mark.parametrize("language", DATABASE)
@pytest.mark.parametrize("name", sorted(ASK_THE_DATABASE))
def test_a_database_without_tables_is_said_in_the_terminals_language(
    app: Flask, runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch, name: str, language: str
) -> None:
    db.drop_all()
    monkeypatch.setenv("LC_ALL", language)
    done = runner.invoke(args=[*name.split(), *COMMANDS[name].split()], input="kettle moss nine\n")
    assert isinstance(done.exception, SystemExit) and done.exit_code == 1, done.output
    assert DATABASE[language] in done.output and "sqlalche.me" not in done.output


def written(page: str) -> list[list[str]]:
    """The words of each `flask --app app …` on a page of the documentation."""
    text = (ROOT / page).read_text()
    found = re.findall(r"flask (?:-e \S+ )?--app\s+app\s+([^`\n>]+)", text) + re.findall(
        r"`flask ((?!db\b|--)[a-z][^`]*)`", text
    )
    return [re.sub(r"[\[\]]", "", line).split() for line in found]


def unknown(line: list[str], known: dict[str, click.Command]) -> list[str]:
    """What of a line is no command, or no option of it."""
    name = " ".join(line[:2]) if " ".join(line[:2]) in known else line[0]
    if name in FLASKS_OWN or any(one.startswith(f"{name} ") for one in known) and len(line) == 1:
        return []
    if name not in known:
        return [" ".join(line)]
    options = {option for parameter in known[name].params for option in (*parameter.opts, "--help")}
    return [f"{name} {word}" for word in line if word.startswith("-") and word.rstrip(",.") not in options]


@pytest.mark.parametrize("page", PAGES)
def test_the_documentation_names_only_commands_that_there_are(app: Flask, page: str) -> None:
    known = own_commands(app)
    assert [wrong for line in written(page) for wrong in unknown(line, known)] == []


def test_a_command_or_an_option_that_is_gone_is_found(app: Flask) -> None:
    known = own_commands(app)
    assert unknown(["secret", "renew"], known) == unknown(["scrape", "a.xlsx", "-o", "b.xlsx"], known) == []
    assert unknown(["retry-all"], known) == ["retry-all"]
    assert unknown(["doctor", "--mail", "you@example.com"], known) == ["doctor --mail"]
    assert sum(len(written(page)) for page in PAGES) > 20
