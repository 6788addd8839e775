"""Where uploaded files lie: under a name of ours, in folders that fan out, readable by the portal's user alone.

It must not know documents, users or what is in a file. The client's name never becomes part of a path.
"""

import hashlib
import os
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

CHUNK_BYTES = 256 * 1024
_KEY = re.compile(r"[0-9a-f]{32}")


class Stream(Protocol):
    """Anything that gives its bytes in pieces, such as an upload."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end."""


class TooManyBytes(Exception):
    """The stream went on beyond the limit. Nothing of it is kept."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"more than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class BadKey(ValueError):
    """A key that this storage never gave out."""


@dataclass(frozen=True)
class StoredFile:
    """What was put away."""

    key: str
    sha256: str
    size_bytes: int


class LocalStorage:
    """Files in a folder of this machine. One upload is one file, with its sheets as derived files beside it."""

    def __init__(self, root: Path, max_bytes: int | None = None) -> None:
        self.root = Path(root)
        self.max_bytes = max_bytes

    def path(self, key: str) -> Path:
        """Where the file lies. Raises BadKey for anything but a key of ours, so no key leads out of the root."""
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise BadKey(key)
        return self.root / key[:2] / key[2:4] / key

    def sheet_path(self, key: str, index: int) -> Path:
        """Where the rows of sheet `index` (from 0) lie, as JSON lines."""
        path = self.path(key)
        return path.with_name(f"{key}.sheet-{int(index)}.jsonl")

    def put(self, stream: Stream, max_bytes: int | None = None) -> StoredFile:
        """Write the stream away and say what it was. Raises TooManyBytes above the limit.

        The file appears under its key only once it is whole and on the disk: a crash leaves a `.part` at worst.
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

    def open(self, key: str) -> BinaryIO:
        """The file's bytes. Raises FileNotFoundError when it is gone."""
        return self.path(key).open("rb")

    def exists(self, key: str) -> bool:
        """Whether the file is there."""
        return self.path(key).is_file()

    def size(self, key: str) -> int:
        """The file's size in bytes."""
        return self.path(key).stat().st_size

    def delete(self, key: str) -> None:
        """Remove the file and all that was derived from it, also what a killed reading left. Twice is no error."""
        path = self.path(key)
        path.unlink(missing_ok=True)
        for derived in list(path.parent.glob(f"{key}.*")):
            if derived.is_dir():
                shutil.rmtree(derived, ignore_errors=True)
            else:
                derived.unlink(missing_ok=True)


def _fsync_folder(folder: Path) -> None:
    """A rename is on the disk only once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
