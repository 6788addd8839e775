"""Commands about people: make one, and print the address that makes the first admin."""

import sys

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import force_locale, gettext

from portal.accounts import AccountError, create_user, make_setup_address
from portal.accounts.errors import PROBLEMS
from portal.cli.language import both_spellings
from portal.clock import utcnow


@click.command("create-user", help="Make a person who can sign in. Asks for the password twice.")
@click.argument("email")
@click.option("--admin", is_flag=True, help="May look after everybody's files.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the standard input.")
@with_appcontext
def create_user_command(email: str, admin: bool, password_stdin: bool) -> None:
    """Make a person; exit code 1 and a sentence when that cannot be."""
    with force_locale(current_app.config["DEFAULT_LOCALE"]):
        if password_stdin:
            password = sys.stdin.readline().rstrip("\r\n")
        else:
            again = gettext("Password again")
            password = click.prompt(gettext("Password"), hide_input=True, confirmation_prompt=again)
        try:
            user = create_user(email, password, admin=admin, now=utcnow())
        except AccountError as error:
            raise click.ClickException(str(PROBLEMS[error.problem])) from error
        if admin:
            click.echo(gettext("%(email)s can sign in now, as an admin.", email=user.email))
        else:
            click.echo(gettext("%(email)s can sign in now.", email=user.email))


@click.command("setup-address", help="Print the one-time address for the first admin; nothing once there is one.")
@with_appcontext
def setup_address_command() -> None:
    """Print the address alone, so that a script can take it. Built from PUBLIC_URL, as every address in a message."""
    token = make_setup_address(utcnow())
    if token:
        click.echo(f"{current_app.config['PUBLIC_URL']}/setup/{token}")


COMMANDS = [*both_spellings(create_user_command), *both_spellings(setup_address_command)]
