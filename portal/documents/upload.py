"""An upload becomes a stored file and a document that waits to be read. Nothing of the file is parsed here.

The browser's file name is made safe to show and to send back; it never becomes part of a path. The caller notifies the
intake worker: this module must not know queues or pages.
"""

import re
import unicodedata
from datetime import datetime
from enum import StrEnum

from portal.database import db
from portal.documents.models import Document, Reading
from portal.documents.reader.file_type import ENDINGS, ending_of
from portal.documents.storage import LocalStorage, Stream, TooManyBytes

MAX_CHARACTERS = 255
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,10}\Z")


def clean_name(given: str | None) -> str:
    """The last part of a path, without what nobody can see, at most 255 characters with its ending kept.

    Some browsers send a whole path, and marks that turn the writing direction make `gpj.exe` out of `exe.jpg`.
    """
    name = re.split(r"[/\\]", given or "")[-1]
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    name = "".join(" " if letter.isspace() else letter for letter in name)
    name = "".join(letter for letter in name if not unicodedata.category(letter).startswith("C"))
    name = " ".join(name.split())
    if not name.strip("."):
        return "file"
    if len(name) <= MAX_CHARACTERS:
        return name
    ending = _ENDING.search(name)
    tail = ending[0] if ending else ""
    return name[: MAX_CHARACTERS - len(tail)] + tail


class UploadRefusal(StrEnum):
    """Why an upload is not taken in. A file that is taken in may still turn out to be unreadable."""

    NO_FILE = "no_file"
    WRONG_TYPE = "wrong_type"  # by the end of its name
    EMPTY = "empty"
    TOO_LARGE = "too_large"


class UploadRefused(Exception):
    """Nothing was kept of the upload, and `refusal` says why."""

    def __init__(self, refusal: UploadRefusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


def receive(
    stream: Stream | None, given_name: str | None, user_id: int, storage: LocalStorage, max_bytes: int, now: datetime
) -> Document:
    """Store the upload and make its document, committed. Raises NotReceived.

    The file is written before the transaction begins: SQLite has one writer, and a slow disk would hold it up.
    """
    if stream is None or not given_name:
        raise UploadRefused(UploadRefusal.NO_FILE)
    name = clean_name(given_name)
    if ending_of(name) not in ENDINGS:
        raise UploadRefused(UploadRefusal.WRONG_TYPE)
    try:
        stored = storage.put(stream, max_bytes)
    except TooManyBytes as error:
        raise UploadRefused(UploadRefusal.TOO_LARGE) from error
    if not stored.size_bytes:
        storage.delete(stored.key)
        raise UploadRefused(UploadRefusal.EMPTY)
    document = Document(
        user_id=user_id, file_name=name, storage_key=stored.key, sha256=stored.sha256, size_bytes=stored.size_bytes,
        state=Reading.READING, created_at=now,
    )  # fmt: skip
    try:
        db.session.add(document)
        db.session.commit()
    except BaseException:
        storage.delete(stored.key)  # a file that no row names would never be found again
        raise
    return document
