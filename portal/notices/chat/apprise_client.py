"""Sends a message to one of the admins' chats, through Apprise. NOTIFY_URLS has one address for each chat.

An address contains the keys to its chat, so it is never shown, logged or raised, and Apprise's messages about it are
redacted first. Apprise is imported at first use: it costs a tenth of a second and 13 MB, and most processes never send
a chat message.
"""

import hashlib
import logging
import re
import warnings
from typing import Any
from urllib.parse import unquote

SECONDS = 15.0  # for one chat; Apprise's own threads may be left waiting, and end with their process
KEY_LENGTH = 6  # a shorter part of an address is not a key
SHOWN_LENGTH = 300


class ChatFailed(Exception):
    """The chat did not accept the message. The text is the answer, without secrets."""


def fingerprint(address: str) -> str:
    """A name for an address that does not reveal it."""
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def unusable(addresses: tuple[str, ...]) -> list[int]:
    """The positions, from 1, of the addresses that Apprise cannot use: an unknown service, or a missing part."""
    return [place for place, address in enumerate(addresses, 1) if _service(address, "") is None]


def send(address: str, title: str, text: str, home: str) -> str:
    """Send a message to one chat; returns the name of its service. Raises ChatFailed."""
    service = _service(address, home)
    if service is None:
        raise ChatFailed("NOTIFY_URLS: ?")
    apprise = _apprise()
    sender = apprise.Apprise(asset=service.asset)
    sender.add(service)
    with sender.notify(
        body=text, title=title, body_format=apprise.NotifyFormat.TEXT, timeout=SECONDS, log_level=logging.WARNING
    ) as result:
        name = str(service.service_name)
        if result:
            return name
        answer = " ".join(entry.message for entry in result.logs())
    raise ChatFailed(f"{name}: {redact(answer, address)[:SHOWN_LENGTH]}")


def redact(text: str, address: str) -> str:
    """The text with every part of the address masked that could be a key."""
    words = {word for word in re.split(r"[/:@?&=,\s]+", f"{address} {unquote(address)}") if len(word) >= KEY_LENGTH}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "***")
    return " ".join(text.split())


def _service(address: str, home: str) -> Any:
    apprise = _apprise()
    asset = apprise.AppriseAsset(
        app_id="Masterfilter", app_desc="Masterfilter", app_url=home, async_mode=False, service_timeout=SECONDS
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # one of its 180 services imports an old module
        try:
            return apprise.Apprise.instantiate(address, asset=asset)
        except Exception:  # if one of its 180 services fails on an address, the address cannot be used
            return None


def _apprise() -> Any:
    log = logging.getLogger("apprise")
    log.setLevel(logging.WARNING)  # below, it logs whole addresses
    log.propagate = False  # its messages are stored with the notice
    import apprise  # not at the top: see this module's docstring

    return apprise
