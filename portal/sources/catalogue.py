"""The recipes that people may choose: read when a process starts, and again when a file changes, without a restart.

A recipe with a mistake, or with a secret that is not set, is listed with the reason (`recipe_files`) and not offered,
unless this process knows an earlier good version of it, which then stays in use. Callers call `refresh` before they use
a source; it checks the files at most once a second.
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
from portal.sources.recipes import folder as recipe_folder
from portal.sources.recipes.folder import RecipeFile, Stamp
from portal.sources.recipes.model import Recipe
from portal.sources.recipes.placeholders import masked

log = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0


@dataclass
class _State:
    """What this process was configured with for its sources, and the recipe files that it has read."""

    redis: Redis | None = None
    folder: Path | None = None
    secrets_file: Path | None = None
    allow_private: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)  # of the start of the process
    secrets: Mapping[str, str] = field(default_factory=dict)  # of `secrets_file`
    found: tuple[RecipeFile, ...] = ()
    stamp: Stamp = ()
    checked_at: float = 0.0

    @property
    def all_secrets(self) -> dict[str, str]:
        """Those of the file win, as it is the one that can be changed while the portal runs."""
        return {**self.environ, **self.secrets}


_state = _State()
_lock = threading.Lock()


def configure(
    redis: Redis | None,
    folder: Path,
    environ: Mapping[str, str],
    allow_private: Sequence[str] = (),
    ports: Sequence[int] = (),
    secrets_file: Path | None = None,
) -> tuple[RecipeFile, ...]:
    """Read the folder's recipes, offer the usable ones and return all. What an earlier call offered is withdrawn.

    `environ` has the secrets; `secrets_file`, if given, has more of them. `allow_private` and `ports` are what the
    server's configuration opens to sources.
    """
    global _state
    with _lock:
        for earlier in _state.found:
            if earlier.usable:
                registry.unregister(earlier.name)
        _state = _State(redis, folder, secrets_file, tuple(allow_private), tuple(ports), environ)
        _read(_stamp())
        _state.checked_at = time.monotonic()
    return _state.found


def refresh(clock: Callable[[], float] = time.monotonic) -> bool:
    """Read again what has changed since the last check, and return whether anything had. Never raises."""
    if clock() - _state.checked_at < CHECK_SECONDS or not _lock.acquire(blocking=False):
        return False  # another thread is checking: continue with what is known
    try:
        _state.checked_at = clock()
        stamp = _stamp()
        if stamp == _state.stamp:
            return False
        _read(stamp)
        log.info("recipes were read again", offered=[one.name for one in _state.found if one.usable])
        return True
    except Exception:  # a page or an attempt continues with what is known
        log.exception("recipes could not be read again")
        return False
    finally:
        _lock.release()


def recipe_files() -> tuple[RecipeFile, ...]:
    """All recipe files of the folder, including those that cannot be used."""
    return _state.found


def read_file(path: Path) -> RecipeFile:
    """Read one recipe's file, with the secrets of this process."""
    return recipe_folder.read_file(path, _state.all_secrets)


def make(recipe: Recipe, **parts: object) -> HttpSource:
    """A recipe's source with the configuration of this process. `parts` are more arguments for HttpSource."""
    return HttpSource(
        recipe, _state.all_secrets, _state.redis, _state.allow_private, _state.ports, **parts  # type: ignore[arg-type]
    )  # fmt: skip


def without_secrets(text: str) -> str:
    """A text with the secrets of all recipes masked."""
    known = _state.all_secrets
    names = {name for one in _state.found for recipe in (one.recipe, one.offered) if recipe for name in recipe.secrets}
    return masked(text, [value for name in names if (value := known.get(name, "").strip())])


def _stamp() -> Stamp:
    more = [_state.secrets_file] if _state.secrets_file else []
    return recipe_folder.stamp(_state.folder, *more) if _state.folder else ()


def _read(stamp: Stamp) -> None:
    """Read the folder and offer its recipes. A source that has not changed stays the same object."""
    secrets = _secrets()
    secrets_changed = secrets != _state.secrets
    _state.secrets = secrets
    before = {one.path: one for one in _state.found}
    files = recipe_folder.read_folder(_state.folder, _state.all_secrets) if _state.folder else ()
    taken = {one.name for one in files if one.valid}
    now = []
    for one in files:
        good = before[one.path].offered if one.path in before and not one.valid else None
        if good is not None and good.name not in taken and not recipe_folder.missing_secrets(good, _state.all_secrets):
            one = replace(one, kept=good)
            taken.add(good.name)
        now.append(one)
        if not one.valid:
            log.warning(
                "source not usable", file=one.path.name, missing=list(one.missing), goes_on=one.usable,
                mistakes=[f"{m.line} {m.key} {m.code}" for m in one.mistakes],
            )  # fmt: skip
    # New sources are offered before old ones are withdrawn, so that no reader misses a source that exists.
    offered = {one.name: one.offered for one in _state.found}
    for one in now:
        recipe = one.offered
        if recipe is not None and (offered.get(one.name) != recipe or (secrets_changed and recipe.secrets)):
            registry.register(one.name, _maker(recipe), facts_of(recipe))
    for name in {one.name for one in _state.found if one.usable} - {one.name for one in now if one.usable}:
        registry.unregister(name)
    _state.found, _state.stamp = tuple(now), stamp


def _secrets() -> Mapping[str, str]:
    try:
        return recipe_folder.read_secrets(_state.secrets_file) if _state.secrets_file else {}
    except (OSError, ValueError):
        log.warning("the file of secrets cannot be read; those known go on", file=str(_state.secrets_file))
        return _state.secrets


def _maker(recipe: Recipe) -> registry.Maker:
    return lambda: make(recipe)
