"""`flask --app app secret list|set|delete|renew`: the sources' secrets that are kept in the database for all machines.

No command prints a secret.
"""

import sys

import click
from flask import current_app
from flask.cli import AppGroup
from flask_babel import format_datetime, gettext, ngettext

from portal.cli.language import CLI_ACTOR, command_output
from portal.cli.terminal import CommandFailed, echo
from portal.clock import utcnow
from portal.jobs.health.secrets import SecretPlace, secrets_listed
from portal.sources import exclusions, secret_store

group = AppGroup("secret", help="The sources' secrets that are kept for all machines: list, set, delete or renew them.")


def _keys() -> list[str]:
    keys: list[str] = current_app.config["SIGNING_KEYS"]
    return keys


@group.command("list", help="List the secrets that recipes name and those that are kept, without their values.")
def list_command() -> None:
    """One line for each secret."""
    with command_output():
        words = {
            SecretPlace.HERE: gettext("set on this machine"),
            SecretPlace.DATABASE: gettext("kept for all machines"),
            SecretPlace.UNREADABLE: gettext("unreadable: it was saved with another SECRET_KEY"),
            SecretPlace.NOWHERE: gettext("missing"),
        }
        for one in secrets_listed(_keys()):
            since = f"{format_datetime(one.kept.set_at)} {one.kept.set_by}" if one.kept else ""
            echo("  ".join(filter(None, (one.name, words[one.place], since, ", ".join(one.sources)))))


@group.command("set", help="Keep a secret for all machines. Asks for its value.")
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the value from the first line of standard input.")
def set_command(name: str, from_stdin: bool) -> None:
    """Exit code 1 for an empty value."""
    with command_output():
        label = gettext("Value of %(name)s", name=name)
        value = (sys.stdin.readline() if from_stdin else click.prompt(label, hide_input=True)).strip()
        if not value or len(value) > secret_store.LONGEST_VALUE or len(name) > secret_store.LONGEST_NAME:
            raise CommandFailed(gettext("The value is empty, or something is too long. Nothing was saved."))
        secret_store.save(name, value, _keys(), CLI_ACTOR, utcnow())
        echo(gettext("The secret %(name)s was saved. All machines use it within half a minute.", name=name))


@group.command("delete", help="Delete a kept secret.")
@click.argument("name")
def delete_command(name: str) -> None:
    """Exit code 1 when there is none of that name."""
    with command_output():
        if not secret_store.forget(name, CLI_ACTOR, utcnow()):
            raise CommandFailed(gettext("No secret %(name)s is kept.", name=name))
        echo(gettext("The secret %(name)s was deleted.", name=name))


@group.command("renew", help="Encrypt all kept secrets under the present SECRET_KEY, so that an earlier key can go.")
def renew_command() -> None:
    """Exit code 1 when a secret cannot be read with any key."""
    with command_output():
        done, unreadable = secret_store.encrypt_again(_keys())
        exclusions.encrypt_again(_keys())
        echo(ngettext("%(num)s secret was encrypted again.", "%(num)s secrets were encrypted again.", done))
        if unreadable:
            names = ", ".join(unreadable)
            raise CommandFailed(
                gettext("No key can read these secrets: %(names)s. Set them again, or add the key with which they were "
                        "saved to SECRET_KEY_FALLBACKS.", names=names)
            )  # fmt: skip


COMMANDS = [group]
