"""The fields of one answer: by JMESPath out of JSON, by CSS or XPath out of a page. It judges nothing but what is
missing, and asks nobody."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from parsel import Selector

from portal.sources.http.classify import search
from portal.sources.recipes.model import FieldRule
from portal.sources.recipes.toml_table import plain

YES = {"true", "yes", "y", "1", "si", "sí", "on", "oui", "ja"}
NO = {"false", "no", "n", "0", "off", "non", "nein"}
MAX_LENGTH = 1000  # of one value: it stands in a cell of the file


class FieldMissing(ValueError):
    """A required field is not there. Its text is the field's name."""


def pick(fields: Iterable[FieldRule], where: Any) -> dict[str, str]:
    """The values that are there, by field. `where` is a page's Selector or a JSON value. Raises FieldMissing."""
    found = {}
    for field in fields:
        value = _value(field, where)
        if value:
            found[field.name] = value[:MAX_LENGTH]
        elif field.required:
            raise FieldMissing(field.name)
    return found


def _value(field: FieldRule, where: Any) -> str:
    raw = _from_page(field, where) if isinstance(where, Selector) else _from_json(field, where)
    if raw is None:
        return ""
    text = raw.strip() if field.strip else raw
    if field.regex:
        match = _regex(field.regex).search(text)
        text = "" if match is None else match[1] if match.re.groups else match[0]
        text = text or ""
    if field.map:
        text = field.map.get(text, field.map.get("*", text))
    elif field.type == "bool" and text:
        word = text.lower()
        text = "yes" if word in YES else "no" if word in NO else ""
    elif field.type == "number":
        text = text if _is_number(text) else ""
    return text


def _from_json(field: FieldRule, where: Any) -> str | None:
    value = search(field.path, where)
    if value is None:
        return None
    if isinstance(value, list):
        return ", ".join(plain(one) for one in value if one is not None and not isinstance(one, list | dict))
    return None if isinstance(value, dict) else plain(value)


def _from_page(field: FieldRule, page: Selector) -> str | None:
    if field.css:
        found = page.css(field.css)
        if "::" not in field.css:  # an element: all the text within it
            return re.sub(r"\s+", " ", str(found[0].xpath("string(.)").get())) if found else None
    else:
        found = page.xpath(field.xpath)
    value = found.get()
    return None if value is None else str(value)


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(?:[.,]\d+)?", text) is not None
