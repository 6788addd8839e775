"""The settings: read once at start from the environment and `.env`, converted and checked; an error names the variable.

It must not know Flask. `SETTINGS` is the complete list; a test compares the README's table with it.
"""

import hashlib
import ipaddress
import os
import re
import secrets
import socket
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ("es", "en")  # the languages of the portal
SHORTEST_KEY = 32  # characters
MAX_RETRIES = 100
MAX_TIMEOUT_MINUTES = 10_080  # a week


class SettingError(Exception):
    """An invalid setting. The message names the variable and says what it must be."""


@dataclass(frozen=True)
class Setting:
    """One variable: its name, default text, function that converts a text, and a description of its values."""

    name: str
    default: str
    read: Callable[[str], Any]
    takes: str
    secret: bool = False  # an error message must not repeat its value


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return read


def _days_of_history(text: str) -> int:
    days = int(text)
    return days and _whole(30, 36_500)(text)  # a shorter history would forget who was already notified of what


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return read


def _yes_no(text: str) -> bool:
    return {"1": True, "true": True, "yes": True, "": False, "0": False, "false": False, "no": False}[text.lower()]


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,20}", text):
        raise ValueError
    return text


def _machine(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,80}", text):
        raise ValueError
    return text or socket.gethostname()[:80]


def _key(text: str) -> str:
    if text and len(text) < SHORTEST_KEY:
        raise ValueError
    return text


def _keys(text: str) -> list[str]:
    return [_key(part) for part in text.replace(",", " ").split()]


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError from error
    return text


def _sender(text: str) -> str:
    """Accept a name with an address, or only an address."""
    name, at, host = parseaddr(text)[1].rpartition("@")
    if not (name and at and host) or not text.isprintable():
        raise ValueError
    return text


def _country(text: str) -> str:
    if len(text) != 2 or not text.isalpha():
        raise ValueError
    return text.upper()


def _database(text: str) -> str:
    if text and not text.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError
    return text.replace("postgresql://", "postgresql+psycopg://", 1) if text.startswith("postgresql://") else text


def _storage(text: str) -> str:
    """Accept s3://bucket/prefix and a folder that begins with /."""
    if text and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/?#\s]+)*/?|/\S.*", text):
        raise ValueError
    return text if text == "/" else text.rstrip("/")


def _networks(text: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(part)) for part in text.replace(",", " ").split())


def _ports(text: str) -> tuple[int, ...]:
    return tuple(_whole(1, 65535)(part) for part in text.replace(",", " ").split())


def _proxy(text: str) -> str:
    parts = urlsplit(text)
    if text and not (parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/")):
        raise ValueError
    return text


def _chat_addresses(text: str) -> tuple[str, ...]:
    """Split Apprise addresses at commas, spaces or line breaks; an address may itself contain commas."""
    parts = [part.strip(" ,\t\r\n") for part in re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9]*://)", text)]
    addresses = tuple(part for part in parts if part)
    if not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9]*://\S+", address) for address in addresses):
        raise ValueError
    return addresses


def _address(*schemes: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text and not text.startswith(schemes):
            raise ValueError
        return text.rstrip("/")

    return read


SETTINGS = (
    Setting("PORTAL_PORT", "8000", _whole(1, 65535), "a port from 1 to 65535"),
    Setting("PORTAL_HOST", "127.0.0.1", str, "the address to listen on"),
    Setting("PORTAL_DATA_DIR", "var", str, "a folder"),
    Setting("PORTAL_ROLE", "all", _one_of("all", "web", "worker"), "all, web or worker"),
    Setting("PORTAL_MACHINE", "", _machine, "up to 80 letters, digits, dots, - or _"),
    Setting("PORTAL_INTAKE_WORKERS", "1", _whole(1, 64), "a whole number from 1 to 64"),
    Setting("PORTAL_WORKERS", "3", _whole(1, 64), "a whole number from 1 to 64"),
    Setting("PORTAL_WORKERS_PER_PERSON", "0", _whole(0, 64), "a whole number from 0 to 64; 0: all but one"),
    Setting("LIVE", "stream", _one_of("stream", "poll"), "stream or poll"),
    Setting("PUBLIC_URL", "", _address("http://", "https://"), "an address that starts with http:// or https://"),
    Setting("SECRET_KEY", "", _key, f"a random text of at least {SHORTEST_KEY} characters", secret=True),
    Setting(
        "SECRET_KEY_FALLBACKS",
        "",
        _keys,
        f"earlier keys of at least {SHORTEST_KEY} characters, separated by commas",
        True,
    ),
    Setting("DATABASE_URL", "", _database, "an address that starts with postgresql:// or sqlite:///", secret=True),
    Setting(
        "REDIS_URL", "", _address("redis://", "rediss://", "unix://"), "an address that starts with redis://", True
    ),
    Setting("STORAGE_URL", "", _storage, "a folder that begins with /, or s3://bucket/prefix"),
    Setting("STORAGE_ENDPOINT", "", _address("http://", "https://"), "an address that starts with http:// or https://"),
    Setting("STORAGE_REGION", "", str, "the name of a region"),
    Setting("STORAGE_ACCESS_KEY", "", str, "an access key", secret=True),
    Setting("STORAGE_SECRET_KEY", "", str, "a secret key", secret=True),
    Setting(
        "STORAGE_ENCRYPTION",
        "",
        _one_of("", "AES256", "aws:kms", "aws:kms:dsse"),
        "AES256, aws:kms or aws:kms:dsse",
    ),
    Setting("STORAGE_KMS_KEY", "", str, "the id of a key of KMS"),
    Setting("STORAGE_CACHE_MB", "2048", _whole(10, 1_000_000), "megabytes from 10 to 1000000"),
    Setting("REDIS_PREFIX", "", _prefix, "up to 20 letters, digits, - or _"),
    Setting(
        "SCRAPING_TIMEOUT_MINUTES", "30", _whole(1, MAX_TIMEOUT_MINUTES), f"minutes from 1 to {MAX_TIMEOUT_MINUTES}"
    ),
    Setting("SCRAPING_MAX_RETRIES", "3", _whole(0, MAX_RETRIES), f"a whole number from 0 to {MAX_RETRIES}"),
    Setting("SCRAPING_CHECK_INTERVAL", "1", _number(0.01, 1440), "minutes from 0.01 to 1440"),
    Setting("SCRAPING_LEASE_SECONDS", "60", _whole(1, 3600), "seconds from 1 to 3600"),
    Setting("SCRAPING_RETRY_SECONDS", "120", _whole(0, 86400), "seconds from 0 to 86400"),
    Setting("SCRAPING_WAIT_HOURS", "24", _number(0.1, 8760), "hours from 0.1 to 8760"),
    Setting("SOURCES_DIR", "", str, "a folder"),
    Setting("DEFAULT_SOURCE", "offline", str, "the name of a source"),
    Setting("SOURCES_ALLOW_PRIVATE", "", _networks, "networks such as 10.1.2.0/24, separated by commas"),
    Setting("SOURCES_PORTS", "", _ports, "ports separated by commas"),
    Setting("SOURCES_PROXY", "", _proxy, "an address such as http://proxy.example:3128"),
    Setting("MAX_ROWS", "5000", _whole(1, 1_000_000), "a whole number from 1 to 1000000"),
    Setting("MAX_UPLOAD_MB", "20", _whole(1, 500), "megabytes from 1 to 500"),
    Setting("RETENTION_DAYS", "0", _whole(0, 36_500), "days from 0 (keep) to 36500"),
    Setting("HISTORY_DAYS", "365", _days_of_history, "0 (keep) or days from 30 to 36500"),
    Setting("DEFAULT_COUNTRY", "ES", _country, "a country's two letters, such as ES"),
    Setting("DEFAULT_LOCALE", "es", _one_of(*LOCALES), " or ".join(LOCALES)),
    Setting("DEFAULT_TIME_ZONE", "Europe/Madrid", _zone, "a time zone's name, such as Europe/Madrid"),
    Setting("MAIL_SERVER", "", str, "a host name"),
    Setting("MAIL_PORT", "25", _whole(1, 65535), "a port from 1 to 65535"),
    Setting("MAIL_USERNAME", "", str, "a user name"),
    Setting("MAIL_PASSWORD", "", str, "a password"),
    Setting("MAIL_USE_TLS", "", _yes_no, "1 or 0"),
    Setting("MAIL_USE_SSL", "", _yes_no, "1 or 0"),
    Setting("MAIL_DEFAULT_SENDER", "Masterfilter <masterfilter@localhost>", _sender, "an address to send from"),
    Setting("MAIL_CA_FILE", "", str, "a file with certificates"),
    Setting(
        "NOTIFY_URLS", "", _chat_addresses, "Apprise addresses such as slack://…, separated by commas", secret=True
    ),
    Setting("WEBHOOKS_ALLOW_PRIVATE", "", _networks, "networks such as 10.1.2.0/24, separated by commas"),
    Setting("TRUSTED_PROXIES", "0", _whole(0, 5), "the number of proxies in front, from 0 to 5"),
    Setting("LOG_LEVEL", "INFO", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "DEBUG, INFO, WARNING or ERROR"),
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
