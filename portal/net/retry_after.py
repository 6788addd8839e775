"""What an answer says about how long to wait: Retry-After, and the headers of rate limits. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_SECONDS = 86_400.0


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that Retry-After asks for, in seconds or as a date; None when it is not there or makes no sense."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), MAX_SECONDS) if seconds == seconds else None


def used_up_seconds(headers: Mapping[str, str]) -> float | None:
    """The wait until new requests are granted, where the headers say that none is left."""
    for prefix in ("ratelimit", "x-ratelimit"):
        if headers.get(f"{prefix}-remaining", "").strip() != "0":
            continue
        try:
            seconds = float(headers.get(f"{prefix}-reset", "1"))
        except ValueError:
            return 1.0
        return min(max(seconds, 0.0), 60.0) if seconds < 1_000_000 else 1.0  # a moment and not a span: not guessed at
    return None
