"""The `flask` commands. Each is another door to what the pages and the sweep do; none has rules of its own."""

from flask import Flask

from portal.cli import check, doctor, people, retrying, scrape, seeding, shell, sources


def register(app: Flask) -> None:
    """Bind all commands to the application."""
    for room in (people, scrape, check, retrying, seeding, sources, doctor):
        for command in room.COMMANDS:
            app.cli.add_command(command)
    app.shell_context_processor(shell.names)
