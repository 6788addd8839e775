"""Lists the secrets that recipes name and those that are kept in the database, with where each one comes from here."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from portal.sources import catalogue
from portal.sources.secret_store import KeptFacts, kept


class SecretPlace(StrEnum):
    """Where this machine has a secret from."""

    HERE = "here"  # the environment or secrets.env of this machine
    DATABASE = "database"
    UNREADABLE = "unreadable"  # it is in the database, encrypted under a key that this machine does not have
    NOWHERE = "nowhere"


@dataclass(frozen=True)
class ListedSecret:
    """One secret: its name, the sources whose recipes name it, where it comes from, and what is kept of it."""

    name: str
    sources: tuple[str, ...]
    place: SecretPlace
    kept: KeptFacts | None


def secrets_listed(keys: Sequence[str]) -> list[ListedSecret]:
    """Return all secrets by name; `keys` are those that read the kept ones. No value is among the facts."""
    of_name = {one.name: one for one in kept(keys)}
    users: dict[str, list[str]] = {name: [] for name in of_name}
    for found in catalogue.recipe_files():
        recipe = found.recipe or found.offered
        for name in recipe.secrets if recipe else ():
            if "/" in name:  # a client certificate: a file of each machine, which is set on no page
                continue
            users.setdefault(name, []).append(found.name)
    return [ListedSecret(name, tuple(users[name]), _place(name, of_name.get(name)), of_name.get(name))
            for name in sorted(users)]  # fmt: skip


def _place(name: str, facts: KeptFacts | None) -> SecretPlace:
    if catalogue.has_own_secret(name):
        return SecretPlace.HERE
    if facts is None:
        return SecretPlace.NOWHERE
    return SecretPlace.DATABASE if facts.is_readable else SecretPlace.UNREADABLE
