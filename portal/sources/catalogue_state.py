"""What a process was configured with for its sources, and what it has read of them: the catalogue's memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from redis import Redis

from portal.sources.cipher import Cipher
from portal.sources.recipes import folder as recipe_folder
from portal.sources.recipes.folder import RecipeFile, Stamp
from portal.sources.saved_bell import SavedBell

STORE_SECONDS = 60.0  # how often the database is asked, by a process that has no folder or could not keep a text


class Store(Protocol):
    """Where the last good texts are kept, as `recipe_store` does."""

    def texts(self) -> dict[str, str] | None:
        """The kept texts by file name; None when they cannot be read now."""

    def keep(self, texts: Mapping[str, str], gone: Iterable[str], now: datetime) -> bool:
        """Keep these texts, and forget those of the files that are gone. False: not now."""


class Secrets(Protocol):
    """Where secrets are kept for all machines, as `secret_store` does."""

    def secrets(self) -> dict[str, str] | None:
        """The kept secrets by name; None when they cannot be read now."""


@dataclass
class CatalogueState:
    """What this process was configured with for its sources, and the recipe files that it has read."""

    redis: Redis | None = None
    folder: Path | None = None
    secrets_file: Path | None = None
    allow_private: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    proxy: str = ""
    cipher: Cipher | None = None  # of what all workers share
    environ: Mapping[str, str] = field(default_factory=dict)  # of the start of the process
    secrets: Mapping[str, str] = field(default_factory=dict)  # of `secrets_file`
    found: tuple[RecipeFile, ...] = ()
    stamp: Stamp = ()
    checked_at: float = 0.0
    store: Store | None = None
    stored: dict[str, str] | None = None  # what it is known to hold, by file name; None: not known
    gone: set[str] = field(default_factory=set)  # files that were deleted while this process ran
    asked_at: float = 0.0  # when the store was used last
    secret_store: Secrets | None = None
    kept_secrets: Mapping[str, str] = field(default_factory=dict)  # of `secret_store`
    used_secrets: Mapping[str, str] = field(default_factory=dict)  # all, when the recipes were read last
    secrets_asked_at: float = 0.0
    bell: SavedBell = field(default_factory=lambda: SavedBell(None))

    def __post_init__(self) -> None:
        self.bell = SavedBell(self.redis)

    @property
    def certificate_folder(self) -> Path | None:
        return self.secrets_file and self.secrets_file.parent / "secrets"

    @property
    def all_secrets(self) -> dict[str, str]:
        """This machine's own win, and of these the file's, as it can be changed while the portal runs."""
        own = {name: value for name, value in {**self.environ, **self.secrets}.items() if value.strip()}
        own |= recipe_folder.certificates(self.certificate_folder)
        return {**self.kept_secrets, **own}

    @property
    def has_folder(self) -> bool:
        return self.folder is not None and self.folder.is_dir()

    @property
    def good_texts(self) -> dict[str, str]:
        return {one.path.name: one.recipe.text for one in self.found if one.recipe is not None and one.valid}

    @property
    def store_is_due(self) -> bool:
        """Whether the store may have something new for this process, or the other way round."""
        if self.store is None or self.checked_at - self.asked_at < STORE_SECONDS:
            return False
        return not self.has_folder or self.stored is None

    def stamp_now(self) -> Stamp:
        """What changes with any file that the recipes are read from."""
        more = [self.secrets_file] if self.secrets_file else []
        if (folder := self.certificate_folder) and folder.is_dir():
            more += folder.glob("*.pem")
        return recipe_folder.stamp(self.folder, *more) if self.folder else ()
