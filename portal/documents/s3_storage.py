"""Stores uploaded files in a bucket of S3, or of a server that speaks the same, for a portal on several machines.

An object is named as the file in `LocalStorage` is, so a folder can be copied into the bucket. What this machine has
sent or fetched stays in its folder, up to a size, and everything is read from there. Both ways are streamed: memory
does not depend on a file's size. It must not know documents, users or a file's content.
"""

import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from portal.documents.storage import CHUNK_BYTES, PARTS, LocalStorage, StorageAway, StoredFile, Stream, is_key

log = structlog.get_logger(__name__)

CONNECT_SECONDS, ANSWER_SECONDS = 3, 20
TRIES = 3  # of each request, by botocore
PIECE_BYTES = 8 * 1024 * 1024  # of a large file; memory holds one
IN_USE_SECONDS = 900.0  # a copy that was asked for so recently is kept, as somebody may be reading it
BOUND_SECONDS = 30.0  # how often the folder is measured
TOUCH_SECONDS = 60.0
ABSENT = "absent"  # ends the name of an empty file: the bucket does not have that part


class NoS3Library(Exception):
    """The packages that only S3 needs are not installed."""


@dataclass(frozen=True)
class Bucket:
    """Where the files are, and as whom we ask. Empty texts: as boto3 finds it in the environment or on the machine."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    encryption: str = ""  # AES256, aws:kms or aws:kms:dsse; empty: as the bucket says
    kms_key: str = ""

    @property
    def encryption_arguments(self) -> dict[str, str]:
        """The arguments of a request that stores, for encryption at rest."""
        wanted = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.kms_key}
        return {name: value for name, value in wanted.items() if value}


class S3Storage(LocalStorage):
    """Files in a bucket, with this machine's copies in the folder `root`, which holds about `cache_bytes`."""

    def __init__(self, bucket: Bucket, root: Path, cache_bytes: int, max_bytes: int | None = None) -> None:
        try:
            import boto3  # noqa: F401 - found missing at the start, and loaded before the processes fork
        except ImportError as error:
            raise NoS3Library from error
        super().__init__(root, max_bytes)
        self.bucket, self.cache_bytes = bucket, cache_bytes
        self._lock = threading.Lock()
        self._made: tuple[int, Any] = (0, None)  # the process and its client
        self._bounded_at = 0.0

    def put(self, stream: Stream, max_bytes: int | None = None) -> StoredFile:
        """Store the stream under a new key: first here, then in the bucket, which has it completely or not at all.
        Raises TooManyBytes above the limit, and StorageAway."""
        stored = super().put(stream, max_bytes)
        try:
            self.put_derived(stored.key, "")
        except BaseException:
            super().delete(stored.key)
            raise
        return stored

    def put_derived(self, key: str, part: str) -> None:
        """Store a part that was written to `path(key, part)`. Raises StorageAway."""
        path = self.path(key, part)
        with _answering("store"):
            self._client().upload_file(
                str(path), self.bucket.name, self._name(key, part),
                ExtraArgs=self.bucket.encryption_arguments, Config=_transfer(),
            )  # fmt: skip
        self._bound()

    def fetch(self, key: str, part: str = "") -> Path:
        """Return the path of a file that is here now, fetched if need be. Raises FileNotFoundError and StorageAway.

        That a file has no such part is remembered here. A file itself may have been deleted elsewhere meanwhile: it is
        read all the same, as its rows in the database say whether it may be.
        """
        path = self.path(key, part)
        absent = path.with_name(f"{path.name}.{ABSENT}")
        if path.is_file():
            _touch(path)
            return path
        if part and absent.is_file():
            raise FileNotFoundError(path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._download(self._name(key, part), path)
        except FileNotFoundError:
            if part:
                absent.touch(mode=0o600)
            raise
        self._bound()
        return path

    def replace_derived(self, key: str, part: str) -> Path:
        """Fetch a part anew, whatever copy is here. Raises FileNotFoundError, which is not remembered, and
        StorageAway."""
        path = self.path(key, part)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._download(self._name(key, part), path)
        self._bound()
        return path

    def delete_derived(self, key: str, part: str) -> None:
        """Delete a part in the bucket, and the copy here. Raises StorageAway."""
        with _answering("delete"):
            self._client().delete_object(Bucket=self.bucket.name, Key=self._name(key, part))
        super().delete_derived(key, part)

    def exists(self, key: str) -> bool:
        """Return whether the bucket has the file. Raises StorageAway."""
        return any(name == self._name(key) for name, _ in self._objects(self._name(key)))

    def is_here(self, key: str) -> bool:
        """Return True: all machines see the same bucket."""
        self.path(key)
        return True

    def delete(self, key: str) -> None:
        """Delete the file and its parts in the bucket, then the copies here. Raises StorageAway, with nothing
        forgotten: the caller must ask again."""
        names = [name for name, _ in self._objects(self._name(key))]
        for first in range(0, len(names), 1000):
            batch = [{"Key": name} for name in names[first : first + 1000]]
            with _answering("delete"):
                answer = self._client().delete_objects(
                    Bucket=self.bucket.name, Delete={"Objects": batch, "Quiet": True}
                )
            if errors := answer.get("Errors"):
                raise StorageAway(f"the bucket does not delete: {errors[0].get('Code')}")
        super().delete(key)

    def old_keys(self, part: int, before: float) -> list[str]:
        """Return the keys of which there are objects last changed before a moment (seconds since 1970), in one of the
        PARTS parts of the bucket. Unfinished uploads that are as old are aborted. Raises StorageAway."""
        prefix = self._in_bucket(f"{part % PARTS:02x}/")
        with _answering("list"):
            pages = self._client().get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.bucket.name, Prefix=prefix):
                for one in page.get("Uploads", ()):
                    if one["Initiated"].timestamp() < before:
                        self._client().abort_multipart_upload(
                            Bucket=self.bucket.name, Key=one["Key"], UploadId=one["UploadId"]
                        )
        keys = {self._key(name) for name, changed_at in self._objects(prefix) if changed_at < before}
        return sorted(key for key in keys if key)

    def changed_at(self, key: str) -> float:
        """Return when the newest of the key's objects was stored, in seconds since 1970; 0 without any."""
        return max((changed_at for _, changed_at in self._objects(self._name(key))), default=0.0)

    def copies(self) -> dict[str, float]:
        """Return the keys of which this machine has copies, each with the moment of the last use."""
        found: dict[str, float] = {}
        for path in self.root.glob("*/*/*"):
            if is_key(key := path.name.partition(".")[0]):
                with suppress(FileNotFoundError):
                    found[key] = max(found.get(key, 0.0), path.stat().st_mtime)
        return found

    def forget(self, key: str) -> None:
        """Delete this machine's copies."""
        super().delete(key)

    def check(self) -> None:
        """Raise OSError when the bucket does not answer us, or its copies cannot be kept here."""
        super().check()
        with _answering("list"):
            self._client().list_objects_v2(Bucket=self.bucket.name, Prefix=self._in_bucket(""), MaxKeys=1)

    def _name(self, key: str, part: str = "") -> str:
        return self._in_bucket(self.path(key, part).relative_to(self.root).as_posix())

    def _in_bucket(self, name: str) -> str:
        return f"{self.bucket.prefix}/{name}" if self.bucket.prefix else name

    def _key(self, name: str) -> str | None:
        """Return the key of an object of ours; None for one that somebody else put there."""
        key = name.rpartition("/")[2].partition(".")[0]
        return key if is_key(key) and name.startswith(self._name(key)) else None

    def _objects(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Yield the name of each object that begins so, and when it was stored. Raises StorageAway."""
        with _answering("list"):
            pages = self._client().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket.name, Prefix=prefix):
                for one in page.get("Contents", ()):
                    yield one["Key"], one["LastModified"].timestamp()

    def _download(self, name: str, path: Path) -> None:
        """Write an object to `path`, completely or not at all."""
        unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            with _answering("fetch"):
                found = self._client().get_object(Bucket=self.bucket.name, Key=name)
                with (
                    closing(found["Body"]) as body,
                    os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
                ):
                    for piece in body.iter_chunks(CHUNK_BYTES):  # raises when fewer bytes come than were announced
                        file.write(piece)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _client(self) -> Any:
        """Return this process's client, which its threads share: a fork must not use its parent's connections."""
        with self._lock:
            if self._made[0] != os.getpid():
                self._made = (os.getpid(), _new_client(self.bucket))
            return self._made[1]

    def _bound(self) -> None:
        """Delete the copies that were not asked for longest, until the rest fits. Sometimes, and never raising."""
        now = time.monotonic()
        if now - self._bounded_at < BOUND_SECONDS:
            return
        self._bounded_at = now
        with suppress(OSError):
            self.bound(time.time())

    def bound(self, now: float) -> None:
        """Delete copies beyond the size of the folder, those asked for longest ago first; not those asked for lately.
        Whoever has one open may read on. `now` is in seconds since 1970."""
        copies = []
        for path in self.root.glob("*/*/*"):
            with suppress(FileNotFoundError):
                facts = path.stat()
                if path.is_file():
                    copies.append((facts.st_mtime, facts.st_size, path))
        too_many = sum(size for _, size, _ in copies) - self.cache_bytes
        for asked_at, size, path in sorted(copies):
            if too_many <= 0 or asked_at > now - IN_USE_SECONDS:
                break
            path.unlink(missing_ok=True)
            too_many -= size


def _touch(path: Path) -> None:
    """Record that a copy was asked for; `bound` reads it."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > TOUCH_SECONDS:
            os.utime(path)


def _new_client(bucket: Bucket) -> Any:
    from boto3.session import Session
    from botocore.config import Config

    own_server: dict[str, Any] = {}
    if bucket.endpoint:  # many servers have no names for their buckets, and do not know the newer checksums
        own_server = {
            "s3": {"addressing_style": "path"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
    retries = {"mode": "standard", "total_max_attempts": TRIES}
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS, retries=retries, **own_server)
    return Session().client(
        "s3", endpoint_url=bucket.endpoint or None, region_name=bucket.region or None,
        aws_access_key_id=bucket.access_key or None, aws_secret_access_key=bucket.secret_key or None, config=config,
    )  # fmt: skip


def _transfer() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(multipart_threshold=PIECE_BYTES, multipart_chunksize=PIECE_BYTES, use_threads=False)


@contextmanager
def _answering(what: str) -> Iterator[None]:
    """Turn the library's errors into ours. A file of this machine that is missing stays what it is."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code == "NoSuchKey":
            raise FileNotFoundError(what) from error
        log.warning("the bucket refuses", what=what, code=code)
        raise StorageAway(f"the bucket refuses to {what}: {code}") from error
    except (BotoCoreError, Boto3Error) as error:
        log.warning("the bucket does not answer", what=what, error=type(error).__name__)
        raise StorageAway(f"the bucket does not {what}: {type(error).__name__}") from error
