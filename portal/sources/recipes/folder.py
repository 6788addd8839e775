"""The folder of recipes: reads each TOML file in it and says what, if anything, keeps it from being offered.

Remembers nothing between calls; `catalogue` does.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from portal.sources.recipes.loader import read_recipe, recipe_of
from portal.sources.recipes.model import Recipe
from portal.sources.recipes.placeholders import certificate_name
from portal.sources.recipes.toml_table import BadRecipe, Mistake

EXAMPLES = Path(__file__).with_name("examples")  # shipped to be read and copied, and never offered as sources
SHELF = Path(__file__).with_name("shelf")  # recipes of providers, which an administrator may use as they are
MAX_FILES = 2000

Stamp = tuple[tuple[str, int, int], ...]  # of each file: path, time of change in ns, bytes


@dataclass(frozen=True)
class RecipeFile:
    """One recipe's file. It is `usable` when it has no mistake and all its secrets are set, or when the last version
    that met both conditions is `kept` in its place."""

    path: Path
    recipe: Recipe | None = None
    mistakes: tuple[Mistake, ...] = ()
    missing: tuple[str, ...] = ()  # names of secrets that are not set
    kept: Recipe | None = None

    @property
    def offered(self) -> Recipe | None:
        """The recipe that people are offered."""
        return self.recipe if self.valid else self.kept

    @property
    def name(self) -> str:
        known = self.offered or self.recipe
        return known.name if known else self.path.stem

    @property
    def valid(self) -> bool:
        """Whether the file can be used as it is."""
        return self.recipe is not None and not self.missing

    @property
    def usable(self) -> bool:
        return self.offered is not None


def read_file(path: Path, environ: Mapping[str, str]) -> RecipeFile:
    """Read one recipe's file. `environ` has the secrets."""
    try:
        recipe = read_recipe(path)
    except BadRecipe as error:
        return RecipeFile(path, mistakes=error.mistakes)
    return RecipeFile(path, recipe, missing=missing_secrets(recipe, environ))


def missing_secrets(recipe: Recipe, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names of a recipe's secrets that are not set."""
    return tuple(name for name in recipe.secrets if not environ.get(name, "").strip())


def read_folder(folder: Path, environ: Mapping[str, str]) -> tuple[RecipeFile, ...]:
    """Read all recipes of a folder, in the order of their file names. The second of two with the same source name has a
    mistake."""
    paths = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    return _names_once(read_file(path, environ) for path in paths)


def _names_once(files: Iterable[RecipeFile]) -> tuple[RecipeFile, ...]:
    """The same files; the second of two with the same source name has a mistake."""
    seen: set[str] = set()
    found = []
    for one in files:
        if one.recipe is not None and one.name in seen:
            one = RecipeFile(one.path, mistakes=(Mistake(one.path.name, "name", 1, "name_taken"),))
        if one.recipe is not None:  # a file that cannot be read takes no name
            seen.add(one.name)
        found.append(one)
    return tuple(found)


def stored_files(texts: Mapping[str, str], folder: Path, environ: Mapping[str, str]) -> tuple[RecipeFile, ...]:
    """Recipes whose texts are kept elsewhere, by file name, as if they were files of this folder. No saved answers in
    files are kept, so they have only the tests with an answer of their own. A text that this version of the portal
    refuses has mistakes."""
    return _names_once(_stored_file(folder / name, text, environ) for name, text in sorted(texts.items()))


def _stored_file(path: Path, text: str, environ: Mapping[str, str]) -> RecipeFile:
    try:
        recipe = recipe_of(text, path, tests=False)
    except BadRecipe as error:
        return RecipeFile(path, mistakes=error.mistakes)
    return RecipeFile(path, recipe, missing=missing_secrets(recipe, environ))


def kept_recipe(file: str, text: str, folder: Path, environ: Mapping[str, str]) -> Recipe | None:
    """The recipe in a text that was good once; None when this version of the portal refuses it, or a secret of it is
    not set."""
    try:
        recipe = recipe_of(text, folder / file, tests=False)
    except BadRecipe:
        return None
    return None if missing_secrets(recipe, environ) else recipe


def stamp(folder: Path, *more: Path) -> Stamp:
    """A value that changes with any file in the folder, samples included, or with one of `more`."""
    files = list(more)
    for place, _, names in os.walk(folder):
        files += [Path(place, name) for name in names]
        if len(files) > MAX_FILES:
            break
    marks = []
    for path in sorted(files):
        try:
            facts = path.stat()
        except OSError:  # deleted meanwhile, or never there
            continue
        marks.append((str(path), facts.st_mtime_ns, facts.st_size))
    return tuple(marks)


def certificates(folder: Path | None) -> dict[str, str]:
    """The client certificates in a folder, as secrets: each by its name there, such as `secrets/one.pem`, with its path
    and a mark that changes with the file."""
    if folder is None or not folder.is_dir():
        return {}
    found = {}
    for path in folder.glob("*.pem"):
        with suppress(OSError):  # deleted meanwhile
            found[certificate_name(path.stem)] = f"{path}?{path.stat().st_mtime_ns}"
    return found


def read_secrets(path: Path) -> dict[str, str]:
    """The secrets in a file of NAME=value lines; empty when the file does not exist. Raises OSError and ValueError."""
    if not path.is_file():
        return {}
    return {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}
