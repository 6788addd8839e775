"""The shelf: recipes of providers that ship with the portal. An administrator uses one by giving its keys.

Using one puts its text where this portal's recipes are: into the folder of recipes, or into the database where no
machine has one. It can be changed there as any recipe.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from portal import audit
from portal.database import db
from portal.sources import secret_store
from portal.sources.recipe_store import RecipeStore, note_version
from portal.sources.recipes.folder import SHELF
from portal.sources.recipes.loader import read_recipe
from portal.sources.recipes.model import Recipe, ShelfEntry


@dataclass(frozen=True)
class ShelfRecipe:
    """One provider's recipe on the shelf."""

    recipe: Recipe
    entry: ShelfEntry

    @property
    def name(self) -> str:
        return self.recipe.name


class NotPlaced(Exception):
    """The recipe could not be put where the recipes are: its folder cannot be written, or the database is away."""


@cache
def all_recipes() -> tuple[ShelfRecipe, ...]:
    """Everything on the shelf, by the providers' names."""
    found = [read_recipe(path) for path in SHELF.glob("*.toml")]
    entries = [ShelfRecipe(one, one.shelf) for one in found if one.shelf is not None]
    return tuple(sorted(entries, key=lambda one: one.entry.provider.lower()))


def find(name: str) -> ShelfRecipe | None:
    """The recipe with this name."""
    return next((one for one in all_recipes() if one.name == name), None)


def use(
    one: ShelfRecipe, secrets: Mapping[str, str], keys: Sequence[str], folder: Path, database_url: str, actor: str,
    now: datetime,
) -> None:  # fmt: skip
    """Keep its secrets, encrypted under `keys`, and put it where the recipes are. Commits. Raises NotPlaced, with the
    secrets kept."""
    for name, value in secrets.items():
        secret_store.save(name, value, keys, actor, now)
    place(one, folder, database_url, now, actor)
    audit.note(actor, "source_used", "source", one.name, None, now)
    db.session.commit()


def place(one: ShelfRecipe, folder: Path, database_url: str, now: datetime, actor: str = "") -> None:
    """Put a recipe where this portal's recipes are. One that is there stays as it is. Raises NotPlaced."""
    if not folder.is_dir():
        store = RecipeStore(database_url)
        known = store.texts()
        text = one.recipe.text.partition("[[test]]")[0].rstrip() + "\n"  # the database keeps no samples
        if known is None or (
            one.recipe.path.name not in known and not store.keep({one.recipe.path.name: text}, (), now, actor)
        ):
            raise NotPlaced
        return
    try:
        target = folder / one.recipe.path.name
        if target.exists():
            return
        for sample in sorted(set(re.findall(r'^response = "(samples/[^"]+)"', one.recipe.text, re.MULTILINE))):
            (folder / "samples").mkdir(exist_ok=True)
            (folder / sample).write_bytes((SHELF / sample).read_bytes())
        _write(target, one.recipe.text, actor, now)
    except OSError as error:
        raise NotPlaced from error


def place_text(file: str, text: str, folder: Path, database_url: str, actor: str, now: datetime) -> None:
    """Put a recipe's text where this portal's recipes are, in place of an earlier one, as a version of `actor`.
    Commits. Raises NotPlaced."""
    if not folder.is_dir():
        if not RecipeStore(database_url).keep({file: text}, (), now, actor):
            raise NotPlaced
        return
    try:
        _write(folder / file, text, actor, now)
    except OSError as error:
        raise NotPlaced from error


def _write(target: Path, text: str, actor: str, now: datetime) -> None:
    """Write a recipe's file as a version of `actor`, noted before another process can see it. Commits."""
    half = target.with_suffix(".new")
    half.write_text(text, encoding="utf-8")
    note_version(target.name, text, actor, now)
    half.replace(target)  # the catalogue never reads half a file
