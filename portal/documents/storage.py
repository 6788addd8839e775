"""Stores uploaded files under names of our own, in two levels of folders, readable by the portal's system user only.

It must not know documents, users or a file's content. The browser's file name never becomes part of a path.
"""

import hashlib
import os
import re
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

PARTS = 256  # folders on the first level
CHUNK_BYTES = 256 * 1024
_KEY = re.compile(r"[0-9a-f]{32}")


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


@dataclass(frozen=True)
class StoredFile:
    """A stored file's key, SHA-256 (hex) and size."""

    key: str
    sha256: str
    size_bytes: int


class LocalStorage:
    """Files in a local folder. One upload is one file; the files with its sheets are stored beside it."""

    def __init__(self, root: Path, max_bytes: int | None = None) -> None:
        self.root = Path(root)
        self.max_bytes = max_bytes

    def path(self, key: str) -> Path:
        """Return the file's path. Raises BadKey for anything but a key of ours: no key can lead out of the root."""
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise BadKey(key)
        return self.root / key[:2] / key[2:4] / key

    def sheet_path(self, key: str, index: int) -> Path:
        """Return the path of the rows of sheet `index` (from 0), as JSON lines."""
        path = self.path(key)
        return path.with_name(f"{key}.sheet-{int(index)}.jsonl")

    def converted_path(self, key: str) -> Path:
        """Return the path of the same workbook as xlsx, which is there only for one in an older format of Excel."""
        path = self.path(key)
        return path.with_name(f"{key}.converted.xlsx")

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

    def copy(self, key: str) -> str:
        """Store the file a second time under a new key, without what was made of it, and return the key. Raises
        FileNotFoundError."""
        with self.open(key) as file:
            return self.put(file, max_bytes=self.size(key)).key

    def open(self, key: str) -> BinaryIO:
        """Open the file for reading. Raises FileNotFoundError."""
        return self.path(key).open("rb")

    def exists(self, key: str) -> bool:
        """Return whether the file exists."""
        return self.path(key).is_file()

    def size(self, key: str) -> int:
        """Return the file's size in bytes. Raises FileNotFoundError."""
        return self.path(key).stat().st_size

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


def _fsync_folder(folder: Path) -> None:
    """Flush a folder: a rename is on disk only once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
