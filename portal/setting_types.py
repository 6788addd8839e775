"""How the text of a setting is read: a function for each type, which raises ValueError or KeyError for another text."""

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SHORTEST_KEY = 32  # characters


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


def whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return read


def days_of_history(text: str) -> int:
    days = int(text)
    return days and whole(30, 36_500)(text)  # a shorter history would forget who was already notified of what


def number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return read


def one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return read


def yes_no(text: str) -> bool:
    return {"1": True, "true": True, "yes": True, "": False, "0": False, "false": False, "no": False}[text.lower()]


def prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,20}", text):
        raise ValueError
    return text


def machine(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,80}", text):
        raise ValueError
    return text or socket.gethostname()[:80]


def key(text: str) -> str:
    if text and len(text) < SHORTEST_KEY:
        raise ValueError
    return text


def keys(text: str) -> list[str]:
    return [key(part) for part in text.replace(",", " ").split()]


def zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError from error
    return text


def sender(text: str) -> str:
    """Accept a name with an address, or only an address."""
    name, at, host = parseaddr(text)[1].rpartition("@")
    if not (name and at and host) or not text.isprintable():
        raise ValueError
    return text


def country(text: str) -> str:
    if len(text) != 2 or not text.isalpha():
        raise ValueError
    return text.upper()


def database(text: str) -> str:
    if text and not text.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError
    return text.replace("postgresql://", "postgresql+psycopg://", 1) if text.startswith("postgresql://") else text


def storage(text: str) -> str:
    """Accept s3://bucket/prefix and a folder that begins with /."""
    if text and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/?#\s]+)*/?|/\S.*", text):
        raise ValueError
    return text if text == "/" else text.rstrip("/")


def networks(text: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(part)) for part in text.replace(",", " ").split())


def ports(text: str) -> tuple[int, ...]:
    return tuple(whole(1, 65535)(part) for part in text.replace(",", " ").split())


def proxy(text: str) -> str:
    parts = urlsplit(text)
    if text and not (parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/")):
        raise ValueError
    return text


def chat_addresses(text: str) -> tuple[str, ...]:
    """Split Apprise addresses at commas, spaces or line breaks; an address may itself contain commas."""
    parts = [part.strip(" ,\t\r\n") for part in re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9]*://)", text)]
    addresses = tuple(part for part in parts if part)
    if not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9]*://\S+", address) for address in addresses):
        raise ValueError
    return addresses


def address(*schemes: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text and not text.startswith(schemes):
            raise ValueError
        return text.rstrip("/")

    return read
