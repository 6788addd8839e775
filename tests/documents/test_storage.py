"""Files are stored under our own names, completely or not at all, and deleted with everything derived from them."""

import hashlib
import io
import stat
from pathlib import Path

import pytest

from portal.documents.storage import CHUNK_BYTES, BadKey, LocalStorage, TooManyBytes


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "documents")


def test_it_stores_content_hash_and_size(storage: LocalStorage) -> None:
    content = b"612345678\n" * CHUNK_BYTES
    stored = storage.put(io.BytesIO(content))
    assert (stored.sha256, stored.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    with storage.fetch(stored.key).open("rb") as file:
        assert file.read() == content
    assert storage.exists(stored.key)


def test_same_content_twice_is_two_files(storage: LocalStorage) -> None:
    first, second = storage.put(io.BytesIO(b"x")), storage.put(io.BytesIO(b"x"))
    assert first.key != second.key
    storage.delete(first.key)
    assert storage.exists(second.key)


def test_only_the_portals_user_can_read_a_file(storage: LocalStorage) -> None:
    path = storage.path(storage.put(io.BytesIO(b"x")).key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("size", "fits"), [(10, True), (11, False), (CHUNK_BYTES * 3, False)])
def test_a_stream_above_the_limit_leaves_nothing(tmp_path: Path, size: int, fits: bool) -> None:
    storage = LocalStorage(tmp_path, max_bytes=10)
    if fits:
        assert storage.put(io.BytesIO(b"x" * size)).size_bytes == size
        return
    with pytest.raises(TooManyBytes) as raised:
        storage.put(io.BytesIO(b"x" * size))
    assert raised.value.limit_bytes == 10
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_broken_stream_leaves_nothing(storage: LocalStorage) -> None:
    class Broken:
        pieces = [b"first"]

        def read(self, size: int = -1, /) -> bytes:
            if not self.pieces:
                raise ConnectionResetError
            return self.pieces.pop()

    with pytest.raises(ConnectionResetError):
        storage.put(Broken())
    assert [path for path in storage.root.rglob("*") if path.is_file()] == []


BAD_KEYS = ["", "..", "../../etc/passwd", "/etc/passwd", "a" * 31, "A" * 32, "a" * 32 + "\n", "a/b"]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_no_key_leads_out_of_the_folder(storage: LocalStorage, key: str) -> None:
    for verb in (storage.path, storage.fetch, storage.delete, storage.exists):
        with pytest.raises(BadKey):
            verb(key)
    with pytest.raises(BadKey):
        storage.sheet_path(key, 0)


def test_delete_removes_sheets_and_may_be_repeated(storage: LocalStorage) -> None:
    gone, kept = storage.put(io.BytesIO(b"a")).key, storage.put(io.BytesIO(b"b")).key
    for key in (gone, kept):
        storage.sheet_path(key, 0).write_text("[]\n")
        storage.sheet_path(key, 11).write_text("[]\n")
    left_by_a_killed_reader = storage.path(gone).with_name(f"{gone}.reading-xyz")
    left_by_a_killed_reader.mkdir()
    (left_by_a_killed_reader / "0.jsonl").write_text("[]\n")
    storage.delete(gone)
    storage.delete(gone)
    left = {path for path in storage.root.rglob("*") if path.is_file()}
    assert left == {storage.path(kept), storage.sheet_path(kept, 0), storage.sheet_path(kept, 11)}
    assert not left_by_a_killed_reader.exists()
    with pytest.raises(FileNotFoundError):
        storage.fetch(gone)
