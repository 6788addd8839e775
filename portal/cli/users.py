"""The commands for users: create one, and print the link that creates the first administrator."""

import sys

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import gettext

from portal.accounts import AccountError, create_user, make_setup_link
from portal.accounts.errors import PROBLEMS
from portal.accounts.two_step import reset_from_terminal
from portal.cli.language import CLI_ACTOR, command_output, with_seed_spelling
from portal.cli.terminal import CommandFailed, echo
from portal.clock import utcnow
from portal.notices.password_mails import announce_two_step


@click.command("create-user", help="Create a user. Asks for the password twice.")
@click.argument("email")
@click.option("--admin", is_flag=True, help="Make the user an administrator, who can manage all files.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@with_appcontext
def create_user_command(email: str, admin: bool, password_stdin: bool) -> None:
    """Create a user. Exit code 1 and a sentence when that fails."""
    with command_output():
        if password_stdin:
            password = sys.stdin.readline().rstrip("\r\n")
        else:
            again = gettext("Password again")
            password = click.prompt(gettext("Password"), hide_input=True, confirmation_prompt=again)
        try:
            user = create_user(email, password, admin=admin, by=CLI_ACTOR, now=utcnow())
        except AccountError as error:
            raise CommandFailed(str(PROBLEMS[error.problem])) from error
        if admin:
            echo(gettext("%(email)s can now sign in, as an administrator.", email=user.email))
        else:
            echo(gettext("%(email)s can now sign in.", email=user.email))


@click.command("setup-address", help="Print the one-time link for the first administrator; nothing once there is one.")
@with_appcontext
def setup_address_command() -> None:
    """Print only the link, so that a script can use it. It begins with PUBLIC_URL, as all links in messages do."""
    with command_output():
        token = make_setup_link(utcnow())
    if token:
        echo(f"{current_app.config['PUBLIC_URL']}/setup/{token}")


@click.command("reset-two-step", help="Switch a user's two-step sign-in off, after a lost telephone.")
@click.argument("email")
@with_appcontext
def reset_two_step_command(email: str) -> None:
    """Switch it off. Exit code 1 and a sentence when there is no such user or it was not on."""
    with command_output():
        if not reset_from_terminal(email, CLI_ACTOR, utcnow(), announce_two_step):
            raise CommandFailed(gettext("No user with this email address has two-step sign-in switched on."))
        echo(gettext("Two-step sign-in is off. The next sign-in asks only for the password."))


COMMANDS = [
    *with_seed_spelling(create_user_command),
    *with_seed_spelling(setup_address_command),
    reset_two_step_command,
]
