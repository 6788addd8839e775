"""How long a response asks us to wait: Retry-After (RFC 9110) and the RateLimit headers. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DAY_SECONDS = 86_400.0


def retry_after_seconds(headers: Mapping[str, str], now: datetime, most: float = DAY_SECONDS) -> float | None:
    """Return Retry-After, given in seconds or as a date, in seconds up to `most`; None when missing or invalid."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), most) if seconds == seconds else None


def rate_limit_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds, up to 60, until requests are allowed again; None unless the headers say that none is left."""
    for prefix in ("ratelimit", "x-ratelimit"):
        if headers.get(f"{prefix}-remaining", "").strip() != "0":
            continue
        try:
            seconds = float(headers.get(f"{prefix}-reset", "1"))
        except ValueError:
            return 1.0
        return (
            min(max(seconds, 0.0), 60.0) if seconds < 1_000_000 else 1.0
        )  # a Unix time and not a span: wait one second
    return None
