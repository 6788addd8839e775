"""Where uploaded files are stored, and what was derived from them: `Storage`, and the one in a folder.

A file has a key of ours; what was made of it (the rows of its sheets, the same workbook in a newer format) are parts
under the same key. Readers get paths on this machine: a storage elsewhere, as `s3_storage` is, fetches what is not
here. It must not know documents, users or a file's content. The browser's file name never becomes part of a path.
"""

import hashlib
import os
import re
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PARTS = 256  # folders on the first level
CHUNK_BYTES = 256 * 1024
CONVERTED = "converted.xlsx"  # the part with the same workbook as xlsx, of one in an older format of Excel
_KEY = re.compile(r"[0-9a-f]{32}")


def is_key(text: str) -> bool:
    """Return whether this is a key of ours."""
    return _KEY.fullmatch(text) is not None


class Stream(Protocol):
    """Anything that can be read in chunks, such as an upload."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""


class TooManyBytes(Exception):
    """The stream is longer than the limit. Nothing was stored."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"more than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class BadKey(ValueError):
    """Not a key of this storage."""


class StorageAway(OSError):
    """The storage does not answer now, or refuses us. Nothing is lost, and the same may be asked again later."""


@dataclass(frozen=True)
class StoredFile:
    """A stored file's key, SHA-256 (hex) and size."""

    key: str
    sha256: str
    size_bytes: int


def sheet_part(index: int) -> str:
    """Return the name of the part with the rows of sheet `index` (from 0), as JSON lines."""
    return f"sheet-{int(index)}.jsonl"


def result_part(job_id: int) -> str:
    """Return the name of the part with the index of a job's result."""
    return f"result-{int(job_id)}"


class Storage(Protocol):
    """What the portal asks of a storage. Every method with a key raises BadKey for anything but a key of ours.

    Those that need the storage itself raise StorageAway when it does not answer.
    """

    root: Path  # the folder on this machine: the storage itself, or what was fetched from it

    def path(self, key: str, part: str = "") -> Path:
        """Return where this machine has the file or one of its parts, or would have it. Asks nobody."""

    def put(self, stream: Stream, max_bytes: int | None = None) -> StoredFile:
        """Store the stream under a new key, completely or not at all. Raises TooManyBytes above the limit."""

    def put_derived(self, key: str, part: str) -> None:
        """Store a part that was written to `path(key, part)`."""

    def fetch(self, key: str, part: str = "") -> Path:
        """Return the path of a file that is here now, fetched if need be. Raises FileNotFoundError."""

    def replace_derived(self, key: str, part: str) -> Path:
        """Return the path of a part that other machines write anew, as it is stored now. Raises FileNotFoundError."""

    def delete_derived(self, key: str, part: str) -> None:
        """Delete a part. Deleting twice is fine."""

    def exists(self, key: str) -> bool:
        """Return whether the file is stored."""

    def is_here(self, key: str) -> bool:
        """Return whether this machine sees the place in which the file was stored."""

    def delete(self, key: str) -> None:
        """Delete the file and all its parts. Deleting twice is fine."""

    def old_keys(self, part: int, before: float) -> list[str]:
        """Return the keys of which there are files last changed before a moment (seconds since 1970), in one of the
        PARTS parts of the storage: whole files, unfinished uploads, sheets."""

    def changed_at(self, key: str) -> float:
        """Return when the newest of the key's files was last changed, in seconds since 1970; 0 without any."""

    def copies(self) -> dict[str, float]:
        """Return the keys of which this machine has copies of files that are stored elsewhere, each with the moment of
        the last use (seconds since 1970)."""

    def forget(self, key: str) -> None:
        """Delete this machine's copies of a file that is stored elsewhere."""

    def check(self) -> None:
        """Raise OSError when files cannot be stored or read now."""


class LocalStorage:
    """Files in a local folder, in two levels of folders, readable by the portal's system user only. One upload is one
    file; its parts are stored beside it."""

    def __init__(self, root: Path, max_bytes: int | None = None) -> None:
        self.root = Path(root)
        self.max_bytes = max_bytes

    def path(self, key: str, part: str = "") -> Path:
        """Return the file's path. Raises BadKey for anything but a key of ours: no key can lead out of the root."""
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise BadKey(key)
        return self.root / key[:2] / key[2:4] / (f"{key}.{part}" if part else key)

    def sheet_path(self, key: str, index: int) -> Path:
        """Return the path of the rows of sheet `index` (from 0), as JSON lines."""
        return self.path(key, sheet_part(index))

    def converted_path(self, key: str) -> Path:
        """Return the path of the same workbook as xlsx, which is there only for one in an older format of Excel."""
        return self.path(key, CONVERTED)

    def put(self, stream: Stream, max_bytes: int | None = None) -> StoredFile:
        """Store the stream under a new key. Raises TooManyBytes above the limit.

        The file appears under its key only once it is complete and on disk: a crash leaves a `.part` file at worst.
        """
        limit = self.max_bytes if max_bytes is None else max_bytes
        key = uuid.uuid4().hex
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(f"{key}.part")
        digest, size = hashlib.sha256(), 0
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                while piece := stream.read(CHUNK_BYTES):
                    size += len(piece)
                    if limit is not None and size > limit:
                        raise TooManyBytes(limit)
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _fsync_folder(path.parent)
        return StoredFile(key, digest.hexdigest(), size)

    def put_derived(self, key: str, part: str) -> None:
        """It is stored already: in a folder, where it was written is where it stays."""

    def fetch(self, key: str, part: str = "") -> Path:
        """Return the path of the file or one of its parts. Raises FileNotFoundError."""
        path = self.path(key, part)
        if not path.is_file():
            raise FileNotFoundError(path)
        return path

    def replace_derived(self, key: str, part: str) -> Path:
        """Return the path of a part: what is here is what is stored. Raises FileNotFoundError."""
        return self.fetch(key, part)

    def delete_derived(self, key: str, part: str) -> None:
        """Delete a part. Deleting twice is fine."""
        self.path(key, part).unlink(missing_ok=True)

    def exists(self, key: str) -> bool:
        """Return whether the file exists."""
        return self.path(key).is_file()

    def is_here(self, key: str) -> bool:
        """Return whether this machine's folder is the one in which the file was stored. `put` makes a folder for each
        file that nothing removes: where it is missing, this is another machine, or the disk is not mounted."""
        return self.path(key).parent.is_dir()

    def old_keys(self, part: int, before: float) -> list[str]:
        """Return the keys of which there are files last changed before a moment (seconds since 1970), in one of the
        PARTS parts of the storage: whole files, unfinished uploads, sheets."""
        keys = set()
        for path in (self.root / f"{part % PARTS:02x}").glob("*/*"):
            key = path.name.partition(".")[0]
            with suppress(FileNotFoundError):  # deleted meanwhile
                if _KEY.fullmatch(key) and path.stat().st_mtime < before:
                    keys.add(key)
        return sorted(keys)

    def changed_at(self, key: str) -> float:
        """Return when the newest of the key's files was last changed, in seconds since 1970; 0 without any."""
        path, newest = self.path(key), 0.0
        for one in [path, *path.parent.glob(f"{key}.*")]:
            with suppress(FileNotFoundError):
                newest = max(newest, one.stat().st_mtime)
        return newest

    def delete(self, key: str) -> None:
        """Delete the file, its sheets, and what a killed reading process left. Deleting twice is fine."""
        path = self.path(key)
        path.unlink(missing_ok=True)
        for derived in list(path.parent.glob(f"{key}.*")):
            if derived.is_dir():
                shutil.rmtree(derived, ignore_errors=True)
            else:
                derived.unlink(missing_ok=True)

    def copies(self) -> dict[str, float]:
        """None: what is here is stored here."""
        return {}

    def forget(self, key: str) -> None:
        """Nothing to do: what is here is stored here."""

    def check(self) -> None:
        """Raise OSError when the folder cannot be written to."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(self.root, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(f"{self.root} cannot be written to")


def copy_of(storage: Storage, key: str) -> str:
    """Store a file a second time under a new key, without what was made of it, and return the key. Raises
    FileNotFoundError and StorageAway."""
    path = storage.fetch(key)
    with path.open("rb") as file:
        return storage.put(file, max_bytes=path.stat().st_size).key


def _fsync_folder(folder: Path) -> None:
    """Flush a folder: a rename is on disk only once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
