"""What an .xls says about itself is compared with its size before the parser allocates it."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.documents.reader import parent
from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable

GOOD = Path(__file__).parents[2] / "fixtures" / "clientes.xls"
MANY = 0x00FFFFFF


def field(at: int, value: int = MANY) -> Callable[[bytearray], None]:
    return lambda raw: struct.pack_into("<I", raw, at, value)


def sector(raw: bytearray, number: int) -> int:
    """Where a sector begins."""
    return (number + 1) << struct.unpack_from("<H", raw, 30)[0]


def difat_that_leads_to_itself(raw: bytearray) -> None:
    size = sector(raw, 0)
    raw.extend(bytes(-len(raw) % size))
    number = len(raw) // size - 1
    raw.extend(struct.pack("<I", number) * (size // 4))
    struct.pack_into("<II", raw, 68, number, 1)


def directory_that_leads_to_itself(raw: bytearray) -> None:
    (fat,), (start,) = struct.unpack_from("<I", raw, 76), struct.unpack_from("<I", raw, 48)
    struct.pack_into("<I", raw, sector(raw, fat) + 4 * start, start)


def stream_that_leads_to_itself(raw: bytearray) -> None:
    at = raw.find("Workbook\0".encode("utf-16-le"))
    (fat,), (start,) = struct.unpack_from("<I", raw, 76), struct.unpack_from("<I", raw, at + 116)
    struct.pack_into("<I", raw, sector(raw, fat) + 4 * start, start)


def stream_larger_than_the_file(raw: bytearray) -> None:
    at = raw.find("Workbook\0".encode("utf-16-le"))
    struct.pack_into("<I", raw, at + 120, 0x7FFFFFFF)


def sectors_of_another_size(raw: bytearray) -> None:
    struct.pack_into("<H", raw, 30, 31)


HOSTILE = {
    "fat_count": field(44),
    "directory_count": field(40),
    "mini_fat_count": field(64),
    "difat_count": field(72),
    "difat_outside": field(68, 5000),
    "directory_outside": field(48, 5000),
    "difat_cycle": difat_that_leads_to_itself,
    "directory_cycle": directory_that_leads_to_itself,
    "stream_cycle": stream_that_leads_to_itself,
    "long_stream": stream_larger_than_the_file,
    "sector_size": sectors_of_another_size,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_true_is_refused_before_it_is_allocated(tmp_path: Path, name: str) -> None:
    """Else it is the memory limit that ends the reading process, on a machine that may have less."""
    raw = bytearray(GOOD.read_bytes())
    HOSTILE[name](raw)
    (path := tmp_path / "hostile.xls").write_bytes(raw)
    with pytest.raises(Unreadable) as refused:
        parent.read(path, path.name, lambda index: tmp_path / f"{index}.jsonl", ReadLimits())
    assert refused.value.problem is FileProblem.DAMAGED


def test_a_good_one_is_read(tmp_path: Path) -> None:
    for good in GOOD.parent.glob("*.xls"):
        assert parent.read(good, good.name, lambda index: tmp_path / f"{index}.jsonl", ReadLimits())


@pytest.mark.parametrize("kind", ["XOR", "RC4"])
@pytest.mark.parametrize("before", [0, 1], ids=["after BOF", "after a record about writing"])
def test_a_password_is_called_that_whatever_the_stored_file_is_called(tmp_path: Path, kind: str, before: int) -> None:
    raw = bytearray(GOOD.read_bytes())
    entry = raw.find("Workbook\0".encode("utf-16-le"))
    root = sector(raw, struct.unpack_from("<I", raw, 48)[0])  # the directory's first entry
    short_streams = sector(raw, struct.unpack_from("<I", raw, root + 116)[0])
    at = short_streams + 64 * struct.unpack_from("<I", raw, entry + 116)[0]
    for _ in range(1 + before):  # behind the record that begins the workbook
        at += 4 + struct.unpack_from("<H", raw, at + 2)[0]
    struct.pack_into("<HHH", raw, at, 0x002F, struct.unpack_from("<H", raw, at + 2)[0], int(kind == "RC4"))
    path = tmp_path / "0123456789abcdef"  # as the storage names files
    path.write_bytes(raw)
    with pytest.raises(Unreadable) as raised:
        parent.read(path, "clientes.xls", lambda index: tmp_path / f"{index}.jsonl", ReadLimits())
    assert raised.value.problem is FileProblem.ENCRYPTED
