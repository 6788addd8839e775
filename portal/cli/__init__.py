"""The `flask` commands. They call the same functions as the pages and the sweep; they have no rules of their own."""

from functools import cached_property

from click import Command, Context
from flask import Flask
from flask.cli import AppGroup

from portal.cli.seed_compat import shell


class Commands(AppGroup):
    """Imports the commands when the first is asked for: with Alembic, they would take a quarter of the processor time
    in which each process of the portal starts."""

    @cached_property
    def _ours(self) -> dict[str, Command]:
        from flask_migrate.cli import db as migrations

        from portal.cli import database, doctor, ready, scrape, secrets, seed, sources, users
        from portal.cli.seed_compat import auto_retry_jobs, check_scraping_jobs

        own = (users, scrape, seed, sources, secrets, doctor, ready, database, check_scraping_jobs, auto_retry_jobs)
        commands = [command for module in own for command in module.COMMANDS]
        return {"db": migrations, **{command.name or "": command for command in commands}}

    def list_commands(self, ctx: Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._ours})

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        return super().get_command(ctx, cmd_name) or self._ours.get(cmd_name)


def register(app: Flask) -> None:
    """Register all commands, and the names of `flask shell`, with the application."""
    app.cli = Commands(name=app.name)
    app.shell_context_processor(shell.names)
