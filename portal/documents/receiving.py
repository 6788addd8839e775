"""An upload → a stored file and its document, which then waits to be read. It parses nothing of the file.

It must not know queues or pages: whoever calls it tells the intake worker afterwards.
"""

from datetime import datetime
from enum import StrEnum

from portal.database import db
from portal.documents.models import Document, Reading
from portal.documents.naming import clean_name
from portal.documents.reader.file_type import ENDINGS, ending_of
from portal.documents.storage import LocalStorage, Stream, TooManyBytes


class Refusal(StrEnum):
    """Why an upload is not taken in. A file that is taken in may still turn out to be unreadable."""

    NO_FILE = "no_file"
    WRONG_TYPE = "wrong_type"  # by the end of its name
    EMPTY = "empty"
    TOO_LARGE = "too_large"


class NotReceived(Exception):
    """Nothing was kept of the upload, and `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


def receive(
    stream: Stream | None, given_name: str | None, user_id: int, storage: LocalStorage, max_bytes: int, now: datetime
) -> Document:
    """Store the upload and make its document, committed. Raises NotReceived.

    The file is written before the transaction begins: SQLite has one writer, and a slow disk would hold it up.
    """
    if stream is None or not given_name:
        raise NotReceived(Refusal.NO_FILE)
    name = clean_name(given_name)
    if ending_of(name) not in ENDINGS:
        raise NotReceived(Refusal.WRONG_TYPE)
    try:
        stored = storage.put(stream, max_bytes)
    except TooManyBytes as error:
        raise NotReceived(Refusal.TOO_LARGE) from error
    if not stored.size_bytes:
        storage.delete(stored.key)
        raise NotReceived(Refusal.EMPTY)
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
