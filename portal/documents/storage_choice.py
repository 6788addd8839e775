"""Chooses the storage that the settings name. It must not know Flask."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portal.config import SettingError
from portal.documents.s3_storage import Bucket, NoS3Library, S3Storage
from portal.documents.storage import LocalStorage

MB = 1024 * 1024


def storage_of(settings: Mapping[str, Any]) -> LocalStorage:
    """Return the storage of these settings: a folder, by default in PORTAL_DATA_DIR, or a bucket. Raises SettingError
    when what a bucket needs is not installed."""
    url: str = settings["STORAGE_URL"]
    folder: Path = settings["PORTAL_DATA_DIR"] / "documents"
    if not url.startswith("s3://"):
        return LocalStorage(Path(url) if url else folder)
    name, _, prefix = url.removeprefix("s3://").partition("/")
    bucket = Bucket(
        name, prefix, settings["STORAGE_ENDPOINT"], settings["STORAGE_REGION"], settings["STORAGE_ACCESS_KEY"],
        settings["STORAGE_SECRET_KEY"], settings["STORAGE_ENCRYPTION"], settings["STORAGE_KMS_KEY"],
    )  # fmt: skip
    try:
        return S3Storage(bucket, settings["PORTAL_DATA_DIR"] / "fetched", settings["STORAGE_CACHE_MB"] * MB)
    except NoS3Library as error:
        raise SettingError(
            "STORAGE_URL names a bucket, but boto3 is missing. Run `python3 deploy/set_up.py s3`, or `make run` with "
            "STORAGE_URL in .env."
        ) from error
