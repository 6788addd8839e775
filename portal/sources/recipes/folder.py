"""The folder of recipes: what each TOML file in it is, and what keeps it from being a source that people may choose.

It reads files and remembers nothing; `offering` does.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from portal.sources.recipes.loader import read_recipe
from portal.sources.recipes.model import Recipe
from portal.sources.recipes.toml_table import BadRecipe, Mistake

EXAMPLES = Path(__file__).with_name("examples")  # they ship to be read and copied; nobody is offered them
FILES_LOOKED_AT = 2000

Stamp = tuple[tuple[str, int, int], ...]  # path, when it was changed and how long it is, of each file


@dataclass(frozen=True)
class RecipeFile:
    """One recipe's file. It is `usable` when it has no mistake and all its secrets are there, or when its last version
    of which that was true is `kept` in its place."""

    path: Path
    recipe: Recipe | None = None
    mistakes: tuple[Mistake, ...] = ()
    missing: tuple[str, ...] = ()  # names of secrets that are not there
    kept: Recipe | None = None

    @property
    def serves(self) -> Recipe | None:
        """What people are offered of it."""
        return self.recipe if self.well else self.kept

    @property
    def name(self) -> str:
        known = self.serves or self.recipe
        return known.name if known else self.path.stem

    @property
    def well(self) -> bool:
        """Whether the file can be used as it stands."""
        return self.recipe is not None and not self.missing

    @property
    def usable(self) -> bool:
        return self.serves is not None


def look_at(path: Path, environ: Mapping[str, str]) -> RecipeFile:
    """One recipe's file. `environ` has the secrets."""
    try:
        recipe = read_recipe(path)
    except BadRecipe as error:
        return RecipeFile(path, mistakes=error.mistakes)
    return RecipeFile(path, recipe, missing=missing(recipe, environ))


def missing(recipe: Recipe, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets of a recipe that are not there."""
    return tuple(name for name in recipe.secrets if not environ.get(name, "").strip())


def look(folder: Path, environ: Mapping[str, str]) -> tuple[RecipeFile, ...]:
    """Every recipe's file of a folder. Of two with one name the second is a mistake."""
    seen: set[str] = set()
    every = []
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        one = look_at(path, environ)
        if one.recipe is not None and one.name in seen:
            one = RecipeFile(path, mistakes=(Mistake(path.name, "name", 1, "name_taken"),))
        if one.recipe is not None:  # one that cannot be read has no name to take
            seen.add(one.name)
        every.append(one)
    return tuple(every)


def stamp(folder: Path, *more: Path) -> Stamp:
    """What changes when a file of the folder changes, or one of `more`: its samples belong to a recipe, too."""
    files = list(more)
    for place, _, names in os.walk(folder):
        files += [Path(place, name) for name in names]
        if len(files) > FILES_LOOKED_AT:
            break
    marks = []
    for path in sorted(files):
        try:
            facts = path.stat()
        except OSError:  # gone meanwhile, or never there
            continue
        marks.append((str(path), facts.st_mtime_ns, facts.st_size))
    return tuple(marks)


def read_secrets(path: Path) -> dict[str, str]:
    """The secrets of a file of NAME=value lines; none when there is no such file. Raises OSError and ValueError."""
    if not path.is_file():
        return {}
    return {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}
