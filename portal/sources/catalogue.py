"""The recipes that people may choose: read when a process starts, and again when a file changes, without a restart.

A recipe with a mistake, or with a secret that is not set, is listed with the reason (`recipe_files`) and not offered,
unless an earlier good version of it is known, which then stays in use: in this process, or in the database, where the
last good texts are kept. A machine without the folder offers what is there. Secrets come from the environment, the
machine's file and, where neither has them, from the database. Callers call `refresh` before they use a source; it
checks the files at most once a second, and the database more rarely.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from redis import Redis

from portal.causes import REFUSALS
from portal.clock import utcnow
from portal.sources import registry
from portal.sources.catalogue_state import STORE_SECONDS, CatalogueState, Secrets, Store
from portal.sources.cipher import TAKEN, Cipher
from portal.sources.http.source import HttpSource, facts_of
from portal.sources.limits.circuit_breaker import CircuitBreaker
from portal.sources.recipes import folder as recipe_folder
from portal.sources.recipes.folder import RecipeFile, Stamp
from portal.sources.recipes.model import Recipe
from portal.sources.recipes.placeholders import masked, secrets_mark

log = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0
SECRETS_SECONDS = 10.0  # how often it is asked for secrets


_state = CatalogueState()
_lock = threading.Lock()


def configure(
    redis: Redis | None,
    folder: Path,
    environ: Mapping[str, str],
    allow_private: Sequence[str] = (),
    ports: Sequence[int] = (),
    secrets_file: Path | None = None,
    keys: Sequence[str] = (),
    proxy: str = "",
) -> tuple[RecipeFile, ...]:
    """Read the folder's recipes, offer the usable ones and return all. What an earlier call offered is withdrawn.

    `environ` has the secrets; `secrets_file`, if given, has more of them; `keys` encrypt what sources give for a while.
    `allow_private` and `ports` are what the server's configuration opens to sources, and `proxy` is their way out.
    """
    global _state
    with _lock:
        for earlier in _state.found:
            if earlier.usable:
                registry.unregister(earlier.name)
        _state = CatalogueState(
            redis, folder, secrets_file, tuple(allow_private), tuple(ports), proxy, _cipher(keys), environ
        )
        _read(_state.stamp_now())
        _state.checked_at = time.monotonic()
    return _state.found


def remember_in(store: Store, secrets: Secrets | None = None) -> None:
    """Keep the last good texts there from now on, and use what is there for files that are broken or missing; and use
    the secrets that are kept for all machines."""
    with _lock:
        _state.store, _state.secret_store, _state.checked_at = store, secrets, time.monotonic()
        _ask_for_secrets(_state.checked_at)
        _read(_state.stamp)


def refresh(clock: Callable[[], float] = time.monotonic, *, wait: bool = False) -> bool:
    """Read again what has changed since the last check, and return whether anything had. Never raises. Without `wait`
    it leaves that to another thread which is just reading."""
    if clock() - _state.checked_at < CHECK_SECONDS or not _lock.acquire(blocking=wait):
        return False  # another thread is checking: continue with what is known
    try:
        _state.checked_at = clock()
        if _state.bell.has_rung():
            _forget_when_asked()
        stamp = _state.stamp_now()
        kept_secrets = _state.kept_secrets
        if _state.checked_at - _state.secrets_asked_at >= SECRETS_SECONDS:
            _ask_for_secrets(_state.checked_at)
        if stamp == _state.stamp and kept_secrets == _state.kept_secrets and not _state.store_is_due:
            return False
        before, same_files = _state.found, stamp == _state.stamp
        _read(stamp)
        if same_files and _state.found == before:
            return False
        log.info("recipes were read again", offered=[one.name for one in _state.found if one.usable])
        return True
    except Exception:  # a page or an attempt continues with what is known
        log.exception("recipes could not be read again")
        return False
    finally:
        _lock.release()


def ask_again() -> None:
    """Ask the database at the next `refresh`, as something was changed in it."""
    _forget_when_asked()
    _state.checked_at = -SECRETS_SECONDS - STORE_SECONDS


def _forget_when_asked() -> None:
    _state.secrets_asked_at = _state.asked_at = -SECRETS_SECONDS - STORE_SECONDS


def refresh_now() -> None:
    """Read again what has changed, however short ago that was done: another process may just have saved something."""
    ask_again()
    refresh(wait=True)


def note_saved() -> None:
    """Read what this process has just saved, and let all others read it at their next look."""
    _state.bell.ring()
    refresh_now()


def opened() -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The networks and the ports that the server's configuration opens to sources."""
    return _state.allow_private, _state.ports


def known_secrets() -> frozenset[str]:
    """The names of all secrets that are set."""
    return frozenset(_state.all_secrets)


def has_own_secret(name: str) -> bool:
    """Whether this machine has a secret of that name, in the environment or in its file."""
    return any(known.get(name, "").strip() for known in (_state.environ, _state.secrets))


def recipe_files() -> tuple[RecipeFile, ...]:
    """All recipe files of the folder, including those that cannot be used."""
    return _state.found


def read_file(path: Path) -> RecipeFile:
    """Read one recipe's file, with the secrets of this process."""
    return recipe_folder.read_file(path, _state.all_secrets)


def make(recipe: Recipe, **parts: object) -> HttpSource:
    """A recipe's source with the configuration of this process. `parts` are more arguments for HttpSource, or others in
    place of these."""
    secrets: Any = parts.pop("environ", None) or _state.all_secrets
    return HttpSource(
        recipe, secrets, _state.redis, _state.allow_private, _state.ports,
        **{"present_secrets": present_secrets, "cipher": _state.cipher, "proxy": _state.proxy, **parts},  # type: ignore[arg-type]
    )  # fmt: skip


def present_secrets() -> Mapping[str, str]:
    """All secrets as they are now."""
    refresh()
    return _state.all_secrets


def mark_of(source: str) -> str:
    """A mark that changes with the source's secrets, as `placeholders.secrets_mark`; empty when it has none, or one of
    them is not set here."""
    recipe = next((one.offered for one in _state.found if one.usable and one.name == source), None)
    secrets = present_secrets()
    if recipe is None or recipe_folder.missing_secrets(recipe, secrets):
        return ""
    return secrets_mark(recipe.secrets, secrets)


def notice_new_secrets(source: str) -> None:
    """Let a source be asked again that refused us, if its secrets are others now."""
    breaker = CircuitBreaker(_state.redis, source)
    mark, state = mark_of(source), breaker.state()
    if mark and state.is_open and state.reason in REFUSALS and not breaker.knows_secret(mark):
        breaker.close()


def without_secrets(text: str) -> str:
    """A text with the secrets of all recipes masked."""
    known = _state.all_secrets
    names = {name for one in _state.found for recipe in (one.recipe, one.offered) if recipe for name in recipe.secrets}
    return masked(text, [value for name in names if (value := known.get(name, "").strip())])


def _read(stamp: Stamp) -> None:
    """Read the folder and offer its recipes. A source that has not changed stays the same object."""
    _state.secrets = _secrets()
    all_secrets = _state.all_secrets
    secrets_changed = all_secrets != _state.used_secrets
    _state.used_secrets = all_secrets
    before = {one.path: one for one in _state.found}
    files = recipe_folder.read_folder(_state.folder, _state.all_secrets) if _state.folder else ()
    if _state.store is not None and (not _state.has_folder or not all(one.valid for one in files)):
        _state.stored, _state.asked_at = _state.store.texts(), _state.checked_at
    if not _state.has_folder:
        files = _missing_files(before)
    taken = {one.name for one in files if one.valid}
    now = []
    for one in files:
        good = None if one.valid else _last_good(one.path, before)
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
    if _state.has_folder:
        present = {one.path.name for one in now}
        _state.gone = (_state.gone | {path.name for path in before}) - present
    _state.found, _state.stamp = tuple(now), stamp
    _keep_good()


def _missing_files(before: Mapping[Path, RecipeFile]) -> tuple[RecipeFile, ...]:
    """What stands for the folder that this machine does not have: the recipes that the store knows, or those that were
    found before while the store is away."""
    if _state.folder is None or _state.store is None:
        return ()
    if _state.stored is not None:
        return recipe_folder.stored_files(_state.stored, _state.folder, _state.all_secrets)
    return tuple(
        replace(one, missing=recipe_folder.missing_secrets(one.recipe, _state.all_secrets) if one.recipe else ())
        for one in before.values()
    )


def _last_good(path: Path, before: Mapping[Path, RecipeFile]) -> Recipe | None:
    """The last good version of a file that is broken or missing: of this process, or else of the store. On a machine
    without the folder, that of the store is the newer one."""
    known = before[path].offered if path in before else None
    if (known is not None and _state.has_folder) or _state.stored is None or _state.folder is None:
        return known
    text = _state.stored.get(path.name)
    if text is None or (known is not None and known.text == text):
        return known
    return recipe_folder.kept_recipe(path.name, text, _state.folder, _state.all_secrets)


def _keep_good() -> None:
    """Put into the store what this machine's folder has newly good. Another machine's folder may have other files."""
    if _state.store is None or not _state.has_folder:
        return
    good = _state.good_texts
    if _state.stored is None:
        _state.stored = _state.store.texts()
    known = _state.stored or {}
    news = {name: text for name, text in good.items() if known.get(name) != text}
    gone = _state.gone & known.keys()
    _state.asked_at = _state.checked_at
    if _state.stored is not None and (not (news or gone) or _state.store.keep(news, gone, utcnow())):
        _state.stored = {name: text for name, text in {**known, **news}.items() if name not in gone}
        _state.gone = set()
    else:
        _state.stored = None  # tried again in a minute


def _ask_for_secrets(moment: float) -> None:
    """Read the secrets that are kept for all machines; while they cannot be read, those known go on."""
    _state.secrets_asked_at = moment
    if _state.secret_store is not None and (found := _state.secret_store.secrets()) is not None:
        _state.kept_secrets = found


def _secrets() -> Mapping[str, str]:
    try:
        return recipe_folder.read_secrets(_state.secrets_file) if _state.secrets_file else {}
    except (OSError, ValueError):
        log.warning("the file of secrets cannot be read; those known go on", file=str(_state.secrets_file))
        return _state.secrets


def _cipher(keys: Sequence[str]) -> Cipher | None:
    return Cipher(keys, TAKEN) if keys else None


def _maker(recipe: Recipe) -> registry.Maker:
    return lambda: make(recipe)
