"""Check an .xls file's own tables of sectors against its size, before the parser allocates what they claim, and whether
it needs a password. Pure.

An .xls is a small file system ([MS-CFB], "compound file"): a header, sectors, a table that chains them (FAT), a table
of that table's sectors (DIFAT) and a directory. calamine believes their counts and follows their chains to the end: a
file of 3 kB whose DIFAT leads back to itself took 958 MiB. Runs in the child process only.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from portal.documents.reader.limits import FileProblem, Unreadable

_HEADER_BYTES, _ENTRY_BYTES = 512, 128
_FIRST_FAT_SECTORS = 109  # those that the header itself lists
_END = 0xFFFFFFFA  # from here on a sector's number is a mark: end of chain, free, part of the FAT or the DIFAT
_STREAM, _ROOT = 2, 5
_SHORT_STREAM = 4096  # shorter streams are inside the root's, in sectors of 64 bytes with a table of their own
_SHORT_SECTOR = 64
_WORKBOOKS = frozenset({"workbook", "book"})  # names of the stream with the sheets
_BEGINS, _PASSWORD = frozenset({0x0009, 0x0209, 0x0409, 0x0809}), 0x002F  # records BOF and FilePass ([MS-XLS] 2.4)
_RECORDS_BEFORE_PASSWORD = 4  # FilePass follows BOF, or a record about who may write


class _Header(NamedTuple):
    """The header's fields that the parser believes, in sectors."""

    sector_shift: int
    directory_count: int
    fat_count: int
    directory_start: int
    mini_fat_start: int
    mini_fat_count: int
    difat_start: int
    difat_count: int


def check_ole(path: Path) -> None:
    """Raise Unreadable: damaged when a count is larger than the file has room for, or a chain has no end; encrypted
    when the sheets need a password."""
    size = path.stat().st_size
    raw = path.read_bytes() if size >= _HEADER_BYTES else b""
    try:
        sectors = _Sectors(raw, _header(raw))
        sectors.check()
        encrypted = sectors.needs_password()
    except (struct.error, IndexError, ValueError, StopIteration) as error:
        raise Unreadable(FileProblem.DAMAGED) from error
    if encrypted:
        raise Unreadable(FileProblem.ENCRYPTED)


def workbook_stream(path: Path) -> bytes:
    """Return the stream with the sheets of a file that `check_ole` was satisfied with. Raises ValueError when there is
    none, or several."""
    raw = path.read_bytes()
    sectors = _Sectors(raw, _header(raw))
    sectors.check()
    return sectors.workbook()


def _header(raw: bytes) -> _Header:
    (shift,) = struct.unpack_from("<H", raw, 30)
    directory, fat, start = struct.unpack_from("<3I", raw, 40)
    return _Header(shift, directory, fat, start, *struct.unpack_from("<4I", raw, 60))


class _Sectors:
    def __init__(self, raw: bytes, header: _Header) -> None:
        if header.sector_shift not in (9, 12):
            raise ValueError("the size of a sector")
        self.raw, self.header, self.size = raw, header, 1 << header.sector_shift
        self.count = -(-(len(raw) - self.size) // self.size)  # the header takes the place of the first one
        self.numbers = f"<{self.size // 4}I"  # a sector as a table
        self.fat: list[int] = []
        self.mini_fat: list[int] = []  # of the sectors of 64 bytes

    def check(self) -> None:
        """Raise ValueError, IndexError or struct.error for a table that cannot be true."""
        header = self.header
        if max(header.directory_count, header.fat_count, header.mini_fat_count, header.difat_count) > self.count:
            raise ValueError("a count")
        for number in self._fat_sectors():
            self.fat += struct.unpack(self.numbers, self._sector(number))
        for number in _walk(header.mini_fat_start, self.fat):
            self.mini_fat += struct.unpack(self.numbers, self._sector(number))
        for _, kind, start, length in self._entries():
            if kind not in (_STREAM, _ROOT):
                continue
            if length > len(self.raw):
                raise ValueError("a stream's length")
            in_root = kind == _STREAM and length < _SHORT_STREAM
            _walk(start, self.mini_fat if in_root else self.fat)

    def _fat_sectors(self) -> Iterator[int]:
        """The sectors of the FAT: those in the header, then those that the DIFAT lists, each at most once."""
        listed = list(struct.unpack_from(f"<{_FIRST_FAT_SECTORS}I", self.raw, 76))
        number, seen = self.header.difat_start, 0
        while number < _END:
            seen += 1
            if seen > self.count:
                raise ValueError("the DIFAT has no end")
            *more, number = struct.unpack(self.numbers, self._sector(number))
            listed += more
        found = [one for one in listed if one < _END]
        if len(found) > self.count:
            raise ValueError("more FAT than file")
        yield from found

    def needs_password(self) -> bool:
        """Return whether the stream with the sheets is encrypted: the parser would say so only of some of them."""
        for name, kind, start, length in self._entries():
            if kind == _STREAM and name.lower() in _WORKBOOKS and length:
                head, at = self._head(start, length), 0
                for position in range(_RECORDS_BEFORE_PASSWORD):
                    record, size = struct.unpack_from("<HH", head, at)
                    if record == _PASSWORD:
                        return position > 0
                    if position == 0 and record not in _BEGINS:
                        break
                    at += 4 + size
                    if at + 4 > len(head):
                        break
        return False

    def workbook(self) -> bytes:
        """Return the stream with the sheets. Raises ValueError when there is none, or several."""
        ((start, length),) = [(first, size) for name, kind, first, size in self._entries()
                              if kind == _STREAM and name.lower() in _WORKBOOKS]  # fmt: skip
        if length >= _SHORT_STREAM:
            return b"".join(map(self._sector, _walk(start, self.fat)))[:length]
        root = next(first for _, kind, first, _ in self._entries() if kind == _ROOT)
        raw = b"".join(map(self._sector, _walk(root, self.fat)))
        places = (number * _SHORT_SECTOR for number in _walk(start, self.mini_fat))
        return b"".join(raw[place : place + _SHORT_SECTOR] for place in places)[:length]

    def _head(self, start: int, length: int) -> bytes:
        """The first bytes of a stream: one sector, or the rest of the one that holds a short stream."""
        if length >= _SHORT_STREAM:
            return self._sector(start)
        root = next(first for _, kind, first, _ in self._entries() if kind == _ROOT)
        place, within = divmod(start * _SHORT_SECTOR, self.size)
        return self._sector(_walk(root, self.fat)[place])[within:]

    def _entries(self) -> Iterator[tuple[str, int, int, int]]:
        """Name, kind, first sector and length of each entry of the directory."""
        for number in _walk(self.header.directory_start, self.fat):
            sector = self._sector(number)
            for at in range(0, self.size, _ENTRY_BYTES):
                # In files with small sectors, the upper half of the length may be anything.
                start, length = struct.unpack_from("<II" if self.size == 512 else "<IQ", sector, at + 116)
                (size,) = struct.unpack_from("<H", sector, at + 64)
                name = sector[at : at + min(size, 64)].decode("utf-16-le", "replace").rstrip("\0")
                yield name, sector[at + 66], start, length

    def _sector(self, number: int) -> bytes:
        """One sector; the file's last one may be cut short, and is filled up with zeros."""
        if number >= self.count:
            raise IndexError(number)
        return self.raw[(number + 1) * self.size : (number + 2) * self.size].ljust(self.size, b"\0")


def _walk(number: int, table: Sequence[int]) -> list[int]:
    """Follow a chain through its table to the end, and return its sectors."""
    chain: list[int] = []
    while number < _END:
        chain.append(number)
        if len(chain) > len(table):
            raise ValueError("a chain has no end")
        number = table[number]
    return chain
