"""The one handle of the database, and the base of all tables. It must not know any table."""

from typing import TYPE_CHECKING, Any

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every table. It names constraints, so that migrations can refer to them."""


Base.metadata.naming_convention = NAMING


class PortalSession(FlaskSession):
    """The session of a request, a task or a command. While `reader` is set, its transactions begin on that engine and
    so can only read; `only_read` and `allow_writing` set it."""

    reader: Engine | None = None

    def get_bind(self, mapper: Any = None, clause: Any = None, bind: Any = None, **options: Any) -> Engine | Connection:
        return self.reader if self.reader is not None else super().get_bind(mapper, clause, bind, **options)


db = SQLAlchemy(model_class=Base, session_options={"class_": PortalSession})

if TYPE_CHECKING:
    Model = Base  # db.Model is made at run time, where a type checker cannot see it
else:
    Model = db.Model
