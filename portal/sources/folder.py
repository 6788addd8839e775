"""The folder of recipes: each TOML file in it is a source that people may choose, unless something is wrong with it.

It is read once, at the start of a process. A recipe with a mistake, or one whose secret is not in the environment, is
listed with the reason (`found`) and offered to nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from redis import Redis

from portal.sources import registry
from portal.sources.filling import masked
from portal.sources.http import HttpSource, facts_of
from portal.sources.recipe import Recipe
from portal.sources.recipe_file import read_recipe
from portal.sources.recipe_table import BadRecipe, Mistake

log = structlog.get_logger(__name__)

EXAMPLES = Path(__file__).with_name("recipes")  # they ship to be read and copied; nobody is offered them


@dataclass(frozen=True)
class Found:
    """One recipe's file. It is `usable` when it has no mistake and all its secrets are there."""

    path: Path
    recipe: Recipe | None = None
    mistakes: tuple[Mistake, ...] = ()
    missing: tuple[str, ...] = ()  # names of secrets that are not in the environment

    @property
    def name(self) -> str:
        return self.recipe.name if self.recipe else self.path.stem

    @property
    def usable(self) -> bool:
        return self.recipe is not None and not self.missing


@dataclass
class _Given:
    """What a process was given for its sources."""

    redis: Redis | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    allow_private: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    found: tuple[Found, ...] = ()


_given = _Given()


def configure(
    redis: Redis | None,
    folder: Path,
    environ: Mapping[str, str],
    allow_private: Sequence[str] = (),
    ports: Sequence[int] = (),
) -> tuple[Found, ...]:
    """Read the folder's recipes and offer the usable ones. What an earlier call offered is taken back.

    `environ` has the secrets; `allow_private` and `ports` are what the server's configuration opens to sources.
    """
    for earlier in _given.found:
        if earlier.usable:
            registry.unregister(earlier.name)
    _given.redis, _given.environ, _given.allow_private, _given.ports = (
        redis,
        environ,
        tuple(allow_private),
        tuple(ports),
    )
    _given.found = _look(folder, environ)
    for one in _given.found:
        if one.recipe is not None and one.usable:
            registry.register(one.name, _maker(one.recipe), facts_of(one.recipe))
        else:
            log.warning(
                "source not usable", file=one.path.name, missing=list(one.missing),
                mistakes=[f"{m.line} {m.key} {m.code}" for m in one.mistakes],
            )  # fmt: skip
    return _given.found


def found() -> tuple[Found, ...]:
    """All recipes of the folder, those that cannot be used among them."""
    return _given.found


def without_secrets(text: str) -> str:
    """A text in which the secrets of all recipes are blanked out."""
    names = {name for one in _given.found if one.recipe is not None for name in one.recipe.secrets}
    return masked(text, [value for name in names if (value := _given.environ.get(name, "").strip())])


def make(recipe: Recipe, **parts: object) -> HttpSource:
    """A source of a recipe with what this process was given; `parts` are other parts for HttpSource."""
    return HttpSource(
        recipe, _given.environ, _given.redis, _given.allow_private, _given.ports, **parts  # type: ignore[arg-type]
    )  # fmt: skip


def look_at(path: Path, environ: Mapping[str, str] | None = None) -> Found:
    """One recipe's file."""
    environ = _given.environ if environ is None else environ
    try:
        recipe = read_recipe(path)
    except BadRecipe as error:
        return Found(path, mistakes=error.mistakes)
    return Found(path, recipe, missing=tuple(name for name in recipe.secrets if not environ.get(name, "").strip()))


def _look(folder: Path, environ: Mapping[str, str]) -> tuple[Found, ...]:
    seen: dict[str, Found] = {}
    every = []
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        one = look_at(path, environ)
        if one.recipe is not None and one.name in seen:
            one = Found(path, mistakes=(Mistake(path.name, "name", 1, "name_taken"),))
        seen.setdefault(one.name, one)
        every.append(one)
    return tuple(every)


def _maker(recipe: Recipe) -> registry.Maker:
    return lambda: make(recipe)
