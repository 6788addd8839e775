"""Turns an upload into a stored file and a document that waits to be read. The file is not parsed here.

The browser's file name is made safe to show and to send back; it never becomes part of a path. The caller notifies the
intake worker: this module must not know queues or pages.
"""

import re
import unicodedata
from contextlib import suppress
from datetime import datetime
from enum import StrEnum

import structlog

from portal.database import db
from portal.documents.models import Document, Reading
from portal.documents.reader.file_type import EXTENSIONS, extension_of
from portal.documents.storage import Storage, StorageAway, Stream, TooManyBytes

log = structlog.get_logger(__name__)

MAX_CHARACTERS = 255
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}\Z")


def clean_name(given: str | None) -> str:
    """Return the last part of a path, without invisible characters, cut to 255 characters but with its extension.

    Some browsers send a whole path, and marks that reverse the writing direction make `exe.jpg` look like `gpj.exe`.
    """
    name = re.split(r"[/\\]", given or "")[-1]
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    name = "".join(" " if char.isspace() else char for char in name)
    name = "".join(char for char in name if not unicodedata.category(char).startswith("C"))
    name = " ".join(name.split())
    if not name.strip("."):
        return "file"
    if len(name) <= MAX_CHARACTERS:
        return name
    extension = _EXTENSION.search(name)
    tail = extension[0] if extension else ""
    return name[: MAX_CHARACTERS - len(tail)] + tail


class UploadRefusal(StrEnum):
    """Why an upload is refused at once. An accepted file may still turn out to be unreadable."""

    NO_FILE = "no_file"
    WRONG_TYPE = "wrong_type"  # by its extension
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    STORAGE_AWAY = "storage_away"  # it does not answer now
    NOT_STORED = "not_stored"  # the disk is full or cannot be written to


class UploadRefused(Exception):
    """The upload was refused and nothing was stored; `refusal` is the reason."""

    def __init__(self, refusal: UploadRefusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


def receive(
    stream: Stream | None, given_name: str | None, user_id: int, storage: Storage, max_bytes: int, now: datetime
) -> Document:
    """Store the upload, create its document and commit. Raises UploadRefused.

    The file is written before the transaction begins: SQLite has one writer, and a slow disk would block it.
    """
    if stream is None or not given_name:
        raise UploadRefused(UploadRefusal.NO_FILE)
    name = clean_name(given_name)
    if extension_of(name) not in EXTENSIONS:
        raise UploadRefused(UploadRefusal.WRONG_TYPE)
    try:
        stored = storage.put(stream, max_bytes)
    except TooManyBytes as error:
        raise UploadRefused(UploadRefusal.TOO_LARGE) from error
    except StorageAway as error:
        raise UploadRefused(UploadRefusal.STORAGE_AWAY) from error
    except OSError as error:
        log.error("an upload cannot be stored", error=str(error))
        raise UploadRefused(UploadRefusal.NOT_STORED) from error
    if not stored.size_bytes:
        with suppress(OSError):  # else the sweep deletes it after a day
            storage.delete(stored.key)
        raise UploadRefused(UploadRefusal.EMPTY)
    document = Document(
        user_id=user_id, file_name=name, storage_key=stored.key, sha256=stored.sha256, size_bytes=stored.size_bytes,
        state=Reading.READING, created_at=now,
    )  # fmt: skip
    db.session.add(document)
    try:
        db.session.flush()
    except BaseException:
        with suppress(OSError):
            storage.delete(stored.key)
        raise
    # A commit that fails may have been made all the same, when the connection broke before its confirmation: then the
    # document needs its file. If it has not been made, the sweep deletes the file after a day.
    db.session.commit()
    return document
