"""The records of a part of an xlsb. Pure. Format: [MS-XLSB] 2.1.4."""

from collections.abc import Iterator
from struct import Struct

WORD, LONG, REAL = Struct("<H"), Struct("<I"), Struct("<d")


def records(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Each record's kind, and where its content begins and ends. Raises IndexError for a part that is cut short.

    A record is a kind of one or two bytes, a length of one to four bytes (seven bits each), then the content.
    """
    at, size = 0, len(raw)
    while at < size:
        kind = raw[at]
        at += 1
        if kind & 0x80:
            kind = (kind & 0x7F) | ((raw[at] & 0x7F) << 7)
            at += 1
        length = raw[at]
        at += 1
        if length & 0x80:
            length &= 0x7F
            for shift in (7, 14, 21):
                byte = raw[at]
                at += 1
                length |= (byte & 0x7F) << shift
                if not byte & 0x80:
                    break
        yield kind, at, at + length
        at += length


def wide_text(raw: bytes, at: int) -> tuple[str, int]:
    """A text with its length before it, and where it ends. A length of all ones is no text."""
    (count,) = LONG.unpack_from(raw, at)
    if count == 0xFFFFFFFF:
        return "", at + 4
    end = at + 4 + 2 * count
    if end > len(raw):
        raise IndexError("a text beyond the end")
    return raw[at + 4 : end].decode("utf-16-le", "replace"), end
