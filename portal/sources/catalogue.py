"""Which recipes people may choose: read when a process starts, and again once a file has changed, without a restart.

A recipe with a mistake, or one whose secret is not there, is listed with the reason (`found`) and offered to nobody,
unless this process knows a good version of it from before: that one goes on being used. Whoever is about to ask for a
source calls `refresh`, which looks at the files once a second at most.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog
from redis import Redis

from portal.sources import registry
from portal.sources.http.source import HttpSource, facts_of
from portal.sources.recipes import folder as files
from portal.sources.recipes.folder import RecipeFile, Stamp
from portal.sources.recipes.model import Recipe
from portal.sources.recipes.placeholders import masked

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0


@dataclass
class _Given:
    """What a process was given for its sources, and what it has found with it."""

    redis: Redis | None = None
    folder: Path | None = None
    secrets_file: Path | None = None
    allow_private: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)  # of the start
    secrets: Mapping[str, str] = field(default_factory=dict)  # of the file
    found: tuple[RecipeFile, ...] = ()
    stamp: Stamp = ()
    looked_at: float = 0.0

    @property
    def all_secrets(self) -> dict[str, str]:
        """The file's win: it is the one that can be changed while the portal runs."""
        return {**self.environ, **self.secrets}


_given = _Given()
_reading = threading.Lock()


def configure(
    redis: Redis | None,
    folder: Path,
    environ: Mapping[str, str],
    allow_private: Sequence[str] = (),
    ports: Sequence[int] = (),
    secrets_file: Path | None = None,
) -> tuple[RecipeFile, ...]:
    """Read the folder's recipes and offer the usable ones. What an earlier call offered is taken back.

    `environ` has the secrets, and `secrets_file`, where there is one, has more of them; `allow_private` and `ports` are
    what the server's configuration opens to sources.
    """
    global _given
    with _reading:
        for earlier in _given.found:
            if earlier.usable:
                registry.unregister(earlier.name)
        _given = _Given(redis, folder, secrets_file, tuple(allow_private), tuple(ports), environ)
        _read(_stamp())
        _given.looked_at = time.monotonic()
    return _given.found


def refresh(clock: Callable[[], float] = time.monotonic) -> bool:
    """Read again what has changed since the last look, and say whether anything had. It raises nothing."""
    if clock() - _given.looked_at < LOOK_SECONDS or not _reading.acquire(blocking=False):
        return False  # another thread looks: this one goes on with what is known
    try:
        _given.looked_at = clock()
        stamp = _stamp()
        if stamp == _given.stamp:
            return False
        _read(stamp)
        log.info("recipes were read again", offered=[one.name for one in _given.found if one.usable])
        return True
    except Exception:  # a page or an attempt goes on with what is known
        log.exception("recipes could not be read again")
        return False
    finally:
        _reading.release()


def found() -> tuple[RecipeFile, ...]:
    """All recipes of the folder, those that cannot be used among them."""
    return _given.found


def look_at(path: Path) -> RecipeFile:
    """One recipe's file, with the secrets that this process has."""
    return files.look_at(path, _given.all_secrets)


def make(recipe: Recipe, **parts: object) -> HttpSource:
    """A source of a recipe with what this process was given; `parts` are other parts for HttpSource."""
    return HttpSource(
        recipe, _given.all_secrets, _given.redis, _given.allow_private, _given.ports, **parts  # type: ignore[arg-type]
    )  # fmt: skip


def without_secrets(text: str) -> str:
    """A text in which the secrets of all recipes are blanked out."""
    known = _given.all_secrets
    names = {name for one in _given.found for recipe in (one.recipe, one.serves) if recipe for name in recipe.secrets}
    return masked(text, [value for name in names if (value := known.get(name, "").strip())])


def _stamp() -> Stamp:
    more = [_given.secrets_file] if _given.secrets_file else []
    return files.stamp(_given.folder, *more) if _given.folder else ()


def _read(stamp: Stamp) -> None:
    """Find out what there is, and offer it. A source that has not changed stays the object that it is."""
    secrets = _secrets()
    new_secrets = secrets != _given.secrets
    _given.secrets = secrets
    before = {one.path: one for one in _given.found}
    looked = files.look(_given.folder, _given.all_secrets) if _given.folder else ()
    taken = {one.name for one in looked if one.well}
    now = []
    for one in looked:
        good = before[one.path].serves if one.path in before and not one.well else None
        if good is not None and good.name not in taken and not files.missing(good, _given.all_secrets):
            one = replace(one, kept=good)
            taken.add(good.name)
        now.append(one)
        if not one.well:
            log.warning(
                "source not usable", file=one.path.name, missing=list(one.missing), goes_on=one.usable,
                mistakes=[f"{m.line} {m.key} {m.code}" for m in one.mistakes],
            )  # fmt: skip
    # What is new is offered before what is gone is taken back: no reader finds a source missing that is there.
    served = {one.name: one.serves for one in _given.found}
    for one in now:
        recipe = one.serves
        if recipe is not None and (served.get(one.name) != recipe or (new_secrets and recipe.secrets)):
            registry.register(one.name, _maker(recipe), facts_of(recipe))
    for name in {one.name for one in _given.found if one.usable} - {one.name for one in now if one.usable}:
        registry.unregister(name)
    _given.found, _given.stamp = tuple(now), stamp


def _secrets() -> Mapping[str, str]:
    try:
        return files.read_secrets(_given.secrets_file) if _given.secrets_file else {}
    except (OSError, ValueError):
        log.warning("the file of secrets cannot be read; those known go on", file=str(_given.secrets_file))
        return _given.secrets


def _maker(recipe: Recipe) -> registry.Maker:
    return lambda: make(recipe)
