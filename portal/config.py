"""The settings: read once at start from the environment and `.env`, converted and checked; an error names the variable.

It must not know Flask. `SETTINGS` is the complete list; a test compares the README's table with it. `setting_types`
reads the text of each.
"""

import hashlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from portal import setting_types as types
from portal.setting_types import SHORTEST_KEY, Setting, SettingError

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ("es", "en")  # the languages of the portal
MAX_RETRIES = 100
MAX_TIMEOUT_MINUTES = 10_080  # a week


SETTINGS = (
    Setting("PORTAL_PORT", "8000", types.whole(1, 65535), "a port from 1 to 65535"),
    Setting("PORTAL_HOST", "127.0.0.1", str, "the address to listen on"),
    Setting("PORTAL_DATA_DIR", "var", str, "a folder"),
    Setting("PORTAL_ROLE", "all", types.one_of("all", "web", "worker"), "all, web or worker"),
    Setting("PORTAL_MACHINE", "", types.machine, "up to 80 letters, digits, dots, - or _"),
    Setting("PORTAL_INTAKE_WORKERS", "1", types.whole(1, 64), "a whole number from 1 to 64"),
    Setting("PORTAL_WORKERS", "3", types.whole(1, 64), "a whole number from 1 to 64"),
    Setting("PORTAL_WORKERS_PER_PERSON", "0", types.whole(0, 64), "a whole number from 0 to 64; 0: all but one"),
    Setting("LIVE", "stream", types.one_of("stream", "poll"), "stream or poll"),
    Setting("PUBLIC_URL", "", types.address("http://", "https://"), "an address that starts with http:// or https://"),
    Setting("SECRET_KEY", "", types.key, f"a random text of at least {SHORTEST_KEY} characters", secret=True),
    Setting(
        "SECRET_KEY_FALLBACKS",
        "",
        types.keys,
        f"earlier keys of at least {SHORTEST_KEY} characters, separated by commas",
        True,
    ),
    Setting("DATABASE_URL", "", types.database, "an address that starts with postgresql:// or sqlite:///", secret=True),
    Setting(
        "REDIS_URL", "", types.address("redis://", "rediss://", "unix://"), "an address that starts with redis://", True
    ),
    Setting("STORAGE_URL", "", types.storage, "a folder that begins with /, or s3://bucket/prefix"),
    Setting(
        "STORAGE_ENDPOINT", "", types.address("http://", "https://"), "an address that starts with http:// or https://"
    ),
    Setting("STORAGE_REGION", "", str, "the name of a region"),
    Setting("STORAGE_ACCESS_KEY", "", str, "an access key", secret=True),
    Setting("STORAGE_SECRET_KEY", "", str, "a secret key", secret=True),
    Setting(
        "STORAGE_ENCRYPTION",
        "",
        types.one_of("", "AES256", "aws:kms", "aws:kms:dsse"),
        "AES256, aws:kms or aws:kms:dsse",
    ),
    Setting("STORAGE_KMS_KEY", "", str, "the id of a key of KMS"),
    Setting("STORAGE_CACHE_MB", "2048", types.whole(10, 1_000_000), "megabytes from 10 to 1000000"),
    Setting("REDIS_PREFIX", "", types.prefix, "up to 20 letters, digits, - or _"),
    Setting(
        "SCRAPING_TIMEOUT_MINUTES",
        "30",
        types.whole(1, MAX_TIMEOUT_MINUTES),
        f"minutes from 1 to {MAX_TIMEOUT_MINUTES}",
    ),
    Setting("SCRAPING_MAX_RETRIES", "3", types.whole(0, MAX_RETRIES), f"a whole number from 0 to {MAX_RETRIES}"),
    Setting("SCRAPING_CHECK_INTERVAL", "1", types.number(0.01, 1440), "minutes from 0.01 to 1440"),
    Setting("SCRAPING_LEASE_SECONDS", "60", types.whole(1, 3600), "seconds from 1 to 3600"),
    Setting("SCRAPING_RETRY_SECONDS", "120", types.whole(0, 86400), "seconds from 0 to 86400"),
    Setting("SCRAPING_WAIT_HOURS", "24", types.number(0.1, 8760), "hours from 0.1 to 8760"),
    Setting("SOURCES_DIR", "", str, "a folder"),
    Setting("DEFAULT_SOURCE", "offline", str, "the name of a source"),
    Setting("SOURCES_ALLOW_PRIVATE", "", types.networks, "networks such as 10.1.2.0/24, separated by commas"),
    Setting("SOURCES_PORTS", "", types.ports, "ports separated by commas"),
    Setting("SOURCES_PROXY", "", types.proxy, "an address such as http://proxy.example:3128"),
    Setting("MAX_ROWS", "5000", types.whole(1, 1_000_000), "a whole number from 1 to 1000000"),
    Setting("MAX_UPLOAD_MB", "20", types.whole(1, 500), "megabytes from 1 to 500"),
    Setting("RETENTION_DAYS", "0", types.whole(0, 36_500), "days from 0 (keep) to 36500"),
    Setting("HISTORY_DAYS", "365", types.days_of_history, "0 (keep) or days from 30 to 36500"),
    Setting("DEFAULT_COUNTRY", "ES", types.country, "a country's two letters, such as ES"),
    Setting("DEFAULT_LOCALE", "es", types.one_of(*LOCALES), " or ".join(LOCALES)),
    Setting("DEFAULT_TIME_ZONE", "Europe/Madrid", types.zone, "a time zone's name, such as Europe/Madrid"),
    Setting("MAIL_SERVER", "", str, "a host name"),
    Setting("MAIL_PORT", "25", types.whole(1, 65535), "a port from 1 to 65535"),
    Setting("MAIL_USERNAME", "", str, "a user name"),
    Setting("MAIL_PASSWORD", "", str, "a password"),
    Setting("MAIL_USE_TLS", "", types.yes_no, "1 or 0"),
    Setting("MAIL_USE_SSL", "", types.yes_no, "1 or 0"),
    Setting("MAIL_DEFAULT_SENDER", "Masterfilter <masterfilter@localhost>", types.sender, "an address to send from"),
    Setting("MAIL_CA_FILE", "", str, "a file with certificates"),
    Setting(
        "NOTIFY_URLS", "", types.chat_addresses, "Apprise addresses such as slack://…, separated by commas", secret=True
    ),
    Setting("WEBHOOKS_ALLOW_PRIVATE", "", types.networks, "networks such as 10.1.2.0/24, separated by commas"),
    Setting("TRUSTED_PROXIES", "0", types.whole(0, 5), "the number of proxies in front, from 0 to 5"),
    Setting("METRICS_TOKEN", "", types.key, f"a random text of at least {SHORTEST_KEY} characters", secret=True),
    Setting("LOG_LEVEL", "INFO", types.one_of("DEBUG", "INFO", "WARNING", "ERROR"), "DEBUG, INFO, WARNING or ERROR"),
)


def _check_mail(values: Mapping[str, Any]) -> None:
    """Check the mail settings together: each may be valid alone and still contradict another."""
    if values["MAIL_USE_TLS"] and values["MAIL_USE_SSL"]:
        raise SettingError("MAIL_USE_TLS and MAIL_USE_SSL are both 1. Set only one: STARTTLS, or TLS from the start.")
    if values["MAIL_PASSWORD"] and not values["MAIL_USERNAME"]:
        raise SettingError("MAIL_PASSWORD is set but MAIL_USERNAME is empty. Set both or neither.")
    if values["MAIL_CA_FILE"] and not Path(values["MAIL_CA_FILE"]).is_file():
        raise SettingError(f"MAIL_CA_FILE is {values['MAIL_CA_FILE']!r}, but must be a file with certificates.")


def _check_storage(values: Mapping[str, Any]) -> None:
    """Check the storage settings together."""
    if bool(values["STORAGE_ACCESS_KEY"]) != bool(values["STORAGE_SECRET_KEY"]):
        raise SettingError("Only one of STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY is set. Set both or neither.")
    if values["STORAGE_KMS_KEY"] and not values["STORAGE_ENCRYPTION"].startswith("aws:kms"):
        raise SettingError("STORAGE_KMS_KEY is set, but STORAGE_ENCRYPTION is not aws:kms.")


def _check_role(values: Mapping[str, Any]) -> None:
    """Check that a machine that does only a part of the work shares everything with those that do the rest."""
    lacking = [name for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "STORAGE_URL") if not values[name]]
    if values["DATABASE_URL"].startswith("sqlite"):
        lacking.insert(0, "DATABASE_URL (of PostgreSQL)")
    if values["PORTAL_ROLE"] != "all" and lacking:
        shared = ", ".join(lacking)
        raise SettingError(f"PORTAL_ROLE is {values['PORTAL_ROLE']}, so several machines share the work: set {shared}.")


def _secret_key(data_dir: Path) -> str:
    """Return the key that signs sessions: created once and kept in the data directory, readable by its owner only.

    It appears complete or not at all: a reader of a file that is still empty, or was left so by a full disk, would sign
    with a key that everybody knows. Raises SettingError for a file that has no key.
    """
    path = data_dir / "secret_key"
    if not path.exists():
        handle, unfinished = tempfile.mkstemp(dir=data_dir, prefix=".secret_key-")  # readable by its owner only
        try:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_urlsafe(48))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was faster: its key counts
                os.link(unfinished, path)
        finally:
            os.unlink(unfinished)
    key = path.read_text().strip()
    if len(key) < SHORTEST_KEY:
        raise SettingError(f"The file {path} holds no key of {SHORTEST_KEY} characters. Delete it: a new one is made.")
    return key


def _socket_path(data_dir: Path) -> Path:
    """Return the embedded Valkey's socket. Its path may have at most 107 bytes, so a long one moves to /tmp."""
    path = data_dir / "valkey" / "valkey.sock"
    if len(str(path).encode()) <= 100:
        return path
    name = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    return Path("/tmp") / f"masterfilter-{os.getuid()}-{name}" / "valkey.sock"  # noqa: S108


def environment() -> dict[str, str]:
    """Return the variables of the environment and of `.env`; the environment wins."""
    return {**{k: v or "" for k, v in dotenv_values(ROOT / ".env").items()}, **os.environ}


def read_settings(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return all settings by name, from the environment, then `.env`, then the defaults.

    Some empty settings are filled in: DATABASE_URL and REDIS_URL point into PORTAL_DATA_DIR, SECRET_KEY and SOURCES_DIR
    are kept there, and PUBLIC_URL is this machine. SIGNING_KEYS has the earlier keys and, last, the present one. Raises
    SettingError, which names the variable.

    It also closes this process's new files to other users: every program and command of the portal begins here.
    """
    os.umask(0o077)
    if environ is None:
        environ = environment()
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = environ.get(setting.name, "").strip() or setting.default
        try:
            values[setting.name] = setting.read(text)
        except (ValueError, KeyError) as error:
            if setting.secret:
                raise SettingError(f"{setting.name} must be {setting.takes}. Its present value is not.") from None
            raise SettingError(f"{setting.name} is {text!r}, but must be {setting.takes}.") from error
    data_dir = Path(values["PORTAL_DATA_DIR"])
    data_dir = (data_dir if data_dir.is_absolute() else ROOT / data_dir).resolve()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    values["PORTAL_DATA_DIR"] = data_dir
    folder = Path(values["SOURCES_DIR"] or data_dir / "sources")
    values["SOURCES_DIR"] = (folder if folder.is_absolute() else ROOT / folder).resolve()
    _check_mail(values)
    _check_storage(values)
    _check_role(values)
    values["EMBEDDED_VALKEY"] = not values["REDIS_URL"]
    values["VALKEY_SOCKET"] = _socket_path(data_dir)
    values["EVENTS_SOCKET"] = values["VALKEY_SOCKET"].with_name("events.sock")  # in a folder that only we can enter
    values["REDIS_URL"] = values["REDIS_URL"] or f"unix://{values['VALKEY_SOCKET']}"
    values["DATABASE_URL"] = values["DATABASE_URL"] or f"sqlite:///{data_dir / 'masterfilter.db'}"
    values["SECRET_KEY"] = values["SECRET_KEY"] or _secret_key(data_dir)
    values["SIGNING_KEYS"] = [*reversed(values["SECRET_KEY_FALLBACKS"]), values["SECRET_KEY"]]
    values["PUBLIC_URL"] = values["PUBLIC_URL"] or f"http://127.0.0.1:{values['PORTAL_PORT']}"
    return values
