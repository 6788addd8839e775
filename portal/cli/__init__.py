"""The `flask` commands. Each is another door to what the pages and the sweep do; none has rules of its own."""

from flask import Flask

from portal.cli import doctor, scrape, seed, sources, users
from portal.cli.seed_compat import auto_retry_jobs, check_scraping_jobs, shell


def register(app: Flask) -> None:
    """Bind all commands to the application."""
    for room in (users, scrape, check_scraping_jobs, auto_retry_jobs, seed, sources, doctor):
        for command in room.COMMANDS:
            app.cli.add_command(command)
    app.shell_context_processor(shell.names)
