"""The `flask` commands. Each is another door to what the pages and the sweep do; none has rules of its own."""

from flask import Flask

from portal.cli import people, scrape


def register(app: Flask) -> None:
    """Bind all commands to the application."""
    for room in (people, scrape):
        for command in room.COMMANDS:
            app.cli.add_command(command)
