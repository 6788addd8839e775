"""The admins' rooms: chat services that Apprise knows, one address each in NOTIFY_URLS.

An address holds the keys to its room, so that it is never shown, logged or raised; what Apprise says about it is
cleaned first. Apprise is loaded at the first use only: it costs a tenth of a second and 13 MB, and most processes never
say anything in a room.
"""

import hashlib
import logging
import re
import warnings
from typing import Any
from urllib.parse import unquote

SECONDS = 15.0  # for one room; Apprise's own threads may be left waiting, and end with their process
KEY_LETTERS = 6  # a shorter word of an address is none that opens a door
SHOWN_LETTERS = 300


class ChatFailed(Exception):
    """The room did not take the message. The text is what was answered, without a secret."""


def fingerprint(address: str) -> str:
    """A name for an address by which nobody comes to it."""
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def unusable(addresses: tuple[str, ...]) -> list[int]:
    """Which of them Apprise cannot use, counted from 1: an unknown service, or a part is missing."""
    return [place for place, address in enumerate(addresses, 1) if _service(address, "") is None]


def say(address: str, title: str, text: str, home: str) -> str:
    """Say something in one room, and give the name of its service. Raises RoomClosed."""
    service = _service(address, home)
    if service is None:
        raise ChatFailed("NOTIFY_URLS: ?")
    apprise = _apprise()
    everybody = apprise.Apprise(asset=service.asset)
    everybody.add(service)
    with everybody.notify(
        body=text, title=title, body_format=apprise.NotifyFormat.TEXT, timeout=SECONDS, log_level=logging.WARNING
    ) as result:
        name = str(service.service_name)
        if result:
            return name
        said = " ".join(entry.message for entry in result.logs())
    raise ChatFailed(f"{name}: {without_keys(said, address)[:SHOWN_LETTERS]}")


def without_keys(said: str, address: str) -> str:
    """What was said, with every part of the address blanked out that could be a key."""
    words = {word for word in re.split(r"[/:@?&=,\s]+", f"{address} {unquote(address)}") if len(word) >= KEY_LETTERS}
    for word in sorted(words, key=len, reverse=True):
        said = said.replace(word, "***")
    return " ".join(said.split())


def _service(address: str, home: str) -> Any:
    apprise = _apprise()
    asset = apprise.AppriseAsset(
        app_id="Masterfilter", app_desc="Masterfilter", app_url=home, async_mode=False, service_timeout=SECONDS
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # one of its 180 services imports an old module
        try:
            return apprise.Apprise.instantiate(address, asset=asset)
        except Exception:  # a service of its 180 that stumbles over an address is one that cannot be used
            return None


def _apprise() -> Any:
    log = logging.getLogger("apprise")
    log.setLevel(logging.WARNING)  # below, it logs whole addresses
    log.propagate = False  # what it has to say goes with the notice
    import apprise  # not above: see this module's first lines

    return apprise
