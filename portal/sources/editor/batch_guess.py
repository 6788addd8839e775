"""Finds in an answer about many numbers where its list is, and where in an entry its number is."""

import re
from typing import Any

from portal.sources.editor.answer_tree import step
from portal.sources.editor.drafted import digits_of
from portal.sources.http.classify import search

_MAP = re.compile(r"values\((.+?)\)\[\d+\]\.?(.*)", re.DOTALL)
_ENTRY = re.compile(r"(.*?)\[\d+\]\.?(.*)", re.DOTALL)


def split_path(path: str) -> tuple[str, str]:
    """The words for [batch] items and for a field, in the place of a value in the whole answer."""
    if match := _MAP.fullmatch(path):
        items = "@map" if match[1] == "@" else f"@map {match[1]}"
        return items, f"value.{match[2]}" if match[2] else "value"
    if match := _ENTRY.fullmatch(path):
        return match[1] or "@", match[2] or "@"
    return "", path


def key_in(items: str, content: Any, number: str) -> str:
    """Where an entry has its number, as JMESPath; empty where none has it."""
    if items.startswith("@map"):
        return "key"
    entries = search(items, content)
    wanted = digits_of(number)
    for entry in entries[:50] if isinstance(entries, list) else ():
        if found := _key(entry, wanted, "", 0):
            return found
    return ""


def _key(value: Any, wanted: tuple[str, ...], path: str, depth: int) -> str:
    if isinstance(value, dict) and depth < 4:
        return next(
            (found for name, one in value.items() if (found := _key(one, wanted, step(path, name), depth + 1))), ""
        )
    if isinstance(value, str | int) and not isinstance(value, bool):
        digits = re.sub(r"\D", "", str(value)).removeprefix("00")
        return path if digits in wanted else ""
    return ""
