"""Who is knocking, as far as a request shows it: network, browser and operating system in plain words, and the device
cookie of a browser in which the user has signed in before.

The device cookie (OWASP's remedy) keeps a stranger from locking an owner out: failures in a browser that carries one
for this account are counted by themselves. It is signed, and bound to the account's `auth_epoch`, so that a new
password makes all earlier ones worthless. It signs nobody in.
"""

import hashlib
import ipaddress
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from portal.accounts.models import User

KNOWN_FOR = timedelta(days=365)
MOST_USERS = 5  # of one browser; the one that signed in longest ago is forgotten
LONGEST_COOKIE = 2000  # characters; five users have about 400

# The first that matches: every browser also names those it descends from.
BROWSERS = (
    ("Edge", r"Edg(?:A|iOS)?/"), ("Opera", r"OPR/|Opera"), ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"), ("Chrome", r"Chrome/|CriOS/|Chromium/"), ("Safari", r"Version/.*Safari/"),
)  # fmt: skip
SYSTEMS = (
    ("iPhone", r"iPhone"), ("iPad", r"iPad"), ("Android", r"Android"), ("Windows", r"Windows"),
    ("ChromeOS", r"CrOS"), ("Mac", r"Macintosh|Mac OS"), ("Linux", r"Linux|X11"),
)  # fmt: skip


@dataclass(frozen=True)
class Visitor:
    """Where a request comes from. `devices` is the device cookie's text."""

    ip: str
    user_agent: str = ""
    devices: str = ""

    @property
    def network(self) -> str:
        """The IPv4 address, or the IPv6 /64, or the text itself, at most 64 characters."""
        return networks(self.ip)[0][:64]

    @property
    def browser(self) -> str | None:
        """The browser's name, such as Firefox."""
        return _first(BROWSERS, self.user_agent)

    @property
    def system(self) -> str | None:
        """The operating system's name, such as Windows."""
        return _first(SYSTEMS, self.user_agent)


def networks(ip: str) -> tuple[str, ...]:
    """Return the networks that a try is counted under: the IPv4 address, or the /64 that one IPv6 customer usually has
    alone and the /48 that one may have as well. An IPv4 address written as IPv6 is an IPv4 address."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return (ip,)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            packed = int(address)
            return tuple(str(ipaddress.IPv6Network((packed, size), strict=False)) for size in (64, 48))
        address = address.ipv4_mapped
    return (str(address),)


def device_in(visitor: Visitor, user: User | None, now: datetime) -> str | None:
    """Return the id of this browser if the user has signed in with it since the last new password."""
    return next((one[2] for one in _read(visitor.devices, now) if user and one[:2] == [user.id, user.auth_epoch]), None)


def remember_device(visitor: Visitor, user: User, now: datetime) -> str:
    """Return the device cookie of this browser after the user has signed in with it."""
    others = [one for one in _read(visitor.devices, now) if one[0] != user.id]
    mine = [user.id, user.auth_epoch, secrets.token_urlsafe(12), int(now.timestamp())]
    return str(_signer().dumps([mine, *others][:MOST_USERS]))


def _read(text: str, now: datetime) -> list[list[Any]]:
    """Return the entries that are still valid: user id, epoch, random id of the browser, time in seconds."""
    if not text or len(text) > LONGEST_COOKIE:
        return []
    try:
        entries = _signer().loads(text)
    except BadData:
        return []
    return [one for one in entries if one[3] > (now - KNOWN_FOR).timestamp()]


def _signer() -> URLSafeSerializer:
    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(current_app.config["SIGNING_KEYS"], salt="portal.devices", signer_kwargs=options)


def _first(known: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((name for name, pattern in known if re.search(pattern, text[:500])), None)
