"""The stored files: one with the number is written anew under another key, and the old one is deleted everywhere.

The file that a person gets back is made of the stored one, so it says "erased" in that cell, however often it is
downloaded. Where nothing else helps, because the file's format cannot be changed, a plain workbook with the rows of all
sheets takes its place.
"""

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import orjson
from flask import current_app
from flask_babel import force_locale, gettext
from sqlalchemy import insert, select, update
from xlsxwriter import Workbook

from portal.accounts import User
from portal.database import changed_rows, db
from portal.documents.converted import comes_as_xlsx, converted_path
from portal.documents.models import Document, Reading
from portal.documents.reader.file_type import WORKBOOKS, extension_of
from portal.documents.reader.sheet_file import rows, text_of
from portal.documents.storage import CONVERTED, Storage, sheet_part
from portal.jobs.core.erasure_tables import ReplacedFile
from portal.jobs.erasure import delete_file
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.package import Package
from portal.jobs.number_erasure.job_rows import erased_cells
from portal.jobs.number_erasure.packages import places_in, without_number
from portal.phone.writings import Writings

_PIECE = 1024 * 1024


class NotNow(Exception):
    """The file is being read, or was changed meanwhile: it has to be looked at again."""


@dataclass(frozen=True)
class Asked:
    """The number in its two ways of being searched: in the text of a cell, and in lines of text."""

    in_cells: Writings
    in_lines: Writings

    @classmethod
    def of(cls, e164: str) -> "Asked":
        return cls(Writings(e164), Writings(e164, in_lines=True))


def erase_in_document(document_id: int, asked: Asked, storage: Storage, now: datetime, *, anyway: bool) -> bool:
    """Erase the number in a document's file, and return whether it was there. `anyway`: the number is in a ledger of
    it, so that what was made of the file has it too. Raises NotNow and StorageAway. Commits."""
    document = db.session.get(Document, document_id, populate_existing=True)
    if document is None or document.erased_at is not None or not document.sheets:
        reading = document is not None and document.state == Reading.READING and document.deleted_at is None
        db.session.commit()
        if reading:
            raise NotNow
        return False
    locale = db.session.scalar(select(User.locale).where(User.id == document.user_id))
    db.session.expunge(document)
    db.session.commit()  # nobody waits while the file is read
    with force_locale(locale or current_app.config["DEFAULT_LOCALE"]):
        word = gettext("erased")
    try:
        found = _File(document, asked, storage, word)
    except FileNotFoundError:
        return False
    if not found.has_number() and not anyway:
        return False
    _replace(document, found, storage, now)
    return True


class _File:
    """A stored file and what was made of it. Raises FileNotFoundError."""

    def __init__(self, document: Document, asked: Asked, storage: Storage, word: str) -> None:
        self.document, self.asked, self.storage, self.word = document, asked, storage, word
        key = document.storage_key
        self.is_old = comes_as_xlsx(document, storage)  # one of Excel's older formats
        self.path = storage.fetch(key)
        self.sheets = {}
        for facts in document.sheets:
            with suppress(FileNotFoundError):
                self.sheets[facts["index"]] = storage.fetch(key, sheet_part(facts["index"]))

    @property
    def is_workbook(self) -> bool:
        """Whether it is a zip package, xlsx or ods."""
        return extension_of(self.document.file_name) in WORKBOOKS and self._head() == b"PK"

    def _head(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(2)

    def has_number(self) -> bool:
        """Whether the number is in the rows of the file or anywhere else in it."""
        if any(self.asked.in_cells.is_in(line) for path in self.sheets.values() for line in _lines(path)):
            return True
        if self.is_workbook:
            try:
                with Package(self.path) as package:
                    return places_in(package, self.asked.in_cells) > 0
            except CannotWriteInPlace:
                return False
        return not self.is_old and any(self.asked.in_lines.is_in(line) for line in self._text())

    def write(self, out: IO[bytes]) -> None:
        """Write the file without the number."""
        source = self.path if not self.is_old else converted_path(self.document, self.storage)
        try:
            if self.is_old or self.is_workbook:
                if source is None:
                    raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE)
                self._write_workbook(source, out)
            else:
                encoding, errors = self._encoding()
                out.writelines(
                    self.asked.in_lines.without(line, self.word).encode(encoding, errors) for line in self._text()
                )
        except CannotWriteInPlace:
            out.seek(0)
            out.truncate()
            self._write_plain(out)

    def _write_workbook(self, source: Path, out: IO[bytes]) -> None:
        with Package(source) as package:
            out.writelines(without_number(package, self.asked.in_cells, self.word))
        out.flush()
        with Package(Path(f"/dev/fd/{out.fileno()}")) as written:
            if places_in(written, self.asked.in_cells):
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP)

    def _write_plain(self, out: IO[bytes]) -> None:
        """A workbook with the rows of all sheets and nothing else."""
        book = Workbook(out, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
        for facts in self.document.sheets:
            sheet = book.add_worksheet()
            if (path := self.sheets.get(facts["index"])) is None:
                continue
            for row_no, cells in rows(path):
                for column, cell in enumerate(self.without(cells)):
                    plain = cell if isinstance(cell, (str, int, float)) or cell is None else text_of(cell)
                    sheet.write(row_no - 1, column, plain)
        book.close()

    def _encoding(self) -> tuple[str, str]:
        """How the text is taken apart and put together again, byte for byte."""
        text: dict[str, Any] = next((facts["text"] for facts in self.document.sheets if facts.get("text")), {})
        encoding = str(text.get("encoding", "latin-1"))
        if encoding.startswith("utf-16"):
            if encoding == "utf-16":
                encoding = "utf-16-be" if self._head() == b"\xfe\xff" else "utf-16-le"
            return encoding, "surrogatepass"
        return ("utf-8", "surrogateescape") if encoding.startswith("utf-8") else ("latin-1", "strict")

    def _text(self) -> Iterable[str]:
        encoding, errors = self._encoding()
        with self.path.open(encoding=encoding, errors=errors, newline="") as file:
            yield from file

    def without(self, cells: list[Any]) -> list[Any]:
        """The cells of a row, without the number."""
        return [self.word_in(cell) for cell in cells]

    def word_in(self, value: Any) -> Any:
        """A cell, or any value of JSON, without the number."""
        return without_in(value, self.asked.in_cells, self.word)

    def write_sheet(self, index: int, path: Path) -> None:
        """Write the rows of a sheet without the number."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("wb") as out:
            for line in _lines(self.sheets[index]):
                if not self.asked.in_cells.is_in(line):
                    out.write(line.encode())
                    continue
                end = line[len(line.rstrip()) :]  # it says whether the row is hidden
                out.write(orjson.dumps(self.without(orjson.loads(line))) + end.encode())


def without_in(value: Any, writings: Writings, word: str) -> Any:
    """A value of JSON without the number, however deep it is in it."""
    if isinstance(value, str):
        return writings.without(value, word) if writings.is_in(value) else value
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return word if writings.is_in(repr(value)) else value
    if isinstance(value, dict):
        return {name: without_in(one, writings, word) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_in(one, writings, word) for one in value]
    return value


def _lines(path: Path) -> Iterable[str]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        yield from file


def _replace(document: Document, found: _File, storage: Storage, now: datetime) -> None:
    """Store the file without the number under a new key, and delete the old one. Raises NotNow when the document has
    changed meanwhile."""
    storage.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=storage.root) as out:
        found.write(out)
        size = out.seek(0, 2)
        out.seek(0)
        stored = storage.put(out, max_bytes=max(size, 1))
    for index in found.sheets:
        found.write_sheet(index, storage.path(stored.key, sheet_part(index)))
        storage.put_derived(stored.key, sheet_part(index))
    if found.is_old:
        storage.path(stored.key, CONVERTED).write_bytes(storage.path(stored.key).read_bytes())
        storage.put_derived(stored.key, CONVERTED)
    old = document.storage_key
    same = (Document.id == document.id, Document.storage_key == old, Document.state == Reading.READY)
    values = {
        "storage_key": stored.key, "sha256": stored.sha256, "size_bytes": stored.size_bytes, "checks": {},
        "sheets": found.word_in(document.sheets),
    }  # fmt: skip
    changed = changed_rows(update(Document).where(*same, Document.erased_at.is_(None)).values(**values))
    if changed:
        db.session.execute(insert(ReplacedFile).values(storage_key=old, at=now))
        for cell in erased_cells(document.id):
            cell.text = found.word_in(cell.text)
            cell.corrected = found.word_in(cell.corrected)
    db.session.commit()
    if not changed:
        delete_file(storage, stored.key)
        raise NotNow
    delete_replaced(storage, now)


def delete_replaced(storage: Storage, now: datetime) -> bool:
    """Delete old files that were written anew, and return whether all are gone. Commits."""
    left = list(db.session.scalars(select(ReplacedFile.storage_key).where(ReplacedFile.gone_at.is_(None))))
    db.session.commit()
    for key in left:
        if storage.is_here(key) and delete_file(storage, key):
            changed_rows(update(ReplacedFile).where(ReplacedFile.storage_key == key).values(gone_at=now))
            db.session.commit()
            left = [one for one in left if one != key]
    return not left
