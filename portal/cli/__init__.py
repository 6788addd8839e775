"""The `flask` commands. They call the same functions as the pages and the sweep; they have no rules of their own."""

from flask import Flask

from portal.cli import database, doctor, ready, scrape, secrets, seed, sources, users
from portal.cli.seed_compat import auto_retry_jobs, check_scraping_jobs, shell


def register(app: Flask) -> None:
    """Register all commands, and the names of `flask shell`, with the application."""
    own = (users, scrape, seed, sources, secrets, doctor, ready, database)
    for module in (*own, check_scraping_jobs, auto_retry_jobs):
        for command in module.COMMANDS:
            app.cli.add_command(command)
    app.shell_context_processor(shell.names)
