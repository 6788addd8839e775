"""Keeps the sources' secrets in the database, encrypted, for a portal on several machines.

They are encrypted under keys that are derived from SECRET_KEY and its fallbacks, each together with its name, so that
nobody who can write to the table can give one secret another's name. They can be set and deleted, and no page or
command shows one again. A secret in the environment or in a machine's `secrets.env` wins over one that is kept here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import String, Text, delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from portal import audit
from portal.database import READ_ONLY, Model, UtcDateTime, changed_rows, db, reading, upsert
from portal.sources.cipher import Cipher
from portal.sources.recipe_store import RecipeStore

log = structlog.get_logger(__name__)

LONGEST_NAME, LONGEST_VALUE = 100, 10_000  # characters


class KeptSecret(Model):
    """One secret. `token` is what Fernet made of its name and value."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(String(LONGEST_NAME), primary_key=True)
    token: Mapped[str] = mapped_column(Text)
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)
    set_by: Mapped[str] = mapped_column(String(255))


@dataclass(frozen=True)
class KeptFacts:
    """What may be shown of a secret. It is unreadable when it was encrypted under a key that this machine lacks."""

    name: str
    set_at: datetime
    set_by: str
    is_readable: bool


class SecretStore(RecipeStore):
    """The table of one database, read by a process that forks. It never raises when the database is away."""

    def __init__(self, database_url: str, keys: Sequence[str]) -> None:
        super().__init__(database_url)
        self._cipher = Cipher(keys)

    def secrets(self) -> dict[str, str] | None:
        """The kept secrets that this machine's keys can read, by name; None when the database cannot be read now."""
        if not self.is_there():
            return None
        try:
            with self._engine.execution_options(**READ_ONLY).connect() as connection:
                rows = connection.execute(select(KeptSecret.name, KeptSecret.token)).all()
        except SQLAlchemyError:
            return None
        values = {row.name: self._cipher.decrypt(row.name, row.token) for row in rows}
        return {name: value for name, value in values.items() if value is not None}


def save(name: str, value: str, keys: Sequence[str], actor: str, now: datetime) -> None:
    """Keep a secret in place of an earlier one of that name. Commits."""
    row = {"name": name, "token": Cipher(keys).encrypt(name, value), "set_at": now, "set_by": actor}
    db.session.execute(upsert(KeptSecret, ("name",), replace=("token", "set_at", "set_by")), [row])
    audit.note(actor, "secret_set", "source", name, None, now)
    db.session.commit()


def forget(name: str, actor: str, now: datetime) -> bool:
    """Delete a secret, and return whether it was there. Commits."""
    gone = bool(changed_rows(delete(KeptSecret).where(KeptSecret.name == name)))
    if gone:
        audit.note(actor, "secret_deleted", "source", name, None, now)
    db.session.commit()
    return gone


def kept(keys: Sequence[str]) -> list[KeptFacts]:
    """Return what may be shown of all kept secrets, by name."""
    cipher = Cipher(keys)
    with reading() as session:
        rows = list(session.scalars(select(KeptSecret).order_by(KeptSecret.name)))
    return [
        KeptFacts(one.name, one.set_at, one.set_by, cipher.decrypt(one.name, one.token) is not None) for one in rows
    ]


def encrypt_again(keys: Sequence[str]) -> tuple[int, list[str]]:
    """Encrypt all secrets under the present key, so that an earlier one can be dropped. Commits. Returns how many, and
    the names of those that none of the keys can read."""
    cipher, unreadable, done = Cipher(keys), [], 0
    for one in db.session.scalars(select(KeptSecret).order_by(KeptSecret.name).with_for_update()):
        value = cipher.decrypt(one.name, one.token)
        if value is None:
            unreadable.append(one.name)
        else:
            one.token = cipher.encrypt(one.name, value)
            done += 1
    db.session.commit()
    return done, unreadable
