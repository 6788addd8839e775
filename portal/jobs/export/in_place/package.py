"""Copy a zip package: entries that do not change keep their compressed bytes, the others are deflated as they stream.

Pure. Python's zipfile reads the directory; it cannot copy an entry without inflating it, so the copy is written here.
Format: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5.
"""

import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from isal import isal_zlib
from isal.igzip_lib import IsalError

from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.markup import whole

Content = bytes | Callable[[], Iterable[bytes]]
"""A changed entry: its bytes, or what makes them piece by piece when its turn comes."""

PIECE_BYTES = 256 * 1024
SMALL_PART_BYTES = 32 * 1024 * 1024  # of a part that is changed in memory
LEVEL = 1  # of isal: 3 is 5 % smaller and half as fast
_ZIP64_FROM = 0xFFFFFFFF
_ENTRIES_FROM = 0xFFFF
_STREAMED = 0x8  # sizes and checksum follow the content
_ENCRYPTED = 0x1
_UTF8 = 0x800
_MADE_LARGER = 8  # a streamed part that may pass 4 GiB when it grows this much gets the long form from the start

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")


class _Written(NamedTuple):
    """What the directory says of an entry."""

    entry: zipfile.ZipInfo
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    at: int


class Package:
    """A zip package that is read. Names are found whatever their case, slashes or leading slash, as Excel does."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeError, EOFError, OSError, ValueError) as error:
            raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE, str(error)) from error
        self._file: BinaryIO = path.open("rb")
        self.entries = self._zip.infolist()
        self._by_name: dict[str, zipfile.ZipInfo] = {}
        for entry in self.entries:
            self._by_name.setdefault(plain_name(entry.filename), entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return plain_name(name) in self._by_name

    def entry(self, name: str) -> zipfile.ZipInfo:
        """Return the entry of that name. Raises CannotWriteInPlace."""
        found = self._by_name.get(plain_name(name))
        if found is None:
            raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE, f"no part {name}")
        return found

    def read(self, name: str) -> bytes:
        """Return the whole of a small part. Raises CannotWriteInPlace."""
        if self.entry(name).file_size > SMALL_PART_BYTES:
            raise CannotWriteInPlace(Obstacle.TOO_LARGE, name)
        return b"".join(self.pieces(name))

    def text(self, name: str) -> bytes:
        """The same for XML, in UTF-8 whatever it was."""
        return whole([self.read(name)])

    def pieces(self, name: str) -> Iterator[bytes]:
        """Inflate a part piece by piece. Raises CannotWriteInPlace for more than it declares, or a wrong checksum."""
        entry = self.entry(name)
        if entry.flag_bits & _ENCRYPTED:
            raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE, "encrypted")
        if entry.compress_type == zipfile.ZIP_STORED:
            unpacked: Iterator[bytes] = self.raw(entry)
        elif entry.compress_type == zipfile.ZIP_DEFLATED:
            unpacked = _inflate(self.raw(entry))
        else:
            raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE, f"compression {entry.compress_type}")
        size = crc = 0
        for piece in unpacked:
            size += len(piece)
            crc = isal_zlib.crc32(piece, crc)
            if size > entry.file_size:
                raise CannotWriteInPlace(Obstacle.TOO_LARGE, name)
            yield piece
        if size != entry.file_size or crc != entry.CRC:
            raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE, f"checksum of {name}")

    def raw(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        """The compressed bytes of an entry, piece by piece."""
        at = self.start_of(entry)
        left = entry.compress_size
        while left:
            self._file.seek(at)  # each time: two entries may be read in turn
            piece = self._file.read(min(PIECE_BYTES, left))
            if not piece:
                raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE, f"cut short in {entry.filename}")
            at += len(piece)
            left -= len(piece)
            yield piece

    def start_of(self, entry: zipfile.ZipInfo) -> int:
        """Where the content of an entry begins. Raises CannotWriteInPlace when its own header is not there."""
        self._file.seek(entry.header_offset)
        head = self._file.read(_LOCAL.size)
        if len(head) != _LOCAL.size or head[:4] != b"PK\x03\x04":
            raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE, f"header of {entry.filename}")
        *_, name, extra = _LOCAL.unpack(head)
        return int(entry.header_offset + _LOCAL.size + name + extra)


def plain_name(name: str) -> str:
    """A part's name for comparing: zip entries may have backslashes or another case than the relations that name it."""
    return name.replace("\\", "/").lstrip("/").lower()


def copied(
    package: Package,
    changed: Mapping[str, Content],
    *,
    added: Mapping[str, Content] | None = None,
    dropped: Iterable[str] = (),
) -> Iterator[bytes]:
    """Give the copy piece by piece: entries in their order, `changed` by name, no `dropped`, `added` at the end."""
    contents = {plain_name(name): content for name, content in changed.items()}
    left_out = {plain_name(name) for name in dropped}
    out = _Writer()
    for entry in package.entries:
        name = plain_name(entry.filename)
        if name in left_out:
            continue
        content = contents.pop(name, None)
        yield from out.copy(package, entry) if content is None else out.deflate(entry, content)
    for name, content in (added or {}).items():
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o600 << 16
        yield from out.deflate(entry, content)
    yield from out.directory(package._zip.comment)


class _Writer:
    """Writes entries one after the other, and remembers them for the directory. The output needs no seeking."""

    def __init__(self) -> None:
        self.at = 0
        self.written: list[_Written] = []

    def copy(self, package: Package, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        """An entry as it is: the same compressed bytes, under a header that has its sizes."""
        package.start_of(entry)
        kept = entry.flag_bits & ~_STREAMED
        done = _Written(entry, kept, entry.compress_type, entry.CRC, entry.compress_size, entry.file_size, self.at)
        yield self._header(done)
        for piece in package.raw(entry):
            self.at += len(piece)
            yield piece
        self.written.append(done)

    def deflate(self, entry: zipfile.ZipInfo, content: Content) -> Iterator[bytes]:
        """An entry with other content: whole, or streamed with its sizes behind it."""
        pieces = (content,) if isinstance(content, bytes) else content()
        flags = (entry.flag_bits & _UTF8) | _STREAMED
        # Only where it may be needed: Excel opens streamed entries, but not all that say so in the long form.
        long = entry.file_size * _MADE_LARGER > _ZIP64_FROM
        begun = _Written(entry, flags, zipfile.ZIP_DEFLATED, 0, 0, 0, self.at)
        yield self._header(begun, long=long)
        deflater = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)
        crc = packed = size = 0
        for piece in pieces:
            crc = isal_zlib.crc32(piece, crc)
            size += len(piece)
            if out := deflater.compress(piece):
                packed += len(out)
                yield out
        out = deflater.flush()
        packed += len(out)
        yield out
        if not long and max(packed, size) > _ZIP64_FROM:
            raise OverflowError("the sheet grew past 4 GiB")
        tail = struct.pack("<4sLQQ" if long else "<4sLLL", b"PK\x07\x08", crc, packed, size)
        yield tail
        self.at += packed + len(tail)
        self.written.append(begun._replace(crc=crc, packed=packed, size=size))

    def _header(self, done: _Written, *, long: bool = False) -> bytes:
        entry, name = done.entry, _name_bytes(done.entry)
        sizes, extra = (done.packed, done.size), b""
        if long or max(sizes) >= _ZIP64_FROM:
            extra = struct.pack("<HHQQ", 1, 16, done.size, done.packed)
            sizes = (_ZIP64_FROM, _ZIP64_FROM)
        day, time = _dos_moment(entry)
        version = 45 if extra else 20
        head = _LOCAL.pack(
            b"PK\x03\x04", version, done.flags, done.method, time, day, done.crc, *sizes, len(name), len(extra)
        )
        self.at += len(head) + len(name) + len(extra)
        return head + name + extra

    def directory(self, comment: bytes) -> Iterator[bytes]:
        """The directory and the end of the zip."""
        begins = self.at
        for done in self.written:
            line = _directory_line(done)
            self.at += len(line)
            yield line
        count, size = len(self.written), self.at - begins
        if count >= _ENTRIES_FROM or max(size, begins) >= _ZIP64_FROM:
            yield _END64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, begins)
            yield _LOCATOR64.pack(b"PK\x06\x07", 0, self.at, 1)
        count, size, begins = min(count, _ENTRIES_FROM), min(size, _ZIP64_FROM), min(begins, _ZIP64_FROM)
        yield _END.pack(b"PK\x05\x06", 0, 0, count, count, size, begins, len(comment)) + comment


def _directory_line(done: _Written) -> bytes:
    entry, name = done.entry, _name_bytes(done.entry)
    long = [value for value in (done.size, done.packed, done.at) if value >= _ZIP64_FROM]
    extra = struct.pack(f"<HH{len(long)}Q", 1, 8 * len(long), *long) if long else b""
    day, time = _dos_moment(entry)
    version = 45 if long else 20
    head = _CENTRAL.pack(
        b"PK\x01\x02", entry.create_version, entry.create_system, version, 0, done.flags, done.method, time, day,
        done.crc, min(done.packed, _ZIP64_FROM), min(done.size, _ZIP64_FROM), len(name), len(extra),
        len(entry.comment), 0, entry.internal_attr, entry.external_attr, min(done.at, _ZIP64_FROM),
    )  # fmt: skip
    return head + name + extra + entry.comment


def _name_bytes(entry: zipfile.ZipInfo) -> bytes:
    """The name as it is in the zip: zipfile decoded it by the flag."""
    return entry.orig_filename.encode("utf-8" if entry.flag_bits & _UTF8 else "cp437")


def _dos_moment(entry: zipfile.ZipInfo) -> tuple[int, int]:
    year, month, day, hour, minute, second = entry.date_time
    return (max(year - 1980, 0) << 9) | month << 5 | day, hour << 11 | minute << 5 | second // 2


def _inflate(packed: Iterator[bytes]) -> Iterator[bytes]:
    """Inflate in pieces of bounded size, however well the content was compressed."""
    inflater = isal_zlib.decompressobj(-15)
    try:
        for piece in packed:
            left = piece
            while left and not inflater.eof:
                if out := inflater.decompress(left, PIECE_BYTES):
                    yield out
                left = inflater.unconsumed_tail
        while not inflater.eof and (out := inflater.decompress(inflater.unconsumed_tail, PIECE_BYTES)):
            yield out
        if rest := inflater.flush():
            yield rest
    # isal's stub calls this class an instance.
    except IsalError as error:  # type: ignore[misc]
        raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE, str(error)) from error
