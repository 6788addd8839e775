"""Reads [limits] of a recipe, and sizes in bytes."""

import re

from portal.sources.recipes.model import AnswerFormat, RequestLimits
from portal.sources.recipes.toml_table import TomlTable

SIZES = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000}
SPANS = {"s": 1, "min": 60, "m": 60, "h": 3600}
MAX_BODY_BYTES = 20_000_000


def read_size(table: TomlTable, key: str, default: int) -> int:
    """A size in bytes, written such as "500 kB"."""
    value = table.raw(key)
    if value is None:
        return default
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(b|kb|mb|)\s*", str(value).lower())
    found = int(float(match[1]) * SIZES[match[2]]) if match else 0
    if not 1 <= found <= MAX_BODY_BYTES:
        table.wrong(key, "bad_size")
        return default
    return found


def read_limits(table: TomlTable | None, kind: AnswerFormat) -> RequestLimits:
    """The limits in a table, or the defaults."""
    if table is None:
        return RequestLimits(robots=kind == AnswerFormat.HTML)
    if table.has("robots") and kind != AnswerFormat.HTML:
        table.wrong("robots", "html_only")
    found = RequestLimits(
        per_second=_rate(table),
        concurrency=table.whole("concurrency", 4, 1, 64),
        cache_days=_days(table),
        robots=table.yes_no("robots", kind == AnswerFormat.HTML),
    )
    table.end()
    return found


def _rate(table: TomlTable) -> float | None:
    """Requests a second, written such as "600/min"."""
    value = table.raw("rate")
    if value is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*(s|min|m|h))?\s*", str(value))
    if not match or isinstance(value, bool) or not 0 < (rate := float(match[1]) / SPANS[match[2] or "s"]) <= 10_000:
        table.wrong("rate", "bad_rate")
        return None
    return rate


def _days(table: TomlTable) -> float:
    value = table.raw("cache")
    if value is None:
        return 0.0
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:days?|d|)\s*", str(value))
    if not match or isinstance(value, bool) or float(match[1]) > 3650:
        table.wrong("cache", "bad_days")
        return 0.0
    return float(match[1])
