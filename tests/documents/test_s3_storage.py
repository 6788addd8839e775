"""The storage in a bucket, on a real S3 server."""

import io
import os
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.clock import utcnow
from portal.config import SettingError, read_settings
from portal.database import db
from portal.documents import intake
from portal.documents.models import Document, Reading
from portal.documents.reader.limits import ReadLimits
from portal.documents.s3_storage import IN_USE_SECONDS, PIECE_BYTES, Bucket, S3Storage
from portal.documents.storage import CONVERTED, BadKey, StorageAway, TooManyBytes, sheet_part
from portal.documents.upload import receive
from portal.jobs import erasure
from portal.jobs.admin import phone_search
from portal.jobs.core.erasure_tables import Erasure, ErasureState
from portal.jobs.export.copy import loss_words, workbook_path
from portal.jobs.number_erasure import orders, runner
from tests.documents.test_storage import BAD_KEYS
from tests.support.doors import Door
from tests.support.s3 import KEYS, S3Server, s3_server

MB = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(server: S3Server) -> str:
    return server.new_bucket()


@pytest.fixture
def door(server: S3Server) -> Iterator[Door]:
    with server.door() as door:
        yield door


def machine(folder: Path, bucket: str, door: Door, **more: str) -> S3Storage:
    """The storage as another machine sees it, with a folder of its own."""
    where = Bucket(bucket, "portal", door.url, KEYS["STORAGE_REGION"], "anybody", "may come in", **more)
    return S3Storage(where, folder, cache_bytes=100 * MB)


@pytest.fixture
def one(tmp_path: Path, bucket: str, door: Door) -> S3Storage:
    return machine(tmp_path / "one", bucket, door)


@pytest.fixture
def two(tmp_path: Path, bucket: str, door: Door) -> S3Storage:
    return machine(tmp_path / "two", bucket, door)


def test_what_one_machine_stores_the_other_reads(one: S3Storage, two: S3Storage) -> None:
    stored = one.put(io.BytesIO(b"612345678"))
    one.path(stored.key, sheet_part(0)).write_text("rows")
    one.put_derived(stored.key, sheet_part(0))
    assert two.exists(stored.key) and two.is_here(stored.key)
    assert two.fetch(stored.key).read_bytes() == b"612345678"
    assert two.fetch(stored.key, sheet_part(0)).read_text() == "rows"
    assert two.fetch(stored.key).stat().st_mode & 0o077 == 0
    with pytest.raises(FileNotFoundError):
        two.fetch(stored.key, CONVERTED)
    with pytest.raises(FileNotFoundError):
        two.fetch("0" * 32)


def test_copies_are_read_without_the_bucket_and_so_is_that_there_is_no_such_part(two: S3Storage, door: Door) -> None:
    key = two.put(io.BytesIO(b"6")).key
    with pytest.raises(FileNotFoundError):
        two.fetch(key, CONVERTED)
    door.shut()
    assert two.fetch(key).read_bytes() == b"6"
    with pytest.raises(FileNotFoundError):
        two.fetch(key, CONVERTED)
    with pytest.raises(StorageAway):
        two.fetch("0" * 32)


def test_a_large_file_is_streamed_both_ways(one: S3Storage, two: S3Storage) -> None:
    size = 4 * PIECE_BYTES + 1
    one.put(io.BytesIO(b"warm up"))
    tracemalloc.start()
    try:
        with open("/dev/zero", "rb") as zeros:
            left = [size]

            class Stream:
                def read(self, most: int = -1, /) -> bytes:
                    piece = zeros.read(min(most, left[0]))
                    left[0] -= len(piece)
                    return piece

            key = one.put(Stream()).key
        assert two.fetch(key).stat().st_size == size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * PIECE_BYTES, "one piece at a time"


def test_a_stream_that_is_too_long_or_a_bucket_that_is_away_leaves_nothing(
    one: S3Storage, server: S3Server, bucket: str, door: Door
) -> None:
    with pytest.raises(TooManyBytes):
        one.put(io.BytesIO(b"12345"), max_bytes=4)
    door.shut()
    with pytest.raises(StorageAway):
        one.put(io.BytesIO(b"1"))
    assert server.names(bucket) == []
    assert not [path for path in one.root.rglob("*") if path.is_file()]
    door.open()
    assert one.put(io.BytesIO(b"1")).size_bytes == 1


def test_no_key_leads_out_of_the_prefix(tmp_path: Path, door: Door) -> None:
    one = machine(tmp_path, "no-such-bucket", door)
    for key in BAD_KEYS:
        for verb in (one.path, one.fetch, one.exists, one.is_here, one.delete, one.changed_at, one.forget):
            with pytest.raises(BadKey):
                verb(key)


def test_deleting_removes_every_part_of_this_key_only(one: S3Storage, server: S3Server, bucket: str) -> None:
    gone, kept = one.put(io.BytesIO(b"a")).key, one.put(io.BytesIO(b"b")).key
    for key in (gone, kept):
        one.path(key, sheet_part(0)).write_text("rows")
        one.put_derived(key, sheet_part(0))
    one.delete(gone)
    one.delete(gone)
    assert all(kept in name and name.startswith("portal/") for name in server.names(bucket))
    assert len(server.names(bucket)) == 2
    assert not one.path(gone).exists() and one.path(kept).exists()


def test_files_are_encrypted_as_the_settings_say(tmp_path: Path, server: S3Server, bucket: str, door: Door) -> None:
    key = machine(tmp_path, bucket, door, encryption="aws:kms", kms_key="ours").put(io.BytesIO(b"6")).key
    facts = server.client().head_object(Bucket=bucket, Key=f"portal/{key[:2]}/{key[2:4]}/{key}")
    assert (facts["ServerSideEncryption"], facts["SSEKMSKeyId"]) == ("aws:kms", "ours")


def test_copies_are_bounded_and_those_in_use_stay(one: S3Storage) -> None:
    keys = [one.put(io.BytesIO(b"x" * 1000)).key for _ in range(4)]
    now = utcnow().timestamp()
    for n, key in enumerate(keys):
        os.utime(one.path(key), (now - 10_000 + n, now - 10_000 + n))
    one.fetch(keys[0])
    one.cache_bytes = 2000
    one.bound(now + 1)
    assert [one.path(key).exists() for key in keys] == [True, False, False, True]
    one.cache_bytes = 0
    one.bound(now + 1)
    assert [one.path(key).exists() for key in keys] == [True, False, False, False], "somebody may be reading it"
    one.bound(now + IN_USE_SECONDS + 2)
    assert not any(one.path(key).exists() for key in keys)
    assert one.fetch(keys[3]).stat().st_size == 1000


def test_orphans_are_found_by_prefix_and_unfinished_uploads_are_aborted(
    one: S3Storage, server: S3Server, bucket: str
) -> None:
    key = one.put(io.BytesIO(b"6")).key
    part, tomorrow = int(key[:2], 16), utcnow().timestamp() + 60
    client = server.client()
    client.put_object(Bucket=bucket, Key=f"portal/{key[:2]}/somebody-elses", Body=b"")
    unfinished = f"portal/{key[:2]}/00/{key[:2]}{'0' * 30}"
    client.create_multipart_upload(Bucket=bucket, Key=unfinished)
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert one.old_keys(part, tomorrow - 120) == []
    assert one.old_keys(part, tomorrow) == [key]
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert one.old_keys(part + 1, tomorrow) == []
    assert 0 < one.changed_at(key) <= utcnow().timestamp() + 1


@pytest.fixture
def document(app: Flask, alice: User, one: S3Storage, two: S3Storage) -> Document:
    """A file that the web page of one machine took, and a worker of the other is to read."""
    return receive(io.BytesIO(b"Tel\n612345678\n"), "clientes.csv", alice.id, one, MB, utcnow())


def test_another_machine_reads_an_upload(document: Document, one: S3Storage, two: S3Storage) -> None:
    assert intake.read_document(document.id, two, ReadLimits(), utcnow())
    db.session.refresh(document)
    assert document.state == Reading.READY
    assert one.fetch(document.storage_key, sheet_part(0)).read_text().count("\n") == 2


def test_another_machine_shows_how_a_text_is_read_and_has_it_read_again(
    app: Flask, as_alice: FlaskClient, document: Document, one: S3Storage, two: S3Storage, server: S3Server, bucket: str
) -> None:
    assert intake.read_document(document.id, two, ReadLimits(), utcnow())
    app.extensions["storage"] = one
    one.forget(old := document.storage_key)
    assert "612345678" in as_alice.get(f"/documents/{document.id}/text", query_string={"encoding": "cp1252"}).text
    as_alice.post(f"/documents/{document.id}/text", data={"encoding": "cp1252", "delimiter": "comma"})
    db.session.refresh(document)
    assert document.state == Reading.READING and document.storage_key != old
    assert all(document.storage_key in name for name in server.names(bucket))
    assert intake.read_document(document.id, two, ReadLimits(), utcnow())


def test_a_bucket_that_is_away_uses_up_no_try(document: Document, two: S3Storage, door: Door) -> None:
    door.shut()
    for hours in range(4):
        with pytest.raises(StorageAway):
            intake.read_document(document.id, two, ReadLimits(), utcnow() + timedelta(hours=hours))
    db.session.refresh(document)
    assert (document.state, document.read_attempts) == (Reading.READING, 0)
    door.open()
    assert intake.read_document(document.id, two, ReadLimits(), utcnow() + timedelta(hours=5))
    db.session.refresh(document)
    assert document.state == Reading.READY


def test_a_file_is_erased_only_when_the_bucket_has_deleted_it(
    document: Document, one: S3Storage, two: S3Storage, server: S3Server, bucket: str, door: Door
) -> None:
    two.fetch(document.storage_key)
    document.deleted_at = utcnow()
    db.session.commit()
    door.shut()
    assert list(erasure.erase_files(utcnow(), one)) == []
    assert document.erased_at is None
    door.open()
    assert list(erasure.erase_files(utcnow(), one)) == [document.id]
    assert server.names(bucket) == []
    assert two.path(document.storage_key).exists()
    assert erasure.forget_copies(utcnow(), two) == 1, "each machine deletes its own copies"
    assert not two.path(document.storage_key).exists()


def test_copies_of_a_file_that_no_document_knows_go_after_a_day(document: Document, one: S3Storage) -> None:
    unknown = one.put(io.BytesIO(b"6")).key
    assert erasure.forget_copies(utcnow(), one) == 0
    assert erasure.forget_copies(utcnow() + timedelta(days=2), one) == 1
    assert not one.path(unknown).exists() and one.path(document.storage_key).exists()


def test_orphans_in_the_bucket_are_deleted(document: Document, one: S3Storage, door: Door) -> None:
    document.created_at -= timedelta(minutes=1)  # a bucket counts whole seconds
    db.session.commit()
    orphan = one.put(io.BytesIO(b"6")).key
    deleted, midnight = set(), utcnow() + timedelta(days=2)
    for n in range(256):
        at = midnight + timedelta(minutes=n)
        if int(at.timestamp() // 60) % 256 in (int(orphan[:2], 16), int(document.storage_key[:2], 16)):
            deleted |= set(erasure.erase_orphans(at, one))
    assert deleted == {orphan}
    assert one.exists(document.storage_key)
    door.shut()
    assert list(erasure.erase_orphans(midnight, one)) == []


def test_pages_say_try_again_while_the_bucket_is_away(
    app: Flask, as_alice: FlaskClient, document: Document, two: S3Storage, one: S3Storage, door: Door
) -> None:
    intake.read_document(document.id, one, ReadLimits(), utcnow())
    app.extensions["storage"] = two
    door.shut()
    page = as_alice.get(f"/documents/{document.id}")
    assert page.status_code == 503 and "Nothing is lost" in page.text and page.headers["Retry-After"]
    upload = as_alice.post("/documents", data={"file": (io.BytesIO(b"Tel\n612345678\n"), "a.csv")})
    assert upload.status_code == 422 and "could not be saved right now" in upload.text
    assert loss_words(document, two) == ""
    with pytest.raises(StorageAway):
        workbook_path(document, two)
    door.open()
    assert as_alice.get(f"/documents/{document.id}").status_code == 200


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"STORAGE_URL": "s3:/bucket"}, "STORAGE_URL"),
        ({"STORAGE_URL": "gs://bucket"}, "STORAGE_URL"),
        ({"STORAGE_URL": "folder"}, "STORAGE_URL"),
        ({"STORAGE_ACCESS_KEY": "a"}, "STORAGE_SECRET_KEY"),
        ({"STORAGE_KMS_KEY": "a", "STORAGE_ENCRYPTION": "AES256"}, "STORAGE_ENCRYPTION"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, given: dict[str, str], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        read_settings({"PORTAL_DATA_DIR": str(tmp_path), **given})


def test_a_folder_may_be_named_too(tmp_path: Path) -> None:
    from portal.documents.storage_choice import storage_of

    settings = read_settings({"PORTAL_DATA_DIR": str(tmp_path), "STORAGE_URL": f"{tmp_path}/shared/"})
    assert storage_of(settings).root == tmp_path / "shared"
    settings = read_settings({"PORTAL_DATA_DIR": str(tmp_path), "STORAGE_URL": "s3://bucket/a/b/"})
    storage = storage_of(settings)
    assert isinstance(storage, S3Storage) and (storage.bucket.name, storage.bucket.prefix) == ("bucket", "a/b")


def test_an_erased_number_goes_from_the_bucket_and_from_every_machine(
    app: Flask, as_alice: FlaskClient, ada: User, one: S3Storage, two: S3Storage, server: S3Server, bucket: str,
    door: Door,
) -> None:  # fmt: skip
    number = "612345678"
    app.extensions["storage"] = one
    content = f"Nombre;Tel\nAna;{number}\nLuis;699111222\n".encode()
    answer = as_alice.post("/documents", data={"file": (io.BytesIO(content), "clientes.csv")})
    document_id = int(answer.location.rsplit("/", 1)[1])
    intake.read_document(document_id, two, ReadLimits(), utcnow())  # the other machine reads it, and keeps a copy

    def left() -> list[str]:
        stored = [server.client().get_object(Bucket=bucket, Key=name)["Body"].read() for name in server.names(bucket)]
        here = [path.read_bytes() for root in (one.root, two.root) for path in root.rglob("*") if path.is_file()]
        return [piece.decode("latin-1") for piece in (*stored, *here) if number.encode() in piece]

    assert len(left()) >= 4
    key = phone_search.begin(ada, number, "ES", utcnow())
    assert key is not None
    order = orders.begin(ada, key, "carta", utcnow())
    assert order is not None
    order_id = order.id
    one.forget(db.session.get_one(Document, document_id).storage_key)  # it has to be fetched
    db.session.commit()
    door.shut()
    runner.work(order_id, one)  # nothing is lost while the bucket is away
    db.session.rollback()
    assert left()
    door.open()
    while runner.work(order_id, one):
        pass
    assert db.session.get_one(Erasure, order_id, populate_existing=True).state == ErasureState.DONE
    db.session.commit()
    assert erasure.forget_copies(utcnow(), two) == 1
    assert left() == []
    key = db.session.get_one(Document, document_id).storage_key
    assert b"Ana;erased\n" in two.fetch(key).read_bytes()
