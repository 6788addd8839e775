"""Finds in an answer about many numbers where its list is, and where in an entry its number is."""

import re
from collections.abc import Mapping
from typing import Any

from portal.sources.editor.answer_tree import step
from portal.sources.editor.drafted import digits_of
from portal.sources.http.classify import search

_MAP = re.compile(r"values\((.+?)\)\[\d+\]\.?(.*)", re.DOTALL)
_FORM = r"\{(e164|digits|national)\}"
_OBJECTS = re.compile(rf"\[\s*(\{{[^\[\]]*{_FORM}[^\[\]]*\}})\s*\]", re.DOTALL)
_LIST = re.compile(rf"\[\s*\"(?:00)?{_FORM}\"\s*\]")
_TEXT = re.compile(rf"\"(?:00)?{_FORM}\"")
_PLAIN = re.compile(rf"(?:00|0)?{_FORM}")
_TICKETS = frozenset(["id", "ticket", "job", "batch", "bulk", "uuid", "ref", "reference", "token", "key", "hash"])
SIZE = 50
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


def for_many(request: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request and the batch for several numbers in each request, from one about a single number."""
    found, batch = dict(request), {"size": SIZE, "items": "@", "key": "@"}
    for key in ("body", "url"):
        text = str(found.get(key) or "")
        if match := _OBJECTS.search(text):
            batch["each"] = match[1]
            found[key] = f"{text[: match.start()]}[{{numbers}}]{text[match.end() :]}"
        elif match := _LIST.search(text) or _TEXT.search(text):
            found[key] = f"{text[: match.start()]}{{numbers_json}}{text[match.end() :]}"
        elif match := _PLAIN.search(text):
            found[key] = f"{text[: match.start()]}{{numbers}}{text[match.end() :]}"
        else:
            continue
        form = match[2] if "each" in batch else match[1]
        if "each" not in batch and form != "e164":
            batch["number"] = form
        break
    return found, batch


def for_one(request: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
    """The request about a single number again."""
    form = str(batch.get("number", "e164"))
    found = dict(request)
    for key in ("body", "url"):
        if text := found.get(key):
            each = str(batch.get("each") or f"{{{form}}}")
            found[key] = text.replace("{numbers_json}", f'["{{{form}}}"]').replace("{numbers}", each)
    return found


def ticket_in(values: Mapping[str, str]) -> str:
    """Which of these values, by their paths, is the ticket of a batch, most likely; empty when none looks like one."""
    words = {path: re.findall(r"[A-Z]?[a-z]+|[A-Z]+", path) for path in values}
    named = [path for path, parts in words.items() if parts and parts[-1].lower() in _TICKETS]
    return min(named, key=len, default="")
