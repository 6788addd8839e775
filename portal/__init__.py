"""Masterfilter. `create_app` gives the Flask application.

Each folder is a room, and its docstring says what it holds. Imports run one way: `web`, `cli` and the worker → `jobs` →
`notices` → `accounts`, `documents`, `sources` → `net`. The three know neither each other nor jobs, and notices knows
only accounts of them. The single files here are the ground floor, which every room may import, except `application`,
which puts the rooms together. `runner` starts the processes. `tests/test_architecture.py` checks all of it.
"""

import gc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask


def create_app(settings: dict[str, Any] | None = None) -> "Flask":
    """The application. `settings` is what `config.read_settings` gives; without it, the environment is read.

    Raises SettingError when a setting cannot be used.
    """
    # Nothing that is imported becomes garbage. Looking for it takes a fifth of the processor time of a start and, were
    # it not frozen, as much again at the end of the process.
    looked = gc.isenabled()
    gc.disable()
    try:
        app = _create_app(settings)
        gc.freeze()
        return app
    finally:
        if looked:
            gc.enable()


def _create_app(settings: dict[str, Any] | None) -> "Flask":
    # Imported only now: the guarded child that reads a workbook imports a pure room of this package, and must start
    # in a few hundredths of a second and without Flask.
    from portal.application import build, remember_recipes
    from portal.database import db
    from portal.database_clock import follow_clock

    app = build(settings)
    with app.app_context():
        follow_clock(db.engine)
    remember_recipes(app)
    return app
