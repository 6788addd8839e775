"""Encodes a position in a list as text for a URL, and back. The text is opaque."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

from portal.ids import MAX_INTEGER

LONGEST = 2000


def to_text(place: tuple[Any, ...]) -> str:
    """The position as a text of letters, digits, - and _."""
    plain = [{"at": value.isoformat()} if isinstance(value, datetime) else value for value in place]
    return urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def from_text(text: str) -> tuple[Any, ...] | None:
    """The position, or None if the text is not one."""
    if not text or len(text) > LONGEST:
        return None
    try:
        plain = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        place = tuple(_moment(value["at"]) if isinstance(value, dict) else value for value in plain)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    ids = [value for value in place if isinstance(value, int)]
    texts = [value for value in place if isinstance(value, str)]
    if any(abs(value) > MAX_INTEGER for value in ids) or any("\0" in value or not _encodes(value) for value in texts):
        return None
    return place


def _encodes(text: str) -> bool:
    """Whether the database can be asked about it: JSON may hold half of an emoji."""
    return all(not "\ud800" <= letter <= "\udfff" for letter in text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)  # so that no later conversion overflows
