"""The Flask extensions, created without an application; `application.build` binds them to it."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask_babel import Babel
from flask_login import LoginManager
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from htmx_flask import Htmx

if TYPE_CHECKING:
    from flask_migrate import Migrate

babel = Babel()
csrf = CSRFProtect()
htmx = Htmx()
login = LoginManager()
mail = Mail()


class Migrations:
    """What Flask-Migrate expects in `app.extensions["migrate"]`. It is imported when a command asks: it brings Alembic,
    which no page and no worker uses."""

    def __init__(self, db: SQLAlchemy, directory: Path) -> None:
        self.db = db
        self.directory = str(directory)
        self.metadata = db.metadata

    @cached_property
    def migrate(self) -> "Migrate":
        from flask_migrate import Migrate

        return Migrate(db=self.db, directory=self.directory)

    @property
    def configure_args(self) -> dict[str, Any]:
        arguments: dict[str, Any] = self.migrate.alembic_ctx_kwargs
        return arguments
